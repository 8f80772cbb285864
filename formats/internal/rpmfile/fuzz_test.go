package rpmfile_test

import (
	"bytes"
	"errors"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
)

func FuzzRead(f *testing.F) {
	signed := hello()
	signed.MD5, signed.Reserve = true, 100
	signed.Signature = []rpmfiletest.Entry{rpmfiletest.Bytes(rpmfile.SigRSA, pgp(70))}
	for _, data := range [][]byte{hello().Bytes(), signed.Bytes(), nil, make([]byte, 200)} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := rpmfile.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		for _, err := range []error{file.CheckHeader(), file.CheckPayload(bytes.NewReader(data)), second(file.Signed())} {
			if err != nil && !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
		}
		for tag := range rpmfile.Tag(6000) {
			_, _ = file.Header.String(tag)
			_, _ = file.Header.Strings(tag)
			_, _ = file.Header.Bytes(tag)
			if numbers, err := file.Header.Numbers(tag); err == nil {
				for i := range numbers.Len() {
					numbers.At(i)
				}
			}
		}
		// Whatever was there, what we write is read again, and all behind it is as it was.
		value := pgp(70)
		out := resigned(file, data, map[rpmfile.Tag][]byte{rpmfile.SigRSA: value})
		again, err := rpmfile.Read(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatalf("after signing: %v", err)
		}
		if got, err := again.Signature.Bytes(rpmfile.SigRSA); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("after signing, the signature is %x, %v", got, err)
		}
		if !bytes.Equal(out[again.HeaderOffset:], data[file.HeaderOffset:]) {
			t.Fatal("signing changes more than the signature header")
		}
	})
}
