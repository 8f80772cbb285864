package nuget

import (
	"crypto"
	"encoding/hex"
	"path"
	"strings"

	"hallmark/formats/format"
)

// Parse says what a package is. Its id and version are those of its .nuspec, and an address that names others is refused.
// A signature that it comes with must hold: see readSignatures.
func (*Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	a, err := openArchive(b)
	if err != nil {
		return format.Package{}, err
	}
	m, nuspec, err := readManifest(a)
	if err != nil {
		return format.Package{}, err
	}
	id, version := m.lower(), m.version.lower()
	at := packagePath(id, version)
	if err := m.checkAddress(op); err != nil {
		return format.Package{}, err
	}
	if len(sigs) == 0 { // otherwise it was looked at before ours was put into it
		if _, err := readSignatures(b, a); err != nil {
			return format.Package{}, err
		}
	}
	p := format.Package{
		Path: at, Name: m.id, Version: m.version.String(), Shard: id,
		Beside: []format.Beside{{Path: path.Join(path.Dir(at), id+manifestName), Data: nuspec}},
	}
	listed := listedPackage{
		SHA256: hex.EncodeToString(b.Digest(crypto.SHA256)), Size: b.Size(), details: m.details(op.Time, op.Marks[markUnlisted] == ""),
	}
	p.Entries, err = listed.entries()
	return p, err
}

// checkAddress refuses an upload to an address that names another package.
func (m manifest) checkAddress(op format.Op) error {
	name := strings.ToLower(op.Name)
	if op.Name != "" && !m.isFile(name) {
		return format.Malformedf("this package is %s %s, and was sent as %.100q: call it %s.%s%s", m.id, m.version, op.Name, m.lower(), m.version.lower(), packageSuffix)
	}
	if want := path.Join(flat, m.lower(), m.version.lower()); op.Dir != "" && strings.ToLower(op.Dir) != want {
		return format.Malformedf("this package is %s %s, and was sent to %.100q: it belongs to %s", m.id, m.version, op.Dir, want)
	}
	return nil
}

// isFile reports whether a name is that of the package, with its version in any form.
func (m manifest) isFile(name string) bool {
	number, ok := strings.CutPrefix(strings.TrimSuffix(name, packageSuffix), m.lower()+".")
	v, isVersion := parseVersion(number)
	return ok && isVersion && v.lower() == m.version.lower()
}
