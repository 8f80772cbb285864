package publish_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/proxy/publish"
)

// deb builds a package with metadata of a usual size.
func deb(name, version string) []byte {
	pack := func(file, content string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR})
		w.Write([]byte(content))
		w.Close()
		z.Close()
		return b.Bytes()
	}
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: A <a@example.com>\nInstalled-Size: 277\n"+
		"Depends: libc6 (>= 2.34), libgcc-s1 (>= 3.0), libstdc++6 (>= 5.2)\nSection: devel\nPriority: optional\nHomepage: https://example.com/\n"+
		"Description: a package of a usual size\n", name, version)
	for i := range 8 {
		control += fmt.Sprintf(" Line %d of what %s is for, which is long enough to be read by somebody.\n", i, name)
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", pack("./control", control)}, {"data.tar.gz", pack("./usr/share/doc/"+name, name)}} {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.data))
		b.Write(m.data)
		if len(m.data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// BenchmarkUpload uploads Debian packages from eight clients, without HTTP. On a machine that others use, what it says of
// the processors' time tells more than what it says of the clock.
func BenchmarkUpload(b *testing.B) {
	f, err := debian.New(debian.Defaults())
	if err != nil {
		b.Fatal(err)
	}
	h := newHouse(b, f)
	op, err := h.repo.Route(format.Request{Method: "PUT", Path: "stable/main/"})
	if err != nil {
		b.Fatal(err)
	}
	packages := make([][]byte, b.N)
	for i := range packages {
		packages[i] = deb(fmt.Sprintf("demo%d", i), "1.0-1")
	}
	var n atomic.Int64
	b.SetParallelism(4) // times GOMAXPROCS
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := bytes.NewReader(packages[n.Add(1)-1])
			if _, err := h.repo.Upload(context.Background(), op, publish.Upload{Body: body, Limit: 1 << 20}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((processorTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packages/s")
	b.ReportMetric(float64(b.N)/float64(h.generation()), "packages/generation")
}

// processorTime returns how much time of processors this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
