package listing

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Kinds of records: the first byte of each. A change of a record's form takes a new number.
const (
	partsRecord    = 1
	countersRecord = 2
	groupRecord    = 3
	segmentRecord  = 4
	viewRecord     = 5
	packRecord     = 6
)

// A recordWriter writes one record: its kind, numbers as in encoding/binary's Uvarint, bytes, and a CRC-32 of all that.
// The checksum is there since a saved hash state that lost a bit would otherwise become a wrong signature.
type recordWriter struct{ data []byte }

func newRecord(kind byte) *recordWriter { return &recordWriter{data: []byte{kind}} }

func (w *recordWriter) uint(n uint64)   { w.data = binary.AppendUvarint(w.data, n) }
func (w *recordWriter) digest(d Digest) { w.data = append(w.data, d[:]...) }
func (w *recordWriter) bytes(b []byte) {
	w.uint(uint64(len(b)))
	w.data = append(w.data, b...)
}

func (w *recordWriter) finish() []byte {
	return binary.LittleEndian.AppendUint32(w.data, crc32.ChecksumIEEE(w.data))
}

// A recordReader reads what a recordWriter wrote. After the first error it returns zeros.
type recordReader struct {
	data []byte // the rest
	err  error
}

func readRecord(kind byte, data []byte) *recordReader {
	r := &recordReader{}
	end := len(data) - crc32.Size
	switch {
	case end < 1:
		r.fail("it has %d bytes", len(data))
	case crc32.ChecksumIEEE(data[:end]) != binary.LittleEndian.Uint32(data[end:]):
		r.fail("its checksum is wrong")
	case data[0] != kind:
		r.fail("it is of kind %d, not %d", data[0], kind)
	default:
		r.data = data[1:end]
	}
	return r
}

func (r *recordReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
		r.data = nil
	}
}

func (r *recordReader) uint() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.fail("a number is cut off")
		return 0
	}
	r.data = r.data[size:]
	return n
}

// size reads a number of bytes or the like.
func (r *recordReader) size() int64 {
	n := r.uint()
	if n > math.MaxInt64 {
		r.fail("a size is beyond all bounds")
		return 0
	}
	return int64(n)
}

// int reads a number that counts things that are in memory.
func (r *recordReader) int() int {
	n := r.uint()
	if n > math.MaxInt32 {
		r.fail("a count is beyond all bounds")
		return 0
	}
	return int(n)
}

// count reads how many things follow, each of at least so many bytes.
func (r *recordReader) count(each int) int {
	n := r.uint()
	if n > uint64(len(r.data)/each) {
		r.fail("it has %d bytes for %d things", len(r.data), n)
		return 0
	}
	return int(n)
}

func (r *recordReader) digest() (d Digest) {
	if len(r.data) < len(d) {
		r.fail("a digest is cut off")
		return d
	}
	copy(d[:], r.data)
	r.data = r.data[len(d):]
	return d
}

func (r *recordReader) bytes() []byte {
	n := r.count(1)
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// finish returns the first error. Anything left over is one.
func (r *recordReader) finish() error {
	if r.err == nil && len(r.data) > 0 {
		r.fail("%d bytes follow", len(r.data))
	}
	return r.err
}
