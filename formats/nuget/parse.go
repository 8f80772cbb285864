package nuget

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"hallmark/formats/format"
)

// The groups of a shard, which is a package with all of its versions.
const (
	groupVersions = "versions" // for the list of versions
	groupLeaves   = "leaves"   // for the registration
	groupStates   = "states"   // what search knows; see state
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
	listed := op.Marks[markUnlisted] == ""
	p.Entries, err = m.entries(op.Time, listed)
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

// entries returns what the indexes of a package hold of one version.
func (m manifest) entries(at time.Time, listed bool) ([]format.Entry, error) {
	leaf, err := marshal(m.leaf(at, listed))
	if err != nil {
		return nil, err
	}
	state, err := m.state(listed)
	if err != nil {
		return nil, err
	}
	return []format.Entry{
		{Group: groupVersions, Data: fmt.Appendf(nil, ",%q", m.version.lower())},
		{Group: groupLeaves, Data: append([]byte(","), leaf...)},
		{Group: groupStates, Data: state},
	}, nil
}

// marshal returns JSON in which [format.Here] stands as it is. No text of a package holds it: XML has no control characters.
func marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	const escaped = `\u0001`
	var all []byte
	for i := 0; i < len(data); {
		switch {
		case strings.HasPrefix(string(data[i:min(len(data), i+len(escaped))]), escaped):
			all, i = append(all, format.Here...), i+len(escaped)
		case data[i] == '\\':
			all, i = append(all, data[i], data[i+1]), i+2
		default:
			all, i = append(all, data[i]), i+1
		}
	}
	return all, nil
}
