// Package tarball reads compressed tar archives that somebody hostile may have made.
//
// What it reads is bounded in memory and in size, and nothing that two readers could understand differently passes.
package tarball

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hallmark/formats/format"
)

const (
	// maxWindow is the most that a stream may ask for as its window, in bytes: what "zstd --ultra -22" and "xz -9" use,
	// and no more.
	maxWindow = 128 << 20

	// ratioFloor is how much a stream may hold before maxRatio counts, and maxRatio how many times its compressed size it
	// may hold then. Even empty disk images stay below it.
	ratioFloor = 16 << 20
	maxRatio   = 2000

	// bufferSize is how much of the compressed stream is looked at ahead.
	bufferSize = 64 << 10
)

// A Compression is the way in which a stream is compressed.
type Compression string

// The compressions. Decompress takes the first four.
const (
	None  Compression = ""
	Gzip  Compression = "gzip"  // RFC 1952
	XZ    Compression = "xz"    // tukaani.org/xz/xz-file-format.txt, one stream
	Zstd  Compression = "zstd"  // RFC 8878
	Bzip2 Compression = "bzip2" // sourceware.org/bzip2
	LZMA  Compression = "lzma"  // the format before xz
)

// Sniff returns the compression of a stream that begins with the given bytes, of which it wants at least 14. What it does
// not know is None.
func Sniff(head []byte) Compression {
	for _, c := range []struct {
		magic string
		Compression
	}{
		{"\x1f\x8b\x08", Gzip},
		{xzMagic, XZ},
		{"\x28\xb5\x2f\xfd", Zstd},
		{"BZh", Bzip2},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c.Compression
		}
	}
	// LZMA has no magic. Its properties are those that every writer uses, and the upper half of its size is 0 or unknown.
	if len(head) >= 13 && head[0] == 0x5d && head[1] == 0 && head[2] == 0 &&
		(bytes.Equal(head[9:13], []byte{0, 0, 0, 0}) || bytes.Equal(head[9:13], []byte{0xff, 0xff, 0xff, 0xff})) {
		return LZMA
	}
	return None
}

// Decompress returns what r holds, of which the first bytes say how it is compressed: by gzip, xz, zstd or not at all.
//
// A stream that holds more than limit bytes gives an error in place of the byte that is too many, and so does one that
// holds much more than it could in earnest. All errors but those of r wrap [format.ErrMalformed]. A reader that has a
// method Len is buffered by no more than that. Closing the result frees its memory, and leaves r open.
func Decompress(r io.Reader, limit int64) (io.ReadCloser, error) {
	source := &source{r: r}
	size := bufferSize
	if sized, ok := r.(interface{ Len() int }); ok {
		size = max(16, min(size, sized.Len()))
	}
	buffered := bufio.NewReaderSize(source, size)
	head, err := buffered.Peek(min(14, size))
	if err != nil && err != io.EOF {
		return nil, err
	}
	d := &decompressor{source: source, limit: limit, close: func() {}}
	switch c := Sniff(head); c {
	case None:
		d.r, d.plain, err = buffered, true, nil
	case Gzip:
		d.r, err = gzip.NewReader(buffered)
	case XZ:
		d.r, err = newXZReader(buffered, min(limit, maxWindow))
	case Zstd:
		var z *zstd.Decoder
		z, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			d.r, d.close = z, z.Close
		}
	default:
		return nil, format.Malformedf("the archive is compressed with %s: compress it with gzip, xz or zstd", c)
	}
	if err != nil {
		return nil, d.broken(err)
	}
	return d, nil
}

// source remembers how much was read of the compressed stream and whether reading it failed.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// decompressor counts what comes out of a stream.
type decompressor struct {
	source *source
	r      io.Reader
	plain  bool
	close  func()
	limit  int64
	n      int64
	err    error
}

func (d *decompressor) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	// One byte more than is allowed is asked for, so that a stream that ends at the limit is told from one that does not.
	if left := d.limit - d.n; int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	n, err := d.r.Read(p)
	d.n += int64(n)
	switch {
	case d.n > d.limit:
		n, d.err = n-1, format.Malformedf("the archive holds more than %d bytes when it is unpacked", d.limit)
	case !d.plain && d.n > ratioFloor && d.n/maxRatio > d.source.n:
		d.err = format.Malformedf("the archive holds more than %d times its size, which only archives that are "+
			"meant to do harm hold", maxRatio)
	case err == io.EOF:
		d.err = io.EOF
	case err != nil:
		d.err = d.broken(err)
	}
	return n, d.err
}

func (d *decompressor) Close() error {
	d.close()
	if d.err == nil {
		d.err = errors.New("read after Close")
	}
	return nil
}

// broken says what is wrong with a stream: what its decoder says, unless the stream could not be read.
func (d *decompressor) broken(err error) error {
	if d.source.err != nil {
		return d.source.err
	}
	if errors.Is(err, format.ErrMalformed) {
		return err
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return format.Malformedf("the archive is cut off: its compressed stream has no end")
	}
	return format.Malformedf("the archive cannot be unpacked: %.200v", err)
}
