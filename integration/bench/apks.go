package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

var apkGoods = goods{format: "alpine", title: "Alpine", onlyRSA: true, make: makeAPK, large: largeAPK}

// makeAPK returns a package, apk-v2(5), that nobody has signed.
func makeAPK(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d-r%d", number%97, release)}
	p.file = p.name + "-" + p.version + ".apk"
	data := gzipped(tarred(true, entry{"usr/share/" + p.name, []byte(p.file)}))
	p.data = append(apkControl(p, number, release, sha256.Sum256(data)), data...)
	return p
}

// largeAPK returns a package whose data is packed without being made smaller.
func largeAPK(size int64) (file string, content io.Reader, length int64) {
	p := pkg{name: "bench-large", version: "1.0-r0"}
	open := func() io.Reader {
		out, in := io.Pipe()
		go func() {
			head, tail := tarAround("usr/share/noise", size)
			w, _ := gzip.NewWriterLevel(in, gzip.NoCompression)
			io.Copy(w, io.MultiReader(bytes.NewReader(head), noise(size), bytes.NewReader(tail)))
			in.CloseWithError(w.Close())
		}()
		return out
	}
	h := sha256.New()
	length, _ = io.Copy(h, open()) // neither end can fail
	control := apkControl(p, 0, 0, [32]byte(h.Sum(nil)))
	return p.name + "-" + p.version + ".apk", io.MultiReader(bytes.NewReader(control), open()), int64(len(control)) + length
}

// apkControl returns the member before the data, whose lines in the index come to some 500 bytes.
func apkControl(p pkg, number, release int, data [32]byte) []byte {
	r := chance(number, release)
	var info strings.Builder
	fmt.Fprintf(&info, "# Generated\npkgname = %s\npkgver = %s\npkgdesc = %s\nurl = https://www.example.org/%s\nbuilddate = %d\n",
		p.name, p.version, text(r, 9, " "), p.name, 1_700_000_000+number)
	fmt.Fprintf(&info, "packager = The Bench Team <bench@example.org>\nsize = %d\narch = x86_64\norigin = %s\ncommit = %016x%016x%08x\n",
		r.IntN(1_000_000), p.name, r.Uint64(), r.Uint64(), r.Uint32())
	info.WriteString("maintainer = The Bench Team <bench@example.org>\nlicense = MIT\n")
	for range 5 {
		info.WriteString("depend = so:lib" + text(r, 1, "") + ".so." + strconv.Itoa(r.IntN(9)) + "\n")
	}
	fmt.Fprintf(&info, "provides = cmd:%s=%s\ndatahash = %x\n", p.name, p.version, data)
	return gzipped(tarred(false, entry{".PKGINFO", []byte(info.String())}))
}
