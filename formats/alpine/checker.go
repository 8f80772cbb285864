package alpine

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"hash"
	"io"

	"hallmark/formats/format"
)

// headLimit is how much of a package may come before its data.
const headLimit = signaturesMost*signatureLimit + controlLimit

// Check returns a writer that wants a package whose control member has the checksum of an index. The control member holds
// the SHA-256 of all that follows it. Signatures before it are free: apk does not look at them either.
//
// What comes before the data is kept until it is whole, which is some kilobytes. Like what an upload may be, it comes to at
// most [headLimit].
func (f *Format) Check(check string) (io.WriteCloser, error) {
	want, err := parseChecksum(check)
	if err != nil {
		return nil, err
	}
	return &checker{want: want, next: 4 << 10}, nil
}

type checker struct {
	want []byte
	head []byte // what was written, until the contents are read of it
	next int    // how much must be there before that is tried again

	contents *contents
	data     hash.Hash // of what follows the control member
	size     int64     // of that
}

// Write never fails: Close says what is wrong.
func (c *checker) Write(p []byte) (int, error) {
	switch {
	case c.contents != nil:
		c.follow(p)
	case len(c.head) <= headLimit:
		c.head = append(c.head, p...)
		if len(c.head) >= c.next {
			c.next = 2 * len(c.head)
			_ = c.read() // it may be cut off only so far
		}
	}
	return len(p), nil
}

// read reads the contents, if the head has all of them.
func (c *checker) read() error {
	contents, err := readContents(beginning(c.head))
	if err != nil {
		return err
	}
	c.contents, c.data = contents, sha256.New()
	c.follow(c.head[contents.control.Offset+contents.control.Size:])
	c.head = nil
	return nil
}

func (c *checker) follow(p []byte) {
	c.data.Write(p)
	c.size += int64(len(p))
}

// Close says whether all that was written is the package.
func (c *checker) Close() error {
	if c.contents == nil {
		if err := c.read(); err != nil {
			return err
		}
	}
	switch {
	case !bytes.Equal(c.contents.checksum, c.want):
		return format.Malformedf("the package's control files have the SHA-1 %x, and the index says %x", c.contents.checksum, c.want)
	case c.size == 0:
		return format.Malformedf("the package has no data member: it is cut off behind its control files")
	}
	return c.contents.compareData(c.data.Sum(nil))
}

// A beginning is the beginning of a file as a [format.Blob]. Nobody asks for its digest.
type beginning []byte

func (b beginning) Size() int64               { return int64(len(b)) }
func (b beginning) Digest(crypto.Hash) []byte { return nil }

func (b beginning) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(b).ReadAt(p, offset)
}
