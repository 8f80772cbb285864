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

// packed returns data as one stream.
func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStreamsBehindAnotherAreEmpty(t *testing.T) {
	data := sample(5000)
	first := packed(t, data)
	empty := []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x00\x00\x00\x00\x1c\xdfD!\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ") // by xz
	for what, c := range map[string]struct {
		follows []byte
		good    bool
	}{
		"nothing":                         {nil, true},
		"an empty stream":                 {empty, true},
		"a hundred thousand of them":      {bytes.Repeat(empty, 100_000), true},
		"another stream":                  {packed(t, data), false},
		"another behind an empty one":     {append(bytes.Clone(empty), packed(t, data)...), false},
		"an empty one that is cut off":    {empty[:20], false},
		"an empty one with a bit flipped": {append(append(bytes.Clone(empty[:14]), 1), empty[15:]...), false},
		"zeros":                           {make([]byte, 4), false},
		"text":                            {[]byte("Package: more\n"), false},
	} {
		got, err := unpack(append(bytes.Clone(first), c.follows...), 5000)
		if c.good && (err != nil || !bytes.Equal(got, data)) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		if !c.good && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
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
