package ruby

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Seal wishes signatures of the files in a gem, by the oldest key alone: a gem names the one chain of certificates by which it is
// verified. The gemspec gets the certificate of that key as its chain, and with it the checksums change.
//
// A gem keeps the certificate that it was signed with. Who is to verify what an older key has signed goes on trusting its
// certificate.
func (f *Format) Seal(site format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	keys := site.Keys.Of(scheme.Package, scheme.RSA)
	if op.Kind == format.Get || f.settings.SignPackages == signNever || len(keys) == 0 {
		return format.Sealing{}, nil // a gem of an upstream stays as it is
	}
	a, err := openArchive(b)
	if err != nil {
		return format.Sealing{}, err
	}
	if a.isSigned() {
		if f.settings.SignPackages == signUnsigned {
			return format.Sealing{}, nil
		}
		s, err := a.gemspec()
		if err != nil {
			return format.Sealing{}, err
		}
		if chain, err := parseChain(s.chain); err != nil || len(chain) == 1 && string(chain[0].Raw) == string(keys[0].Certificate) {
			return format.Sealing{}, err // Parse has verified it
		}
	}
	return a.seal(keys[0].Certificate)
}

// markAuthor is the mark of a gem whose author's signature ours has displaced: what of it is not in the gem any more, as a tar
// archive in base64.
const markAuthor = "author"

// authorExtension is that of the file beside the gem.
const authorExtension = ".author.tar"

// maxAuthor bounds it, in bytes.
const maxAuthor = 1 << 20

// author returns those files of a signed gem that sealing replaces, as they stand in its archive. With data.tar.gz, which stays as
// it is, they are the gem that its author has signed.
func (a *archive) author() ([]byte, error) {
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		if name == dataFile {
			continue
		}
		whole := a.files[name].whole
		if int64(len(all))+whole.Size > maxAuthor {
			return nil, format.Malformedf("the gem is signed, and its gemspec is too long to be kept beside our signature: with the checksums it may have "+
				"%d bytes; make it shorter, or have sign_packages set to unsigned, which leaves such gems as they are", maxAuthor)
		}
		part := make([]byte, whole.Size)
		if _, err := a.blob.ReadAt(part, whole.Offset); err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return append(all, make([]byte, endOfTar)...), nil
}

// seal wishes signatures by the key of a certificate.
func (a *archive) seal(certificate []byte) (format.Sealing, error) {
	text, err := a.unpack(metadataFile)
	if err != nil {
		return format.Sealing{}, err
	}
	if text, err = withChain(text, certificate); err != nil {
		return format.Sealing{}, err
	}
	metadata, err := packed(text)
	if err != nil {
		return format.Sealing{}, err
	}
	checksums, err := a.checksums(metadata)
	if err != nil {
		return format.Sealing{}, err
	}
	ofData, err := a.digest(dataFile)
	if err != nil {
		return format.Sealing{}, err
	}
	var marks map[string]string
	if a.isSigned() {
		author, err := a.author()
		if err != nil {
			return format.Sealing{}, err
		}
		marks = map[string]string{markAuthor: base64.StdEncoding.EncodeToString(author)}
	}
	ofMetadata, ofChecksums := sha256.Sum256(metadata), sha256.Sum256(checksums)
	return format.Sealing{
		Marks: marks,
		Seals: []format.Seal{wish(metadataFile, ofMetadata[:]), wish(dataFile, ofData), wish(checksumsFile, ofChecksums[:])},
		Splice: func(sigs []format.Signature) ([]format.Patch, error) {
			return a.splice(metadata, checksums, sigs)
		},
	}, nil
}

// wish returns the wish for a signature of a file of a gem, of which its SHA-256 is signed.
func wish(name string, digest []byte) format.Seal {
	return format.Seal{Name: name, Scheme: scheme.RSASHA256, Purpose: scheme.Package, Text: digest, Single: true}
}

// splice puts new files in the place of old ones, and a signature behind each. Data stays where it is.
func (a *archive) splice(metadata, checksums []byte, sigs []format.Signature) ([]format.Patch, error) {
	signed := map[string][]byte{}
	for _, s := range sigs {
		signed[s.Seal] = entry(s.Seal+sigExtension, s.Value)
	}
	var before, after []byte
	before = append(entry(metadataFile, metadata), signed[metadataFile]...)
	after = append(signed[dataFile], append(entry(checksumsFile, checksums), signed[checksumsFile]...)...)
	data := a.files[dataFile].whole
	return []format.Patch{
		{Section: format.Section{Offset: 0, Size: data.Offset}, Data: before},
		{Section: format.Section{Offset: data.Offset + data.Size, Size: a.end - data.Offset - data.Size}, Data: after},
	}, nil
}
