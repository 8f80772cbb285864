package debian

import (
	"hallmark/formats/format"
	"hallmark/formats/internal/ar"
	"hallmark/signing/scheme"
)

// Seal wants the member _gpgorigin in a binary package, as far as the settings do: a detached signature of the other
// members' data, one after the other, which debsig-verify checks. The member is the last, and other members stay as they
// are, so that dpkg and apt take the package as before.
func (f *Format) Seal(_ format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	if f.settings.SignPackages == signNever {
		return format.Sealing{}, nil
	}
	switch kindOf(op.Name) {
	case kindDeb:
	case kindUnknown:
		if head, err := readHead(b, len(ar.Magic)); err != nil || string(head) != ar.Magic {
			return format.Sealing{}, err
		}
	default:
		return format.Sealing{}, nil
	}
	m, err := readMembers(b)
	if err != nil {
		return format.Sealing{}, err
	}
	if m.signed != nil && f.settings.SignPackages == signUnsigned {
		return format.Sealing{}, nil
	}
	at := format.Section{Offset: b.Size()}
	if m.signed != nil {
		at.Offset = m.signed.Offset - ar.HeaderSize
		at.Size = b.Size() - at.Offset
	}
	seal := format.Seal{Name: signatureMember, Scheme: scheme.OpenPGPBinary, Purpose: scheme.Package}
	for _, signed := range []ar.Member{m.version, m.control, m.data} {
		seal.Message = append(seal.Message, format.Section{Offset: signed.Offset, Size: signed.Size})
	}
	return format.Sealing{
		Seals: []format.Seal{seal},
		Splice: func(signatures []format.Signature) ([]format.Patch, error) {
			var value []byte
			for _, s := range signatures {
				if s.Seal == signatureMember {
					value = append(value, s.Value...)
				}
			}
			if len(value) == 0 || len(value) > maxOriginSignature {
				return nil, format.Malformedf("the member %s would have %d bytes, and from 1 to %d are allowed",
					signatureMember, len(value), maxOriginSignature)
			}
			data := append(ar.AppendHeader(nil, signatureMember, int64(len(value))), value...)
			if len(value)%2 == 1 {
				data = append(data, '\n')
			}
			return []format.Patch{{Section: at, Data: data}}, nil
		},
	}, nil
}
