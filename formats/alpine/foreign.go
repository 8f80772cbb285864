package alpine

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"path"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// checksumPrefix says that a checksum is a SHA-1.
const checksumPrefix = "Q1"

// Describe reads a record of an APKINDEX. The entry is the record as it stands.
//
// A package belongs to the architecture of the folder that lists it, also one for all architectures: the upstream has it in
// the folder of each, as several files. So they do not exclude each other, while an upload of the same version does for all
// architectures: apk would ask for both by one address.
func (f *Format) Describe(scope, _ string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	if known, ok := f.Scope(path.Join(scope, indexName)); !ok || known != scope {
		return format.Foreign{}, format.Malformedf("%.200q is not the folder of an index", scope)
	}
	dir, arch := splitScope(scope)
	r, err := parseRecord(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	name, version := r['P'], r['V']
	switch {
	case !isName(name):
		return format.Foreign{}, format.Malformedf("%s lists a package of the name %.150q, which is none", indexName, name)
	case !isVersion(version):
		return format.Foreign{}, format.Malformedf("%s lists %s of the version %.80q, which apk cannot compare", indexName, name, version)
	case r['A'] != arch && r['A'] != noarch:
		return format.Foreign{}, format.Malformedf("%s lists %s %s for the architecture %.40q, and is that of %s", indexName, name, version, r['A'], arch)
	}
	if _, err := parseChecksum(r['C']); err != nil {
		return format.Foreign{}, err
	}
	size, err := strconv.ParseUint(r['S'], 10, 62)
	if err != nil || size == 0 {
		return format.Foreign{}, format.Malformedf("%s lists %s %s of the size %.40q", indexName, name, version, r['S'])
	}
	return format.Foreign{
		Package: format.Package{
			Path:    path.Join(scope, name+"-"+version+extension),
			Name:    name,
			Version: version,
			Arch:    r['A'],
			Slot:    path.Join(dir, name+"-"+version),
			Variant: arch,
			Shard:   dir,
			Entries: []format.Entry{{Group: arch, Data: bytes.Clone(stanza)}},
		},
		Size:  int64(size),
		Check: r['C'],
	}, nil
}

// parseRecord returns the fields of a record: those of apk-v2(5) that stand in an index, each at most once.
func parseRecord(stanza []byte) (map[byte]string, error) {
	text, ended := strings.CutSuffix(string(stanza), "\n\n")
	if !ended {
		return nil, format.Malformedf("%s has a record without an end", indexName)
	}
	r := map[byte]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) < 2 || line[1] != ':' || !strings.Contains("CPVASITULomtckDpir", line[:1]) {
			return nil, format.Malformedf("%s has the line %.100q, which is no field of a package", indexName, line)
		}
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, format.Malformedf("%s has a control character, in a line that begins with %.50q", indexName, line)
		}
		if _, ok := r[line[0]]; ok {
			return nil, format.Malformedf("%s has the field %s twice in the record that begins with %.80q", indexName, line[:1], text)
		}
		r[line[0]] = line[2:]
	}
	for _, field := range "CPVAS" {
		if r[byte(field)] == "" {
			return nil, format.Malformedf("%s has no field %c in the record that begins with %.80q", indexName, field, text)
		}
	}
	return r, nil
}

// parseChecksum returns the SHA-1 of a control member.
func parseChecksum(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, checksumPrefix)
	sum, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(sum) != sha1.Size {
		return nil, format.Malformedf("%s has the checksum %.60q, which is no SHA-1 behind %s in base64", indexName, s, checksumPrefix)
	}
	return sum, nil
}
