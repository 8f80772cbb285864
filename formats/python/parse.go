package python

import (
	"crypto"
	"crypto/sha256"
	"path"
	"strings"

	"hallmark/formats/format"
)

// The marks of a file.
const (
	markYanked       = "yanked"       // why (PEP 592)
	markSignature    = "author.asc"   // the author's OpenPGP signature
	markAttestations = "attestations" // what the uploader attests, in JSON
)

// Parse reads a distribution. Its name and version are those of its metadata, with which the name of the file and the
// address must agree. What its author has signed is served beside it, as it came.
func (f *Format) Parse(op format.Op, b format.Blob, _ []format.Signature) (format.Package, error) {
	project := path.Base(op.Dir)
	of, ok := releaseOf(project, op.Name)
	if !ok {
		return format.Package{}, format.Malformedf("%.200q is not the name of a file of %.100q: it is NAME-VERSION-TAGS.whl or "+
			"NAME-VERSION.tar.gz, with a version of PEP 440", op.Name, project)
	}
	p := format.Package{
		Path: path.Join(op.Dir, op.Name), Name: project, Version: of.version, Arch: of.platform, Shard: project,
	}
	member, read := wheelInfo, func() ([]byte, error) { return readWheel(b, project, of.version) }
	if isSource(op.Name) {
		zipped := strings.HasSuffix(op.Name, ".zip")
		member, read = sourceInfo, func() ([]byte, error) { return readSource(b, zipped, project, of.version) }
	}
	data, err := read()
	if err != nil {
		return format.Package{}, err
	}
	c, err := parseCore(member, data)
	switch {
	case err != nil:
		return format.Package{}, err
	case normalize(c.name) != project || c.version != of.version:
		return format.Package{}, format.Malformedf("the file's name and address say %.100s %s, and %s says %.100s %s",
			project, of.version, member, c.name, c.version)
	}
	l := link{
		file: op.Name, sha256: b.Digest(crypto.SHA256), size: b.Size(), requiresPython: c.requiresPython, uploaded: op.Time,
	}
	if reason := op.Marks[markYanked]; reason != "" {
		l.yanked = &reason
	}
	if isWheel(op.Name) {
		sum := sha256.Sum256(data)
		l.metadata = sum[:]
		p.Beside = append(p.Beside, format.Beside{Path: p.Path + metadataSuffix, Data: data})
	}
	for _, own := range []struct{ mark, suffix string }{{markSignature, authorSuffix}, {markAttestations, attestationsSuffix}} {
		if text := op.Marks[own.mark]; text != "" {
			p.Beside = append(p.Beside, format.Beside{Path: p.Path + own.suffix, Data: []byte(text)})
		}
	}
	p.Entries, err = l.entries()
	return p, err
}

// Seal wishes for nothing: a distribution is signed beside itself alone.
func (f *Format) Seal(format.Site, format.Op, format.Blob) (format.Sealing, error) {
	return format.Sealing{}, nil
}
