package rpm

import (
	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
	"hallmark/signing/scheme"
)

// The names of the seals of a package.
const (
	headerSeal = "header"
	wholeSeal  = "header and payload"
)

// Seal asks for a signature over the main header, which holds the digest of the payload, and puts it into the signature
// header (rpm's docs/manual/format_v4.md). A package from before rpm 4.14, whose header has no such digest, gets one over
// header and payload besides, without which rpm refuses it. The setting sign_packages says which packages are signed.
//
// Either message begins with the bytes 8e ad e8 01, so that its signature is worthless for any index or other text.
func (f *Format) Seal(_ format.Op, b format.Blob, _ format.Keys) (format.Sealing, error) {
	if f.settings.SignPackages == never {
		return format.Sealing{}, nil
	}
	file, err := rpmfile.Read(b, b.Size())
	if err != nil {
		return format.Sealing{}, err
	}
	signed, err := file.Signed()
	if err != nil || signed && f.settings.SignPackages == unsigned {
		return format.Sealing{}, err
	}
	seals := []format.Seal{wish(headerSeal, file.HeaderOffset, file.PayloadOffset)}
	if !file.Header.Has(rpmfile.PayloadDigest) {
		seals = append(seals, wish(wholeSeal, file.HeaderOffset, file.Size))
	}
	return format.Sealing{
		Seals: seals,
		Splice: func(sigs []format.Signature) ([]format.Patch, error) {
			values := map[rpmfile.Tag][]byte{}
			for _, seal := range seals {
				tag, value, err := place(seal.Name, sigs)
				if err != nil {
					return nil, err
				}
				values[tag] = value
			}
			return []format.Patch{{Section: file.Span(), Data: file.Resign(values)}}, nil
		},
	}, nil
}

func wish(name string, from, to int64) format.Seal {
	return format.Seal{
		Name:    name,
		Scheme:  scheme.OpenPGPBinary,
		Purpose: scheme.Package,
		Message: []format.Section{{Offset: from, Size: to - from}},
	}
}

// place returns the signature of a seal that goes into the package, and the tag under which it stands there.
//
// rpm 4 takes one signature packet under a tag, and refuses a package with two signatures unless it has both keys. So
// the newest key signs alone, which is the last. A client that has only the older one takes the newest from where its
// configuration says (gpgkey=); the index is signed by both.
func place(seal string, sigs []format.Signature) (rpmfile.Tag, []byte, error) {
	var newest packet
	for _, sig := range sigs {
		if sig.Seal != seal {
			continue
		}
		packets, err := split(sig.Value)
		if err != nil {
			return 0, nil, err
		}
		if len(packets) > 0 {
			newest = packets[len(packets)-1]
		}
	}
	if newest.raw == nil {
		return 0, nil, format.Malformedf("there is no signature of the package's %s", seal)
	}
	tags := map[bool]rpmfile.Tag{true: rpmfile.SigRSA, false: rpmfile.SigDSA}
	if seal == wholeSeal {
		tags = map[bool]rpmfile.Tag{true: rpmfile.SigPGP, false: rpmfile.SigGPG}
	}
	return tags[newest.isRSA()], newest.raw, nil
}
