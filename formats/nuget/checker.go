package nuget

import (
	"bytes"
	"compress/flate"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"hallmark/formats/format"
)

// The two things that a package of an upstream can be checked by where its SHA-256 is not known: its SHA-512, or else what it
// says of itself.
const (
	checkSHA512  = "sha512 "
	checkPackage = "package "
)

// checkable returns what Check goes by.
func (p listedPackage) checkable() string {
	if p.SHA512 != "" {
		return checkSHA512 + p.SHA512
	}
	return checkPackage + strings.ToLower(p.ID) + " " + p.version().lower()
}

// Check returns a writer that wants a package with a SHA-512, or one that says it is of an id and a version, which is all that an
// upstream says of it whose registration has no digests. Nobody has signed either.
func (*Format) Check(check string) (io.WriteCloser, error) {
	if digest, ok := strings.CutPrefix(check, checkSHA512); ok {
		return &digestChecker{sha512.New(), digest}, nil
	}
	return &checker{want: strings.TrimPrefix(check, checkPackage)}, nil
}

type digestChecker struct {
	hash.Hash
	want string
}

// Close implements [io.Closer].
func (c *digestChecker) Close() error {
	if got := hex.EncodeToString(c.Sum(nil)); !strings.EqualFold(got, c.want) {
		return format.Malformedf("it has the SHA-512 %s, and the index says %.200s", got, c.want)
	}
	return nil
}

// maxKept is how much of a package is kept until its .nuspec has come.
const maxKept = 256 << 10

// A checker reads the files of a package as they come, up to its .nuspec.
type checker struct {
	want     string
	kept     []byte // what has come of a file: all of a .nuspec, and the header of any other
	skip     int64  // how much of a file is yet to come that nobody reads
	manifest bool   // it was found
	err      error
}

// Write never fails: Close says what is wrong.
func (c *checker) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && c.err == nil && !c.manifest; {
		if n := min(c.skip, int64(len(rest))); n > 0 {
			c.skip, rest = c.skip-n, rest[n:]
			continue
		}
		c.kept = append(c.kept, rest...)
		rest = nil
		for c.skip == 0 && c.err == nil && !c.manifest && c.next() {
		}
		if len(c.kept) > maxKept && c.err == nil && !c.manifest {
			c.err = format.Malformedf("it is no package, or its .nuspec has more than %d bytes", maxKept)
		}
	}
	return len(p), nil
}

// next reads a file whose header, and if it is a .nuspec all of which, has come. It reports false for more to come.
func (c *checker) next() bool {
	b := c.kept
	if len(b) < localSize {
		return false
	}
	name, extra := int(binary.LittleEndian.Uint16(b[26:])), int(binary.LittleEndian.Uint16(b[28:]))
	if len(b) < localSize+name {
		return false
	}
	const described = 1 << 3
	flags, method, packed := binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint16(b[8:]), int64(binary.LittleEndian.Uint32(b[18:]))
	file := unescaped(string(b[localSize : localSize+name]))
	if string(b[:4]) != localMagic {
		c.err = format.Malformedf("it is no package, or has no .nuspec")
		return false
	}
	if flags&described != 0 && packed == 0 {
		c.err = format.Malformedf("it cannot be read as it comes: the size of its file %.100q stands behind that", file)
		return false
	}
	whole := int64(localSize+name+extra) + packed
	if strings.Contains(file, "/") || !strings.HasSuffix(strings.ToLower(file), manifestName) {
		n := min(whole, int64(len(b)))
		c.kept, c.skip = bytes.Clone(b[n:]), whole-n
		return c.skip == 0
	}
	if int64(len(b)) < whole {
		return false
	}
	c.manifest = true
	c.err = c.read(b[localSize+name+extra:whole], method)
	c.kept = nil
	return true
}

// read compares what a .nuspec says with what is wanted.
func (c *checker) read(packed []byte, method uint16) error {
	var r io.Reader = bytes.NewReader(packed)
	if method != 0 {
		r = flate.NewReader(r)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil || len(data) > maxManifest {
		return format.Malformedf("its .nuspec is damaged, or has more than %d bytes", maxManifest)
	}
	m, err := parseManifest(data)
	if err != nil {
		return err
	}
	if got := m.lower() + " " + m.version.lower(); got != c.want {
		return format.Malformedf("it is the package %.200s, and the index means %.200s", got, c.want)
	}
	return nil
}

// Close implements [io.Closer].
func (c *checker) Close() error {
	if c.err == nil && !c.manifest {
		return format.Malformedf("it is no package, or has no .nuspec")
	}
	return c.err
}
