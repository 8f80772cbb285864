package main

import (
	"archive/tar"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
)

// An entry is a file of an archive.
type entry struct {
	name string
	data []byte
}

// tarred returns a tar archive, with its end or without.
func tarred(end bool, files ...entry) []byte {
	var b bytes.Buffer // takes everything, so that nothing here can fail
	w := tar.NewWriter(&b)
	for _, f := range files {
		w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644})
		w.Write(f.data)
	}
	w.Flush()
	if end {
		w.Close()
	}
	return b.Bytes()
}

// gzipped returns data as one gzip member.
func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// tarAround returns what stands before and after the content of the only file of a tar archive.
func tarAround(name string, size int64) (head, tail []byte) {
	var b bytes.Buffer
	tar.NewWriter(&b).WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644})
	return b.Bytes(), make([]byte, -size&511+1024)
}

// noise returns content that nothing makes smaller, the same each time.
func noise(size int64) io.Reader { return blob{size: size}.open() }
