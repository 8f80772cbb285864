package formattest

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func brokenSeals() []broken {
	return []broken{
		{"it changes the keys", "calls do not disturb each other", "changes the keys", tiny{
			seal: func(_ format.Op, _ format.Blob, keys format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				slices.Reverse(keys)
				return s, err
			},
		}},
		{"it signs a package as an index", "sealing what is sealed changes nothing", `of purpose "index"`, tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Purpose = scheme.Index
				return s, err
			},
		}},
		{"it asks for a scheme that it has no keys for", "sealing what is sealed changes nothing", "names no such key", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Scheme = scheme.RSASHA256
				return s, err
			},
		}},
		{"it signs bytes that are not there", "sealing what is sealed changes nothing", "signs", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Message[0].Size += 1 << 40
				return s, err
			},
		}},
		{"its patches overlap", "sealing what is sealed changes nothing", "a patch of", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				splice := s.Splice
				s.Splice = func(sigs []format.Signature) ([]format.Patch, error) {
					patches, err := splice(sigs)
					return append(patches, format.Patch{Section: format.Section{Offset: 0, Size: 1}}), err
				}
				return s, err
			},
		}},
		{"it seals nothing but says so", "sealing what is sealed changes nothing", "has no path and no Splice", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Splice = nil
				return s, err
			},
		}},
		{"it has marks for what it leaves as it is", "sealing what is sealed changes nothing", "splices nothing", tiny{
			seal: func(op format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Path, s.Splice, s.Marks = path.Join(op.Dir, op.Name)+".sig", nil, map[string]string{"author": "x"}
				return s, err
			},
		}},
		{"it signs less than the package", "a package's own signature holds", "does not verify", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Message[0].Size--
				return s, err
			},
		}},
		{"it has all keys sign what clients refuse unless they know all", "a package's own signature holds", "with the key sets [0]", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Single = false
				return s, err
			},
		}},
		{"it leaves out the newer key's signature", "a package's own signature holds", "with the key sets [1]", tiny{
			seal: func(_ format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Single = false
				splice := s.Splice
				s.Splice = func(sigs []format.Signature) ([]format.Patch, error) {
					var first bytes.Buffer
					p, err := packet.NewOpaqueReader(bytes.NewReader(sigs[0].Value)).Next()
					if err == nil {
						err = p.Serialize(&first)
					}
					sigs[0].Value = first.Bytes()
					patches, errSplice := splice(sigs)
					return patches, errors.Join(err, errSplice)
				}
				return s, err
			},
		}},
		{"it seals once more what is sealed", "sealing what is sealed changes nothing", "changes when it comes back", tiny{
			seal: func(_ format.Op, b format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				s.Seals[0].Message[0].Size = b.Size()
				return s, err
			},
		}},
		{"it signs whatever is uploaded with the key of the index", "no signature is taken for an index's", "for an index", tiny{
			parse: func(op format.Op, b format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
				if err == nil {
					return p, nil
				}
				name, version, _ := strings.Cut(strings.TrimSuffix(op.Name, ".tiny"), "_")
				return format.Package{Path: path.Join(op.Dir, op.Name), Name: name, Version: version, Shard: op.Dir}, nil
			},
			seal: func(op format.Op, _ format.Blob, _ format.Keys, s format.Sealing, err error) (format.Sealing, error) {
				if err == nil {
					return s, nil
				}
				return format.Sealing{Seals: []format.Seal{{Name: "asc", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Package,
					Path: path.Join(op.Dir, op.Name) + ".sig"}}}, nil
			},
		}},
	}
}
