package rpmfile_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
)

// resigned returns a package with another signature header.
func resigned(f *rpmfile.File, data []byte, values map[rpmfile.Tag][]byte) []byte {
	span := f.Span()
	return slices.Concat(data[:span.Offset], f.Resign(values), data[span.Offset+span.Size:])
}

// pgp returns what begins as a signature.
func pgp(size int) []byte { return append([]byte{0x89, 0x02}, bytes.Repeat([]byte{7}, size-2)...) }

func TestResign(t *testing.T) {
	signed := hello()
	signed.Signature = []rpmfiletest.Entry{
		rpmfiletest.Bytes(rpmfile.SigDSA, pgp(70)), rpmfiletest.Bytes(rpmfile.SigRSA, pgp(300)),
		rpmfiletest.Bytes(rpmfile.SigPGP, pgp(300)), rpmfiletest.Bytes(rpmfile.SigGPG, pgp(70)),
		rpmfiletest.Texts(rpmfile.SigOpenPGP, "aGVsbG8=", "d29ybGQ="), rpmfiletest.Text(60_000, "unknown"),
	}
	roomy, tight := hello(), hello()
	roomy.MD5, roomy.Reserve = true, 4128
	tight.Reserve = 8
	for name, p := range map[string]rpmfiletest.Package{
		"a package without a signature": hello(), "one with signatures of all kinds": signed, "one with room": roomy, "one with too little room": tight,
	} {
		t.Run(name, func(t *testing.T) {
			data := p.Bytes()
			f, err := open(data)
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range [][]byte{pgp(71), pgp(287), pgp(4100)} {
				out := resigned(f, data, map[rpmfile.Tag][]byte{rpmfile.SigRSA: value})
				again, err := open(out)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := again.Signature.Bytes(rpmfile.SigRSA); !bytes.Equal(got, value) || err != nil {
					t.Errorf("the signature is %x, %v", got, err)
				}
				for _, tag := range []rpmfile.Tag{rpmfile.SigDSA, rpmfile.SigPGP, rpmfile.SigGPG, rpmfile.SigOpenPGP} {
					if again.Signature.Has(tag) {
						t.Errorf("an old signature (%d) is still there", tag)
					}
				}
				for _, tag := range []rpmfile.Tag{rpmfile.SigSHA256, rpmfile.SigSHA1, rpmfile.SigSize, rpmfile.SigMD5, 60_000} {
					if again.Signature.Has(tag) != f.Signature.Has(tag) {
						t.Errorf("tag %d is lost", tag)
					}
				}
				if name == "one with room" && len(value) < 4000 && len(out) != len(data) {
					t.Errorf("the size is %d, and was %d", len(out), len(data))
				}
				if !bytes.Equal(out[again.HeaderOffset:], data[f.HeaderOffset:]) {
					t.Error("what follows the signature header is changed")
				}
			}
		})
	}
}

func TestSignedFindsSignatures(t *testing.T) {
	for _, tag := range []rpmfile.Tag{rpmfile.SigDSA, rpmfile.SigRSA, rpmfile.SigPGP, rpmfile.SigGPG, rpmfile.SigPGP5} {
		p := hello()
		p.Signature = []rpmfiletest.Entry{rpmfiletest.Bytes(tag, pgp(70))}
		f, err := open(p.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if signed, err := f.Signed(); !signed || err != nil {
			t.Errorf("with tag %d: %t, %v", tag, signed, err)
		}
		for _, junk := range [][]byte{[]byte("sixteen bytes of"), {0x89}, append([]byte{0x99}, pgp(70)...)} {
			p.Signature = []rpmfiletest.Entry{rpmfiletest.Bytes(tag, junk)}
			if f, err = open(p.Bytes()); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Signed(); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%q in tag %d is taken for a signature: %v", junk, tag, err)
			}
		}
	}
	f, err := open(hello().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if signed, err := f.Signed(); signed || err != nil {
		t.Errorf("a package without a signature: %t, %v", signed, err)
	}
}
