package tarball_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

var compressions = []tarball.Compression{tarball.None, tarball.Gzip, tarball.XZ, tarball.Zstd}

func pack(t testing.TB, c tarball.Compression, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch c {
	case tarball.None:
		return data
	case tarball.Gzip:
		w = gzip.NewWriter(&b)
	case tarball.XZ:
		w, err = xz.WriterConfig{DictCap: 8 << 20}.NewWriter(&b)
	case tarball.Zstd:
		w, err = zstd.NewWriter(&b)
	}
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

func unpack(packed []byte, limit int64) ([]byte, error) {
	r, err := tarball.Decompress(bytes.NewReader(packed), limit)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// sample is text that packs neither well nor badly.
func sample(size int) []byte {
	var b bytes.Buffer
	for i := uint32(1); b.Len() < size; i = i*1664525 + 1013904223 {
		b.WriteString(strings.Repeat(string(rune('a'+i>>24%26)), int(i>>16%7)))
		b.WriteByte(byte(i >> 20))
	}
	return b.Bytes()[:size]
}

func TestWhatWasPackedComesOutAgain(t *testing.T) {
	for _, c := range compressions {
		for _, size := range []int{0, 1, 1000, 70_000, 300_000} {
			data := sample(size)
			packed := pack(t, c, data)
			got, err := unpack(packed, int64(size))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%q, %d bytes: %d bytes, %v", c, size, len(got), err)
			}
			r, err := tarball.Decompress(iotest.OneByteReader(bytes.NewReader(packed)), int64(size))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(iotest.HalfReader(r)); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%q, %d bytes, byte by byte: %d bytes, %v", c, size, len(got), err)
			}
			r.Close()
		}
	}
}

func TestMoreThanTheLimitIsMalformed(t *testing.T) {
	for _, c := range compressions {
		for _, size := range []int{1, 1001, 100_000} {
			got, err := unpack(pack(t, c, sample(size)), int64(size)-1)
			if !errors.Is(err, format.ErrMalformed) || len(got) >= size {
				t.Errorf("%q: %d bytes of %d, %v", c, len(got), size, err)
			}
		}
	}
}

func TestBombsAreMalformed(t *testing.T) {
	zeros := make([]byte, 18<<20)
	for _, c := range []tarball.Compression{tarball.XZ, tarball.Zstd} {
		packed := pack(t, c, zeros)
		if got, err := unpack(packed, 1<<40); !errors.Is(err, format.ErrMalformed) || len(got) > 32<<20 {
			t.Errorf("%q: %d bytes of %d, %v", c, len(got), len(packed), err)
		}
	}
	if got, err := unpack(zeros, 1<<40); err != nil || len(got) != len(zeros) {
		t.Errorf("what is not packed is no bomb: %v", err)
	}
}

func TestCutOffStreamsAreMalformed(t *testing.T) {
	for _, c := range compressions[1:] {
		packed := pack(t, c, sample(2000))
		for n := 14; n < len(packed); n += 7 {
			if _, err := unpack(packed[:n], 1<<20); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%q: %d of %d bytes: %v", c, n, len(packed), err)
			}
		}
	}
}

func TestFlippedBitsNeverComeOutAsOtherBytes(t *testing.T) {
	for _, c := range []tarball.Compression{tarball.Gzip, tarball.XZ, tarball.Zstd} {
		data := sample(2000)
		packed := pack(t, c, data)
		for i := 6; i < len(packed); i += 3 {
			flipped := bytes.Clone(packed)
			flipped[i] ^= 0x10
			if got, err := unpack(flipped, 1<<20); err == nil && !bytes.Equal(got, data) {
				t.Errorf("%q: byte %d: other bytes and no error", c, i)
			} else if err != nil && !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%q: byte %d: %v", c, i, err)
			}
		}
	}
}

func TestWhatFollowsAStreamIsMalformed(t *testing.T) {
	for _, c := range compressions[1:] {
		packed := append(pack(t, c, sample(2000)), "more"...)
		if _, err := unpack(packed, 1<<20); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%q: %v", c, err)
		}
	}
	twice := pack(t, tarball.XZ, sample(2000))
	if _, err := unpack(append(twice, twice...), 1<<20); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a second xz stream, which some readers ignore: %v", err)
	}
}

func TestFailureOfTheSourceIsNotTheClients(t *testing.T) {
	gone := errors.New("disk gone")
	for _, c := range compressions {
		packed := pack(t, c, sample(200_000))
		r, err := tarball.Decompress(io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(gone)), 1<<20)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, gone) || errors.Is(err, format.ErrMalformed) {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestSniffKnowsWhatItCannotUnpack(t *testing.T) {
	for head, want := range map[string]tarball.Compression{
		"BZh91AY&SYabcd": tarball.Bzip2,
		"\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00": tarball.LZMA,
		"./": tarball.None,
		"":   tarball.None,
	} {
		if got := tarball.Sniff([]byte(head)); got != want {
			t.Errorf("%q is %q", head, got)
		}
		if want == tarball.None {
			continue
		}
		if _, err := tarball.Decompress(strings.NewReader(head), 100); !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), string(want)) {
			t.Errorf("%q: %v", head, err)
		}
	}
}

// The header asks for a dictionary of 4 GiB: nothing of that kind is allocated for a stream of a few bytes.
func TestHugeDictionaryIsNotAllocated(t *testing.T) {
	packed := pack(t, tarball.XZ, sample(2000))
	patchDictionary(t, packed, 40)
	perRun := testing.AllocsPerRun(1, func() {
		if got, err := unpack(packed, 1<<30); err != nil || len(got) != 2000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	bytesPerRun := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = unpack(packed, 1<<30)
		}
	}).AllocedBytesPerOp()
	if bytesPerRun > 1<<20 {
		t.Errorf("%d bytes in %v allocations", bytesPerRun, perRun)
	}
}

func BenchmarkDecompress(b *testing.B) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range []string{"./control", "./md5sums", "./postinst"} {
		data := sample(900)
		_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644})
		_, _ = w.Write(data)
	}
	_ = w.Close()
	for _, c := range compressions {
		packed := pack(b, c, append(archive.Bytes(), make([]byte, 10240-archive.Len())...))
		b.Run("of "+string(c), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := unpack(packed, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
