package signing

import (
	"strings"
	"testing"

	"hallmark/signing/scheme"
)

func BenchmarkSign(b *testing.B) {
	for _, kind := range []string{"ed25519", "p256", "p384", "rsa3072"} {
		r := newRing(b, pgpKey(b, scheme.File, kind))
		m, err := ReadHashed(strings.NewReader("file"), r.Hashes(scheme.File)...)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("openpgp-armored/"+kind, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Sign(scheme.File, scheme.OpenPGPArmored, m, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	r := newRing(b, bareKey(b, scheme.File, "p256"))
	b.Run("blob-bundle/p256", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Sign(scheme.File, scheme.BlobBundle, Bytes("file"), noon); err != nil {
				b.Fatal(err)
			}
		}
	})
}
