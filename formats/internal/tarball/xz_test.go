package tarball_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"github.com/ulikunitz/xz"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

// patchDictionary writes another size of the dictionary, as the exponent that stands for it, into the first block header
// of a stream, which has no sizes in it.
func patchDictionary(t *testing.T, stream []byte, exponent byte) {
	t.Helper()
	header := stream[12 : 12+(int(stream[12])+1)*4]
	if header[1] != 0 || header[2] != 0x21 {
		t.Fatalf("the block has the header %x", header)
	}
	header[4] = exponent
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
}

func TestEveryChecksumOfXZIsChecked(t *testing.T) {
	for _, config := range []xz.WriterConfig{
		{CheckSum: xz.CRC32}, {CheckSum: xz.CRC64}, {CheckSum: xz.SHA256}, {NoCheckSum: true},
		{CheckSum: xz.CRC64, BlockSize: 700},
	} {
		data := sample(5000)
		var b bytes.Buffer
		w, err := config.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(b.Bytes(), 5000); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%+v: %d bytes, %v", config, len(got), err)
		}
		if config.NoCheckSum {
			continue
		}
		// The index of one block takes 8 bytes and its CRC 4, the footer 12: before them is the checksum.
		if at := b.Len() - 26; config.BlockSize == 0 {
			flipped := b.Bytes()
			flipped[at] ^= 1
			if _, err := unpack(flipped, 5000); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%+v: a flipped bit of the checksum: %v", config, err)
			}
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, c := range compressions {
		f.Add(pack(f, c, sample(3000)))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 1 << 20
		got, err := unpack(packed, limit)
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("a fault of the stream was taken for one of ours: %v", err)
		}
		if len(got) > limit {
			t.Errorf("%d bytes came out", len(got))
		}
		if err != nil || tarball.Sniff(packed) != tarball.XZ {
			return
		}
		// What is taken here means the same to the library's own reader, unless it asks for a dictionary that is too much.
		theirs, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(packed))
		if err != nil || packed[12] > 8 {
			return
		}
		if other, err := io.ReadAll(io.LimitReader(theirs, limit+1)); err == nil && !bytes.Equal(other, got) {
			t.Errorf("read as %d bytes here and as %d there", len(got), len(other))
		}
	})
}
