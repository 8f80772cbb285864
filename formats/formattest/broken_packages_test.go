package formattest

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"

	"hallmark/formats/format"
)

func brokenPackages() []broken {
	var shared [64]byte // a state that no format may have
	return []broken{
		{"its results share memory", "calls do not disturb each other", "changes when other packages are read", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				p.Entries[0].Data = shared[:copy(shared[:], p.Name+p.Arch)]
				return p, err
			},
		}},
		{"its error has a line break of the client's", "bad bytes are refused in bounded memory", "not one sentence", tiny{
			parse: func(_ format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err != nil {
					head := make([]byte, 64)
					n, _ := b.ReadAt(head, 0)
					return p, format.Malformedf("this is no package: %s", head[:n])
				}
				return p, nil
			},
		}},
		{"it lists a wrong digest", "a client follows the index with either key", "not the one that was signed", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil && p.Name == "pkgb" {
					p.Entries[0].Data = fmt.Appendf(nil, "%s %d %x\n", op.Name, b.Size(), sha256.Sum256(nil))
				}
				return p, err
			},
		}},
		{"it lists the digest of what is not sealed yet", "a client follows the index with either key", "not the one that was signed", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil {
					_, _, _, end, _ := readTiny(b)
					unsealed := make([]byte, end)
					_, _ = b.ReadAt(unsealed, 0)
					p.Entries[0].Data = fmt.Appendf(nil, "%s %d %x\n", op.Name, end, sha256.Sum256(unsealed))
				}
				return p, err
			},
		}},
		{"it lists some packages only", "a client follows the index with either key", "is missing", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if p.Name == "pkgd" {
					p.Entries = nil
				}
				return p, err
			},
		}},
		{"its packages are another when they are sealed", "sealing what is sealed changes nothing", "changes the identity", tiny{
			parse: func(_ format.Op, _ format.Blob, sigs []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil && sigs != nil {
					p.Version += ".signed"
				}
				return p, err
			},
		}},
		{"it cannot read what it has sealed", "sealing what is sealed changes nothing", "does not parse any more", tiny{
			parse: func(_ format.Op, b format.Blob, sigs []format.Signature, p format.Package, err error) (format.Package, error) {
				if _, _, _, end, _ := readTiny(b); end < b.Size() {
					return p, format.Malformedf("there is something behind the package")
				}
				return p, err
			},
		}},
		{"it takes what is cut off", "bad bytes are refused in bounded memory", "Parse takes the first", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err != nil && b.Size() > 20 {
					return format.Package{Path: "one/x", Name: "x"}, nil
				}
				return p, err
			},
			seal: func(format.Op, format.Blob, format.Keys, format.Sealing, error) (format.Sealing, error) {
				return format.Sealing{}, nil
			},
		}},
		{"it panics on what is cut off", "bad bytes are refused in bounded memory", "Parse panics", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if b.Size() < 4 {
					var head []byte
					_ = head[b.Size()]
				}
				return p, err
			},
		}},
		{"it believes a length", "bad bytes are refused in bounded memory", "allocates", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err != nil {
					p.Entries = []format.Entry{{Data: make([]byte, 100<<20)}}
				}
				return p, err
			},
		}},
		{"it reads too often", "bad bytes are refused in bounded memory", "reads", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				all := make([]byte, b.Size())
				for range 2_000_000 / max(1, b.Size()) {
					_, _ = b.ReadAt(all, 0)
				}
				return p, err
			},
		}},
		{"it says something else than malformed", "bad bytes are refused in bounded memory", "none of the contract's", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err != nil {
					return p, errors.New("unexpected EOF")
				}
				return p, nil
			},
		}},
		{"it has two entries in one group", "a package is taken, served and removed", "two entries", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				p.Entries = append(p.Entries, p.Entries...)
				return p, err
			},
		}},
		{"it is a variant of nothing", "a package is taken, served and removed", "of no slot", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				p.Slot = ""
				return p, err
			},
		}},
		{"its variant is another when it is sealed", "sealing what is sealed changes nothing", "changes the identity", tiny{
			parse: func(_ format.Op, _ format.Blob, sigs []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil && sigs != nil {
					p.Variant = ""
				}
				return p, err
			},
		}},
		{"its path is not clean", "a package is taken, served and removed", "is not clean", tiny{
			parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				p.Path = "/" + p.Path
				return p, err
			},
		}},
		{"it wants a digest that it did not ask for", "a package is taken, served and removed", "Spec.Digests", tiny{
			parse: func(_ format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				p.Entries[0].Data = b.Digest(crypto.SHA512)
				return p, err
			},
		}},
	}
}
