package ruby

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"

	"hallmark/formats/format"
)

// The files of a gem's archive. Each may have a signature in another file.
const (
	metadataFile  = "metadata.gz"
	dataFile      = "data.tar.gz"
	checksumsFile = "checksums.yaml.gz"
	sigExtension  = ".sig"
)

// signedFiles are the files that are signed, in the order in which RubyGems writes them.
func signedFiles() []string { return []string{metadataFile, dataFile, checksumsFile} }

const (
	block      = 512
	endOfTar   = 2 * block // zeros
	maxSig     = 4 << 10
	maxEntries = 6
)

// An archive is a gem's archive: where its files are.
type archive struct {
	blob  format.Blob
	files map[string]file
	end   int64 // of the last file
}

// A file is where a file of the archive is: its header with the padding behind it, and its bytes.
type file struct {
	whole, body format.Section
}

// openArchive reads the headers of a gem's archive. It holds the files above and nothing else, since RubyGems wants a signature of
// every other; each is a plain file, and the archive ends as RubyGems ends it.
func openArchive(b format.Blob) (*archive, error) {
	a := &archive{blob: b, files: map[string]file{}}
	for n := 0; ; n++ {
		header := make([]byte, block)
		if _, err := b.ReadAt(header, a.end); err == io.EOF {
			return nil, format.Malformedf("the gem is cut off")
		} else if err != nil {
			return nil, err
		}
		if len(bytes.Trim(header, "\x00")) == 0 {
			break
		}
		if n == maxEntries {
			return nil, format.Malformedf("the gem's archive has more than %d files", maxEntries)
		}
		if err := a.add(header); err != nil {
			return nil, err
		}
	}
	if b.Size() != a.end+endOfTar {
		return nil, format.Malformedf("the gem does not end with its archive's last file and 1024 zeros, as RubyGems writes it")
	}
	tail := make([]byte, endOfTar)
	if _, err := b.ReadAt(tail, a.end); err != nil && err != io.EOF {
		return nil, err
	}
	if len(bytes.Trim(tail, "\x00")) > 0 {
		return nil, format.Malformedf("something follows the end of the gem's archive")
	}
	for _, name := range []string{metadataFile, dataFile} {
		if _, ok := a.files[name]; !ok {
			return nil, format.Malformedf("this is no gem: the archive holds no %s", name)
		}
	}
	return a, nil
}

// add takes up the file of the next header.
func (a *archive) add(header []byte) error {
	h, err := tar.NewReader(bytes.NewReader(header)).Next()
	if err != nil {
		return format.Malformedf("this is no gem, which is a tar archive of three files: %.100v", err)
	}
	// RubyGems reads numbers in octal alone.
	if bytes.ContainsFunc(header[108:156], func(r rune) bool { return !strings.ContainsRune("01234567 \x00", r) }) {
		return format.Malformedf("the gem's archive has a header that RubyGems does not read: build the gem with gem build")
	}
	name, isSig := strings.CutSuffix(h.Name, sigExtension)
	switch _, twice := a.files[h.Name]; {
	case name != metadataFile && name != dataFile && name != checksumsFile:
		return format.Malformedf("the gem's archive holds %.100q: metadata.gz, data.tar.gz, checksums.yaml.gz and their signatures are all there may be",
			h.Name)
	case twice:
		return format.Malformedf("the gem's archive holds %s twice", h.Name)
	case h.Typeflag != tar.TypeReg:
		return format.Malformedf("the gem's archive holds %s as something else than a plain file", h.Name)
	case isSig && h.Size > maxSig:
		return format.Malformedf("the signature %s in the gem has more than %d bytes", h.Name, maxSig)
	}
	padded := (h.Size + block - 1) / block * block
	if h.Size < 0 || padded > a.blob.Size()-a.end-block {
		return format.Malformedf("the gem is cut off in its %s", h.Name)
	}
	a.files[h.Name] = file{
		whole: format.Section{Offset: a.end, Size: block + padded},
		body:  format.Section{Offset: a.end + block, Size: h.Size},
	}
	a.end += block + padded
	return nil
}

// open returns the bytes of a file. One that there is not is empty.
func (a *archive) open(name string) *io.SectionReader {
	body := a.files[name].body
	return io.NewSectionReader(a.blob, body.Offset, body.Size)
}

func (a *archive) has(name string) bool {
	_, ok := a.files[name]
	return ok
}

// isSigned reports whether the gem has a signature, good or not.
func (a *archive) isSigned() bool {
	for _, name := range signedFiles() {
		if a.has(name + sigExtension) {
			return true
		}
	}
	return false
}

// entry returns a file as it stands in the archive, with the mode and the owner that RubyGems gives it and no date.
func entry(name string, data []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{
		Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o444, Uname: "wheel", Gname: "wheel",
	})
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
