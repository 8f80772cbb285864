package alpine

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The seals of a package and of an index.
const (
	sealSHA256 = "rsa256"
	sealSHA1   = "rsa"
)

// Seal wishes a signature over the control member, if the settings say so. It stands in a member of its own at the beginning,
// and those that were there are removed. What apk knows the package by, the checksum of the control member, stays.
//
// A package of an upstream, which an Op of kind Get names, passes as it came.
func (f *Format) Seal(_ format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	if f.settings.SignPackages == signNever || op.Kind == format.Get && len(op.Paths) > 0 {
		return format.Sealing{}, nil
	}
	c, err := readContents(b)
	if err != nil {
		return format.Sealing{}, err
	}
	if c.signed && f.settings.SignPackages == signUnsigned {
		return format.Sealing{}, nil
	}
	return f.sealing(scheme.Package, []format.Section{c.control}, c.control.Offset), nil
}

// sealing returns the wish for a member with signatures of a message, in place of the first bytes of a file.
func (f *Format) sealing(p scheme.Purpose, message []format.Section, replaced int64) format.Sealing {
	seals := []format.Seal{{Name: sealSHA256, Scheme: scheme.RSASHA256, Purpose: p, Message: message}}
	if f.settings.SHA1 {
		seals = append(seals, format.Seal{Name: sealSHA1, Scheme: scheme.RSASHA1, Purpose: p, Message: message})
	}
	return format.Sealing{
		Seals: seals,
		Splice: func(sigs []format.Signature) ([]format.Patch, error) {
			data, err := signatureMember(sigs)
			if err != nil {
				return nil, err
			}
			return []format.Patch{{Section: format.Section{Size: replaced}, Data: data}}, nil
		},
	}
}

// signatureMember returns a gzip member with a tar archive of the signatures, without its end, since for apk the archive
// goes on in the next member. apk takes the first signature by a key that it has: those over SHA-256 come first.
func signatureMember(sigs []format.Signature) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	written := 0
	for _, kind := range []struct{ seal, prefix string }{{sealSHA256, ".SIGN.RSA256."}, {sealSHA1, ".SIGN.RSA."}} {
		for _, sig := range sigs {
			if sig.Seal != kind.seal {
				continue
			}
			name := kind.prefix + sig.Key
			if len(name) > 100 {
				return nil, fmt.Errorf("the key's file name %q is too long for apk: give the key a name of at most 70 bytes", sig.Key)
			}
			header := &tar.Header{Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(sig.Value))}
			if err := w.WriteHeader(header); err != nil {
				return nil, fmt.Errorf("signature by %q: %w", sig.Key, err)
			}
			if _, err := w.Write(sig.Value); err != nil {
				return nil, fmt.Errorf("signature by %q: %w", sig.Key, err)
			}
			written++
		}
	}
	if written == 0 || written != len(sigs) {
		return nil, fmt.Errorf("%d of %d signatures have a place in the file", written, len(sigs))
	}
	// Flush pads the last entry; Close would end the archive.
	if err := w.Flush(); err != nil {
		return nil, err
	}
	if b.Len() > signatureLimit-1 {
		return nil, fmt.Errorf("%d signatures come to %d bytes: they must stay below %d", written, b.Len(), signatureLimit)
	}
	return stored(b.Bytes()), nil
}

// stored returns a gzip member (RFC 1952) of less than 64 KiB in one block that is not compressed (RFC 1951, 3.2.4).
// Signatures hardly shrink, and these bytes depend on no compressor's version: signing again makes the same file.
func stored(data []byte) []byte {
	const unknown = 0xff // the operating system
	b := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, unknown, 1}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	b = binary.LittleEndian.AppendUint16(b, ^uint16(len(data)))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(data))
	return binary.LittleEndian.AppendUint32(b, uint32(len(data)))
}
