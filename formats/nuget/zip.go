package nuget

import (
	"archive/zip"
	"encoding/binary"
	"io/fs"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/formats/internal/zipfile"
)

// The records of a zip archive (APPNOTE.TXT of PKWARE, section 4.3), with their lengths without what varies.
const (
	localMagic     = "PK\x03\x04"
	directoryMagic = "PK\x01\x02"

	localSize     = 30
	directorySize = 46
	endSize       = 22
)

const (
	maxArchive = 1<<32 - 2<<20 // bytes, so that a signature makes no zip64 of it, which NuGet does not sign
	maxEntries = 1<<16 - 3     // likewise
)

// signatureName is the name of the file that holds the signature.
const signatureName = ".signature.p7s"

// An archive is the frame of a package.
type archive struct {
	size      int64
	files     []*zip.File // but for the signature
	directory int64       // where the list of files begins
	end       [endSize]byte
	signature *signatureFile // nil: none
}

// A signatureFile is the file that holds the signature: the last one, stored and plain, and the last in the list.
type signatureFile struct {
	*zip.File
	header, record int64 // where it begins, and its place in the list
}

// openArchive reads the frame of a package. An archive that some programs unpack otherwise than others is refused.
func openArchive(b format.Blob) (*archive, error) {
	files, err := zipfile.Open(b)
	if err != nil {
		return nil, err
	}
	a := &archive{size: b.Size(), files: files}
	if a.size > maxArchive || len(files) > maxEntries {
		return nil, format.Malformedf("the package has %d files in %d bytes, and NuGet can sign none with more than %d in %d", len(files), a.size, maxEntries, int64(maxArchive))
	}
	if err := readAt(b, a.end[:], a.endAt()); err != nil {
		return nil, err
	}
	a.directory = int64(binary.LittleEndian.Uint32(a.end[16:]))
	names := map[string]bool{}
	for i, f := range files {
		if err := checkFile(f); err != nil {
			return nil, err
		}
		name := strings.ToLower(strings.TrimSuffix(unescaped(f.Name), "/"))
		if names[name] {
			return nil, format.Malformedf("the package has two files %.100q for whoever ignores case and takes out escapes, as NuGet does", f.Name)
		}
		names[name] = true
		if f.Name == signatureName {
			if a.signature, err = a.readSignature(b, f, i == len(files)-1); err != nil {
				return nil, err
			}
			a.files = files[:i]
		}
	}
	return a, nil
}

func (a *archive) endAt() int64 { return a.size - endSize }

// checkFile refuses files that NuGet, which takes escapes out of names when it unpacks, could put elsewhere, and others that
// are none everywhere.
func checkFile(f *zip.File) error {
	const unicodePath = "\x75\x70" // an extra field with another name
	name := strings.TrimSuffix(unescaped(f.Name), "/")
	switch {
	case !fs.ValidPath(name) || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == ':' || unicode.IsControl(r) }):
		return format.Malformedf("the package has a file %.100q, which leads out of it or cannot be unpacked everywhere", f.Name)
	case strings.EqualFold(name, signatureName) && f.Name != signatureName:
		return format.Malformedf("the package has a file %.100q: the name of a signature is %s", f.Name, signatureName)
	case f.NonUTF8 && strings.ContainsFunc(f.Name, func(r rune) bool { return r >= utf8.RuneSelf }), strings.Contains(string(f.Extra), unicodePath):
		return format.Malformedf("the package has a file %.100q, whose name is another for some programs", f.Name)
	case f.Mode()&fs.ModeType&^fs.ModeDir != 0:
		return format.Malformedf("%.100q in the package is a link, or no file", f.Name)
	}
	return nil
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// readSignature finds the places of the signature, which must be where NuGet puts it and have its form
// (SignedPackageArchiveIOUtility of NuGet.Client).
func (a *archive) readSignature(b format.Blob, f *zip.File, last bool) (*signatureFile, error) {
	data, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	s := &signatureFile{f, data - localSize - int64(len(signatureName)), a.endAt() - directorySize - int64(len(signatureName))}
	var local [localSize]byte
	var listed [directorySize + len(signatureName)]byte
	if err := readAt(b, local[:], max(0, s.header)); err != nil {
		return nil, err
	}
	if err := readAt(b, listed[:], max(0, s.record)); err != nil {
		return nil, err
	}
	if !last || f.Method != zip.Store || f.Flags != 0 || f.UncompressedSize64 > maxSignature || s.record < a.directory ||
		string(local[:4]) != localMagic || string(listed[:4]) != directoryMagic || string(listed[directorySize:]) != signatureName ||
		data+int64(f.CompressedSize64) != a.directory {
		return nil, format.Malformedf("the package has %s in another form than NuGet writes it: the last of its files, stored, of at most %d bytes",
			signatureName, maxSignature)
	}
	return s, nil
}

func readAt(b format.Blob, p []byte, at int64) error {
	if n, err := b.ReadAt(p, at); n < len(p) {
		return err
	}
	return nil
}
