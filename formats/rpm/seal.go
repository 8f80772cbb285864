package rpm

import (
	"fmt"
	"slices"

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
// rpm 4 takes one signature packet under a tag, and refuses a package with two signatures unless it has both keys. So one
// key signs alone, the oldest: a client that was set up with it goes on, and one that is set up later has both.
//
// Either message begins with the bytes 8e ad e8 01, so that its signature is worthless for any index or other text.
func (f *Format) Seal(_ format.Site, _ format.Op, b format.Blob) (format.Sealing, error) {
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
		Single:  true,
	}
}

// place returns the signature of a seal, which goes into the package, and the tag under which it stands there.
func place(seal string, sigs []format.Signature) (rpmfile.Tag, []byte, error) {
	i := slices.IndexFunc(sigs, func(s format.Signature) bool { return s.Seal == seal })
	if i < 0 {
		return 0, nil, fmt.Errorf("there is no signature of the package's %s", seal)
	}
	p, err := parsePacket(sigs[i].Value)
	if err != nil {
		return 0, nil, fmt.Errorf("signature of the package's %s: %w", seal, err)
	}
	tags := map[bool]rpmfile.Tag{true: rpmfile.SigRSA, false: rpmfile.SigDSA}
	if seal == wholeSeal {
		tags = map[bool]rpmfile.Tag{true: rpmfile.SigPGP, false: rpmfile.SigGPG}
	}
	return tags[p.isRSA()], p.raw, nil
}
