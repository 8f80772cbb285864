package listing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Levels of compression. What is open is compressed again by every change, while everybody waits: for the stanzas of a
// Debian archive level 1 takes half as long as level 6, and makes some kilobytes at the end of a file larger by a tenth.
// What is closed is compressed once for a long time: level 8 takes twice as long as level 6 and saves 2.5 %. Level 9 saves
// another 0.5 %, and takes four times as long as level 8 for file lists of RPM packages.
const (
	openLevel   = 1
	closedLevel = 8
)

// gzipHeader is a member's header (RFC 1952, section 2.3): deflate, no flags, no time, no extra flags, OS unknown.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// lastBlock ends a deflate stream (RFC 1951, section 3.2.6): the last block, with fixed codes and nothing in it.
const lastBlock = "\x03\x00"

// A deflater makes pieces of a deflate stream. It may be used concurrently.
type deflater struct{ writers [closedLevel + 1]sync.Pool }

// piece compresses data into blocks that refer to nothing before them, none of which is the last, and that end on a
// byte's boundary by a sync flush.
func (d *deflater) piece(data []byte, level int) ([]byte, error) {
	var out bytes.Buffer
	w, ok := d.writers[level].Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		var err error
		if w, err = flate.NewWriter(&out, level); err != nil {
			return nil, fmt.Errorf("deflate: %w", err)
		}
	}
	out.Grow(len(data)/3 + 64)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	d.writers[level].Put(w)
	return out.Bytes(), nil
}

// lead returns what stands before the body: the member's header and the head.
func (d *deflater) lead(head []byte) ([]byte, error) {
	if len(head) == 0 {
		return []byte(gzipHeader), nil
	}
	p, err := d.piece(head, openLevel)
	if err != nil {
		return nil, err
	}
	return append([]byte(gzipHeader), p...), nil
}

// trail returns what stands after the body: the tail, the last block, the CRC-32 of all and its size modulo 2³².
func (d *deflater) trail(tail []byte, crc uint32, size int64) ([]byte, error) {
	var b []byte
	if len(tail) > 0 {
		var err error
		if b, err = d.piece(tail, openLevel); err != nil {
			return nil, err
		}
	}
	b = append(b, lastBlock...)
	b = binary.LittleEndian.AppendUint32(b, crc)
	return binary.LittleEndian.AppendUint32(b, uint32(size)), nil
}

// joinCRC returns the CRC-32 of two pieces, one after the other, of which the second has the given size.
//
// A CRC-32 without its inversions is the remainder of the message times x³² modulo a polynomial over GF(2), and the
// inversions cancel out; so the first is multiplied by x to the power of the second's bits, and the second is added.
func joinCRC(first, second uint32, size int64) uint32 {
	for k := 0; size > 0; k, size = k+1, size>>1 {
		if size&1 == 1 {
			first = multiply(powers[k], first)
		}
	}
	return first ^ second
}

// powers has x to the power of 8·2ᵏ at k. Bit 31 of a polynomial is the coefficient of 1, bit 0 that of x³¹.
var powers = func() (p [64]uint32) {
	p[0] = 1 << (31 - 8)
	for k := 1; k < len(p); k++ {
		p[k] = multiply(p[k-1], p[k-1])
	}
	return p
}()

// multiply returns the product of two polynomials modulo that of the CRC.
func multiply(a, b uint32) uint32 {
	var product uint32
	for ; a != 0; a <<= 1 {
		if a>>31 == 1 {
			product ^= b
		}
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return product
}
