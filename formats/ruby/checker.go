package ruby

import (
	"archive/tar"
	"bytes"
	"io"

	"hallmark/formats/format"
)

// maxKept is how much of a gem of an upstream is kept to read its metadata, which stands before its data or shortly behind.
const maxKept = 512 << 10

// Check returns a writer that wants a gem which says that it is the one of a name: its name, version and platform. That is all that
// the older index says of it, which nobody has signed.
func (f *Format) Check(name string) (io.WriteCloser, error) {
	return &checker{want: name}, nil
}

// A checker goes through the archive of a gem as it is written. It keeps the metadata and nothing else.
type checker struct {
	want     string
	header   []byte // of the next file, until it is whole
	body     int64  // what is yet to come of a file, with its padding
	keep     int64  // and of its bytes, if they are those of the metadata
	metadata []byte
	found    bool
	err      error
}

// Write never fails: Close says what is wrong.
func (c *checker) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && c.err == nil; {
		if c.body == 0 {
			n := min(block-len(c.header), len(rest))
			c.header, rest = append(c.header, rest[:n]...), rest[n:]
			if len(c.header) == block {
				c.err = c.next()
				c.header = c.header[:0]
			}
			continue
		}
		n := min(c.body, int64(len(rest)))
		kept := min(c.keep, n)
		c.metadata = append(c.metadata, rest[:kept]...)
		c.keep -= kept
		c.body, rest = c.body-n, rest[n:]
	}
	return len(p), nil
}

// next reads a header.
func (c *checker) next() error {
	if len(bytes.Trim(c.header, "\x00")) == 0 {
		return nil // the end, and what follows it
	}
	h, err := tar.NewReader(bytes.NewReader(c.header)).Next()
	if err != nil || h.Size < 0 || h.Size > maxData {
		return format.Malformedf("it is no gem: its archive cannot be read")
	}
	c.body = (h.Size + block - 1) / block * block
	if h.Name != metadataFile {
		return nil
	}
	if c.found || h.Size > maxKept {
		return format.Malformedf("it has a %s twice, or one of more than %d bytes", metadataFile, maxKept)
	}
	c.found, c.keep = true, h.Size
	return nil
}

// Close implements [io.Closer].
func (c *checker) Close() error {
	switch {
	case c.err != nil:
		return c.err
	case !c.found || c.body > 0 || len(c.header) > 0:
		return format.Malformedf("it is no gem, or one that is cut off")
	}
	text, err := gunzip(metadataFile, bytes.NewReader(c.metadata), int64(len(c.metadata)))
	if err != nil {
		return err
	}
	s, err := readGemspec(text)
	if err != nil {
		return err
	}
	if s.file() != c.want {
		return format.Malformedf("it is the gem %.200s, and the index means %.200s", s.file(), c.want)
	}
	return nil
}
