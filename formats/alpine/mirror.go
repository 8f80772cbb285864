package alpine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
	"hallmark/signing/scheme"
)

const (
	packedMost  = 64 << 20  // bytes of an upstream's index
	plainMost   = 512 << 20 // bytes that it unpacks to
	recordsMost = 500_000
	recordMost  = 256 << 10 // bytes of one record

	// lineMost is the longest line that apk reads, in bytes.
	lineMost = 128 << 10
)

// Scope returns the folder of an index, [dir/]<arch>, for the index and for packages.
//
// There is none for noarch, since no apk asks for one: an upstream has its packages for all architectures in the folder of
// each, under the names by which apk asks for them.
func (f *Format) Scope(p string) (string, bool) {
	scope, name := path.Split(p)
	scope = strings.TrimSuffix(scope, "/")
	if dir, arch := splitScope(scope); !isArch(arch) || arch == noarch || checkUpload(dir, "") != nil {
		return "", false
	}
	return scope, name == indexName || strings.HasSuffix(bareName(name), extension)
}

// splitScope returns the folder that is a line of /etc/apk/repositories, and the architecture.
func splitScope(scope string) (dir, arch string) {
	dir, arch = path.Split(scope)
	return strings.TrimSuffix(dir, "/"), arch
}

// Follow emits the records of an APKINDEX.tar.gz (apk-v2(5)). Nothing in it grows from one to the next.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	index, err := u.Fetch(path.Join(scope, indexName), format.Wanted{Limit: packedMost})
	if err != nil {
		return format.Edition{}, err
	}
	begin, err := f.verify(u, index)
	if err != nil {
		return format.Edition{}, err
	}
	m, err := openMember(index, begin, 64<<10, nil)
	if err != nil {
		return format.Edition{}, err
	}
	if err := readIndex(m, func(record []byte) error { return u.Emit(indexName, "", record) }); err != nil {
		return format.Edition{}, err
	}
	if m.end() != index.Size() {
		return format.Edition{}, format.Malformedf("something follows the member of %s that holds the index, and apk 3 refuses that", indexName)
	}
	dir, _ := splitScope(scope)
	return format.Edition{Shard: dir}, nil
}

// verify reads the members with signatures in front of an index, and returns where they end. One good signature is enough.
// One over SHA-1 is good where the settings say that SHA-1 is.
func (f *Format) verify(u format.Upstream, index format.Blob) (int64, error) {
	begin, signatures, err := readSignatures(index)
	if err != nil {
		return 0, err
	}
	message := func() io.Reader { return io.NewSectionReader(index, begin, index.Size()-begin) }
	weak := false
	for _, s := range signatures {
		kind := scheme.RSASHA256
		switch {
		case strings.HasPrefix(s.name, ".SIGN.RSA256."):
		case strings.HasPrefix(s.name, ".SIGN.RSA.") && f.settings.SHA1:
			kind = scheme.RSASHA1
		default:
			weak = weak || strings.HasPrefix(s.name, ".SIGN.RSA.")
			continue
		}
		if _, err := u.Verify(kind, message(), s.data); !errors.Is(err, format.ErrMalformed) {
			return begin, err
		}
	}
	_, err = u.Verify(scheme.RSASHA256, message(), nil)
	if weak && errors.Is(err, format.ErrMalformed) {
		err = format.Malformedf("%s is signed over SHA-1, and not over SHA-256 by a key of the upstream: set sha1 to true to take it as it is", indexName)
	}
	return begin, err
}

// readSignatures returns the files of the members that hold nothing but signatures, and the offset behind them.
func readSignatures(index format.Blob) (end int64, signatures []file, err error) {
	for members := 0; ; members++ {
		m, err := openMember(index, end, 4<<10, nil)
		if err != nil {
			return 0, nil, err
		}
		plain, err := io.ReadAll(io.LimitReader(m, signatureLimit+1))
		if err != nil {
			return 0, nil, err
		}
		if !bytes.HasPrefix(plain, []byte(signPrefix)) {
			return end, signatures, nil
		}
		if members == signaturesMost {
			return 0, nil, format.Malformedf("%s has more than %d members with signatures", indexName, signaturesMost)
		}
		if len(plain) > signatureLimit {
			return 0, nil, format.Malformedf("%s has a member with signatures of more than %d bytes", indexName, signatureLimit)
		}
		files, err := readStrict(plain)
		if err != nil {
			return 0, nil, err
		}
		if err := checkSignatures(files, len(plain)); err != nil {
			return 0, nil, err
		}
		signatures, end = append(signatures, files...), m.end()
	}
}

// readIndex calls visit for each record of the APKINDEX in a tar archive, which may hold a DESCRIPTION beside it.
func readIndex(r io.Reader, visit func(record []byte) error) error {
	found := false
	limits := tarball.Limits{Entries: 3, Name: 100, Size: plainMost}
	err := tarball.Walk(&capped{r: r, left: plainMost}, limits, func(h *tar.Header, r io.Reader) error {
		switch {
		case h.Typeflag == tar.TypeReg && h.Name == "APKINDEX":
			found = true
			return eachRecord(r, visit)
		case h.Typeflag == tar.TypeReg && h.Name == "DESCRIPTION":
			return nil
		}
		return format.Malformedf("%s holds %.100q beside the index", indexName, h.Name)
	})
	if err == nil && !found {
		err = format.Malformedf("%s holds no APKINDEX", indexName)
	}
	return err
}

// eachRecord calls visit for each record with the blank line that ends it.
func eachRecord(r io.Reader, visit func(record []byte) error) error {
	lines := bufio.NewReaderSize(r, lineMost)
	var record []byte
	count := 0
	flush := func() error {
		if len(record) == 0 {
			return nil
		}
		if count++; count > recordsMost {
			return format.Malformedf("%s lists more than %d packages", indexName, recordsMost)
		}
		err := visit(append(record, '\n'))
		record = record[:0]
		return err
	}
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull:
			return format.Malformedf("%s has a line of more than %d bytes, which apk does not read", indexName, lineMost)
		case err == io.EOF && len(line) > 0:
			return format.Malformedf("%s is cut off: its last line has no end", indexName)
		case err == io.EOF:
			return flush()
		case err != nil:
			return err
		case len(line) == 1:
			if err := flush(); err != nil {
				return err
			}
			continue
		case len(record)+len(line) > recordMost:
			return format.Malformedf("%s has a record of more than %d bytes", indexName, recordMost)
		}
		record = append(record, line...)
	}
}
