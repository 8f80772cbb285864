package tarball

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"

	"hallmark/formats/format"
)

const xzMagic = "\xfd7zXZ\x00"

// xzReader unpacks one xz stream (tukaani.org/xz/xz-file-format.txt, version 1.2.1). The library that decodes LZMA2 has a
// reader of its own for the frame, which allocates whatever dictionary a block asks for: up to 4 GiB for each.
type xzReader struct {
	r         *bufio.Reader
	maxWindow int64 // a dictionary beyond what can come out is of no use, and is not allocated
	checkType byte
	flags     [2]byte
	blocks    hash.Hash32 // over the sizes of the blocks, as they must stand in the index
	count     uint64
	second    bool // it follows another stream, and must be empty
	block     *xzBlock
	err       error
}

// xzBlock is the block that is being read.
type xzBlock struct {
	packed           *countingReader
	data             *lzma.Reader2
	header           int64 // its size
	n                int64 // unpacked so far
	wantN, wantBytes int64 // as the header says; -1: it does not
	check            hash.Hash
}

func newXZReader(r *bufio.Reader, maxWindow int64) (*xzReader, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, cut(err)
	}
	x := &xzReader{r: r, maxWindow: maxWindow, flags: [2]byte{head[6], head[7]}, checkType: head[7], blocks: crc32.NewIEEE()}
	switch {
	case string(head[:6]) != xzMagic:
		return nil, format.Malformedf("the xz stream has a bad header")
	case crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]):
		return nil, format.Malformedf("the xz stream has a bad header")
	case head[6] != 0 || newCheck(x.checkType) == nil:
		return nil, format.Malformedf("the xz stream has a kind of checksum that nothing writes: use crc32, " +
			"crc64, sha256 or none")
	}
	return x, nil
}

func (x *xzReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, x.err
	}
	for x.err == nil {
		if x.block == nil {
			x.err = x.open()
			continue
		}
		b := x.block
		n, err := b.data.Read(p)
		b.n += int64(n)
		b.check.Write(p[:n])
		switch {
		case b.wantN >= 0 && b.n > b.wantN || b.wantBytes >= 0 && b.packed.n > b.wantBytes:
			err = format.Malformedf("an xz block is larger than its header says")
		case err == io.EOF:
			err = x.close()
		case err == io.ErrUnexpectedEOF:
			err = cut(err)
		}
		x.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// open begins the next block, or reads the end of the stream.
func (x *xzReader) open() error {
	first, err := x.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	switch {
	case first == 0:
		return x.finish()
	case x.second:
		return format.Malformedf("something follows the end of the xz stream")
	}
	header := make([]byte, (int(first)+1)*4)
	header[0] = first
	if _, err := io.ReadFull(x.r, header[1:]); err != nil {
		return cut(err)
	}
	body := header[:len(header)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(header[len(body):]) {
		return format.Malformedf("an xz block has a bad header")
	}
	b := &xzBlock{header: int64(len(header)), wantBytes: -1, wantN: -1, check: newCheck(x.checkType)}
	flags, rest := body[1], body[2:]
	if flags&0x3f != 0 {
		return format.Malformedf("an xz block uses a filter beside LZMA2: compress without one")
	}
	ok := true
	if flags&0x40 != 0 {
		b.wantBytes, rest, ok = takeSize(rest)
	}
	if ok && flags&0x80 != 0 {
		b.wantN, rest, ok = takeSize(rest)
	}
	// The filter is LZMA2 (0x21) with one byte of properties: the size of its dictionary.
	if !ok || len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 || rest[2] > 40 || len(bytes.Trim(rest[3:], "\x00")) > 0 {
		return format.Malformedf("an xz block has a bad header")
	}
	window, err := lzma.DecodeDictCap(rest[2])
	if err != nil {
		return format.Malformedf("an xz block has a bad header")
	}
	window = min(window, x.maxWindow)
	if size, ok := x.unpackedSize(); ok {
		window = min(window, size)
	}
	b.packed = &countingReader{r: x.r}
	b.data, err = lzma.Reader2Config{DictCap: int(max(window, lzma.MinDictCap))}.NewReader2(b.packed)
	if err != nil {
		return err
	}
	x.block = b
	return nil
}

// unpackedSize returns how many bytes come out of the block whose data begins at the next byte, if all of the block lies
// in the buffer. Small archives thus need no dictionary of megabytes.
func (x *xzReader) unpackedSize() (int64, bool) {
	if x.r.Buffered() == 0 {
		if _, err := x.r.Peek(1); err != nil {
			return 0, false
		}
	}
	data, _ := x.r.Peek(x.r.Buffered())
	var n int64
	for len(data) > 0 {
		// An LZMA2 chunk: 0 ends them; 1 and 2 are stored, with their size in two bytes; from 0x80 they are packed, with
		// 21 bits of unpacked size, 16 of packed, and a byte of properties if bit 6 is set.
		control, skip := data[0], 0
		switch {
		case control == 0:
			return n, true
		case len(data) < 6 || control > 2 && control < 0x80:
			return 0, false
		case control <= 2:
			size := int(binary.BigEndian.Uint16(data[1:])) + 1
			n, skip = n+int64(size), 3+size
		default:
			n += int64(control&0x1f)<<16 + int64(binary.BigEndian.Uint16(data[1:])) + 1
			skip = 5 + int(binary.BigEndian.Uint16(data[3:])) + 1
			if control&0x40 != 0 {
				skip++
			}
		}
		if skip > len(data) {
			return 0, false
		}
		data = data[skip:]
	}
	return 0, false
}

// close checks the block that has come to its end.
func (x *xzReader) close() error {
	b := x.block
	x.block = nil
	packed := b.packed.n
	if b.wantN >= 0 && b.n != b.wantN || b.wantBytes >= 0 && packed != b.wantBytes {
		return format.Malformedf("an xz block is smaller than its header says")
	}
	tail := make([]byte, int(-packed&3)+b.check.Size())
	if _, err := io.ReadFull(x.r, tail); err != nil {
		return cut(err)
	}
	padding, sum := tail[:-packed&3], tail[-packed&3:]
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return format.Malformedf("an xz block has padding that is not zero")
	}
	want := b.check.Sum(nil)
	if x.checkType != checkSHA256 {
		// CRCs are stored with the least byte first.
		for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
			want[i], want[j] = want[j], want[i]
		}
	}
	if !bytes.Equal(sum, want) {
		return format.Malformedf("the archive is damaged: the checksum of an xz block does not agree")
	}
	record := binary.AppendUvarint(nil, uint64(b.header+packed+int64(len(sum))))
	x.blocks.Write(binary.AppendUvarint(record, uint64(b.n)))
	x.count++
	return nil
}

// finish reads the index, whose first byte was read, and the footer. It returns io.EOF if they are right and nothing
// follows, and nil if another stream does.
func (x *xzReader) finish() error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	c := &countingReader{r: io.TeeReader(x.r, sum), n: 1}
	count, err := binary.ReadUvarint(c)
	if err != nil {
		return cut(err)
	}
	if count != x.count {
		return format.Malformedf("the index of the xz stream does not agree with its blocks")
	}
	records := crc32.NewIEEE()
	for range 2 * count {
		v, err := binary.ReadUvarint(c)
		if err != nil {
			return cut(err)
		}
		records.Write(binary.AppendUvarint(nil, v))
	}
	if records.Sum32() != x.blocks.Sum32() {
		return format.Malformedf("the index of the xz stream does not agree with its blocks")
	}
	for c.n%4 != 0 {
		if b, err := c.ReadByte(); err != nil {
			return cut(err)
		} else if b != 0 {
			return format.Malformedf("the xz stream has padding that is not zero")
		}
	}
	indexSize := c.n + 4
	want := sum.Sum32()
	var foot [16]byte
	if _, err := io.ReadFull(x.r, foot[:]); err != nil {
		return cut(err)
	}
	switch {
	case binary.LittleEndian.Uint32(foot[:]) != want,
		binary.LittleEndian.Uint32(foot[4:]) != crc32.ChecksumIEEE(foot[8:14]),
		(int64(binary.LittleEndian.Uint32(foot[8:]))+1)*4 != indexSize,
		[2]byte(foot[12:14]) != x.flags, string(foot[14:]) != "YZ":
		return format.Malformedf("the xz stream has a bad end")
	}
	if _, err := x.r.Peek(1); err != nil {
		return err
	}
	// What dpkg, apt and others make of a second stream differs, unless it is empty: apt-ftparchive ends its files so.
	next, err := newXZReader(x.r, x.maxWindow)
	if err != nil {
		return format.Malformedf("something follows the end of the xz stream")
	}
	*x = *next
	x.second = true
	return nil
}

// The checks of an xz stream, by the numbers that stand for them in its header.
const (
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

// newCheck returns a hash for a kind of check, or nil.
func newCheck(kind byte) hash.Hash {
	switch kind {
	case checkNone:
		return noCheck{}
	case checkCRC32:
		return crc32.NewIEEE()
	case checkCRC64:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case checkSHA256:
		return sha256.New()
	}
	return nil
}

// noCheck is the hash of streams that have none.
type noCheck struct{}

func (noCheck) Write(p []byte) (int, error) { return len(p), nil }
func (noCheck) Sum(b []byte) []byte         { return b }
func (noCheck) Reset()                      {}
func (noCheck) Size() int                   { return 0 }
func (noCheck) BlockSize() int              { return 1 }

// takeSize takes a number off the front of a block header: seven bits a byte, the least first.
func takeSize(b []byte) (int64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<62 {
		return 0, nil, false
	}
	return int64(v), b[n:], true
}

// cut says that a stream ends too early, unless something else went wrong.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// countingReader counts what was read of a reader that is read byte by byte, too.
type countingReader struct {
	r   io.Reader
	n   int64
	one [1]byte
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	_, err := io.ReadFull(c, c.one[:])
	return c.one[0], err
}
