package listing_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/proxy/listing"
)

// A disk is a house whose blobs are files, as they are in life.
type disk struct {
	*house
	folder string
}

func (d disk) Put(_ context.Context, digest listing.Digest, _ int64, r io.Reader) error {
	f, err := os.Create(filepath.Join(d.folder, fmt.Sprintf("%x", digest)))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (d disk) Open(_ context.Context, digest listing.Digest) (listing.Blob, error) {
	f, err := os.Open(filepath.Join(d.folder, fmt.Sprintf("%x", digest)))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return diskBlob{f, info.Size()}, err
}

type diskBlob struct {
	*os.File
	size int64
}

func (b diskBlob) Size() int64 { return b.size }

// stanza returns an entry of a Debian index of some 800 bytes.
func stanza(r *rand.Rand, n int) string {
	return fmt.Sprintf("Package: package-%d\nVersion: %d.%d.%d-%d\nArchitecture: amd64\n"+
		"Maintainer: Somebody Number %d <s%d@example.org>\nInstalled-Size: %d\n"+
		"Depends: libc6 (>= 2.%d), libpackage-%d (= %d.%d), libother-%d\nSection: utils\nPriority: optional\n"+
		"Homepage: https://example.org/projects/package-%d\nDescription: one of many packages, number %d\n%s"+
		"Filename: pool/main/p/package-%d/package-%d_amd64.deb\nSize: %d\nMD5sum: %016x%016x\nSHA256: %016x%016x%016x%016x\n\n",
		n, n%7, n%11, n%13, n%5, n%1000, n%1000, r.IntN(1<<20), n%40, r.IntN(5000), n%7, n%11, r.IntN(5000), n, n,
		strings.Repeat(" It does what packages of its kind do, and does it well.\n", 4), n, n, r.IntN(1<<24),
		r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
}

// filelist returns an entry of an RPM repository's filelists of some 3.5 KB.
func filelist(r *rand.Rand, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<package pkgid=\"%016x%016x%016x%016x\" name=\"package-%d\" arch=\"x86_64\">\n",
		r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), n)
	for i := range 40 {
		fmt.Fprintf(&b, "  <file>/usr/share/package-%d/data/%x/part-%d-%x.so</file>\n", n, r.Uint32(), i, r.Uint64())
	}
	b.WriteString("</package>\n")
	return b.String()
}

// fill makes a repository of n entries, packed.
func fill(b *testing.B, views []listing.View, n int, entry func(*rand.Rand, int) string) (disk, *listing.State) {
	b.Helper()
	d := disk{newHouse(), b.TempDir()}
	s, r := d.load(b), rand.New(rand.NewPCG(1, 2))
	for at := 0; at < n; at += 5000 {
		c := s.Begin(d, d)
		for i := at; i < min(n, at+5000); i++ {
			for _, v := range views {
				set(b, c, v.Groups[0], fmt.Sprintf("package-%d", i), entry(r, i))
			}
		}
		for _, v := range views {
			closeView(b, c, v)
		}
		s = d.commit(b, c)
	}
	for _, v := range views {
		s = packed(b, d, s, v.Name)
	}
	d.Scan(b.Context(), "x")(func(listing.KeyValue, error) bool { return true }) // sorts the keys
	return d, s
}

func packed(t testing.TB, d disk, s *listing.State, view string) *listing.State {
	t.Helper()
	p, err := s.Pack(t.Context(), d, d, view)
	if err != nil {
		t.Fatal(err)
	}
	if p == nil {
		return s
	}
	c := s.Begin(d, d)
	if ok, err := c.Adopt(t.Context(), p); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return d.commit(t, c)
}

var debian = listing.View{
	Name: "Packages", Groups: []string{"main"}, Encodings: []listing.Encoding{listing.Plain, listing.Gzip},
}

func BenchmarkAppendOne(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d, s := fill(b, []listing.View{debian}, n, stanza)
			r := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			writes, objects := 0, 0
			for i := 0; b.Loop(); i++ {
				c := s.Begin(d, d)
				set(b, c, "main", fmt.Sprintf("new-%d", i), stanza(r, i))
				closed := closeView(b, c, debian)
				next, w := c.Commit()
				s = next
				b.StopTimer()
				for key, value := range w.State {
					writes += len(key) + len(value)
					if value == nil {
						delete(d.state, key)
					} else {
						d.state[key] = value
					}
				}
				for digest, data := range w.Objects {
					objects += len(data)
					d.objects[digest] = data
				}
				if i == 0 {
					b.ReportMetric(float64(len(closed.Files[listing.Gzip].Parts)), "parts")
					b.ReportMetric(float64(len(closed.Files[listing.Gzip].Parts.Encode())), "parts-bytes")
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(writes)/float64(b.N), "records-bytes/op")
			b.ReportMetric(float64(objects)/float64(b.N), "objects-bytes/op")
		})
	}
}

func BenchmarkAppendOneUnderACount(b *testing.B) {
	v := listing.View{
		Name: "filelists", Groups: []string{"filelists"}, Encodings: []listing.Encoding{listing.Gzip},
		Head: func(t listing.Totals) []byte {
			return fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<filelists packages=\"%d\">\n", t.Count)
		},
		Tail: func(listing.Totals) []byte { return []byte("</filelists>\n") },
	}
	d, s := fill(b, []listing.View{v}, 50_000, filelist)
	r := rand.New(rand.NewPCG(3, 4))
	for i := 0; b.Loop(); i++ {
		c := s.Begin(d, d)
		set(b, c, "filelists", fmt.Sprintf("new-%d", i), filelist(r, i))
		f := closeView(b, c, v).Files[listing.Gzip]
		b.ReportMetric(float64(f.Size), "file-bytes")
		s = d.commit(b, c)
	}
}

func BenchmarkRemoveTheOldest(b *testing.B) {
	d, s := fill(b, []listing.View{debian}, 100_000, stanza)
	for i := 0; b.Loop(); i++ {
		c := s.Begin(d, d)
		remove(b, c, "main", fmt.Sprintf("package-%d", i))
		closeView(b, c, debian)
		s = d.commit(b, c)
	}
}

func BenchmarkPackAll(b *testing.B) {
	d, s := fill(b, []listing.View{debian}, 20_000, stanza)
	for b.Loop() {
		c, err := s.Rebuild(b.Context(), d, d)
		if err != nil {
			b.Fatal(err)
		}
		closeView(b, c, debian)
		s = d.commit(b, c)
		s = packed(b, d, s, debian.Name)
	}
}

func TestCompressionLosesLittleAgainstOneStream(t *testing.T) {
	h := newHouse()
	r := rand.New(rand.NewPCG(1, 2))
	c := h.load(t).Begin(h, h)
	var counted counter
	z, err := gzip.NewWriterLevel(&counted, 6)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		s := stanza(r, i)
		io.WriteString(z, s)
		set(t, c, "main", fmt.Sprint(i), s)
	}
	z.Close()
	closed := closeView(t, c, debian)
	if got, limit := closed.Files[listing.Gzip].Size, int64(counted)*110/100; got > limit {
		t.Errorf("%d bytes, and one stream has %d", got, int64(counted))
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
