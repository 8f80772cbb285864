package arch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// packageForm is the name of a package's file in an upstream's database. It has a suffix that no other file has.
var packageForm = regexp.MustCompile(`^[a-zA-Z0-9@_+][a-zA-Z0-9@._+:~^-]*\.pkg\.tar(\.(zst|xz|gz|bz2|lz4|lzo|lrz|lz|Z))?$`)

// Describe reads the sections of a package. All of them stand in the entries as they came but the signature of whoever
// built it, in place of which there is ours beside the package.
//
// A package belongs to the architecture of the folder that lists it, also one for all architectures: the upstream has it in
// the folder of each. So it is there beside itself, and gives way to a newer upload for its folder or for all.
func (f *Format) Describe(scope, _ string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	if known, ok := f.Scope(scope + databaseName); !ok || known != scope {
		return format.Foreign{}, format.Malformedf("%.200q is not the place of a database", scope)
	}
	dir, arch, _ := splitScope(scope)
	all, err := parseSections(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	var desc, files []byte
	for _, s := range all {
		switch s.name {
		case "PGPSIG":
		case "FILES":
			files = s.text()
		default:
			desc = append(desc, s.text()...)
		}
	}
	if files == nil {
		files = section{name: "FILES"}.text()
	}
	p, err := identify(all)
	if err != nil {
		return format.Foreign{}, err
	}
	folder := p.name + "-" + p.version
	database, err := tarEntry(folder+"/desc", desc)
	if err != nil {
		return format.Foreign{}, err
	}
	lists, err := tarEntry(folder+"/files", files)
	if err != nil {
		return format.Foreign{}, err
	}
	return format.Foreign{
		Package: format.Package{
			Path:    path.Join(dir, arch, p.file),
			Name:    p.name,
			Version: p.version,
			Arch:    p.arch,
			Slot:    path.Join(dir, p.name),
			Variant: arch,
			Shard:   dir,
			Entries: []format.Entry{
				{Group: groupDatabase + arch, Data: database},
				{Group: groupFiles + arch, Data: slices.Concat(database, lists)},
			},
		},
		Size:   p.size,
		SHA256: p.sha256,
	}, nil
}

// A section is one of a database's file: a name and lines.
type section struct {
	name  string
	lines []string
}

// text returns the section as it stands in a file, with the blank line that ends it.
func (s section) text() []byte {
	return []byte("%" + s.name + "%\n" + strings.Join(append(slices.Clone(s.lines), ""), "\n") + "\n")
}

// parseSections reads the sections of a package, each of which may be there once.
func parseSections(stanza []byte) ([]section, error) {
	if i := bytes.IndexFunc(stanza, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		return nil, format.Malformedf("the database holds a control character behind %.80q", stanza[max(0, i-20):i])
	}
	var all []section
	inside := false
	for line := range strings.Lines(string(stanza)) {
		line = strings.TrimSuffix(line, "\n")
		begins := sectionForm.MatchString(line)
		switch {
		case line == "":
			inside = false
		case inside && begins:
			return nil, format.Malformedf("the database has %.50q where a value must be, or no blank line before it", line)
		case inside:
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		case begins:
			name := strings.Trim(line, "%")
			if slices.ContainsFunc(all, func(s section) bool { return s.name == name }) {
				return nil, format.Malformedf("the database has %.50q twice for a package", line)
			}
			all = append(all, section{name: name})
			inside = true
		default:
			return nil, format.Malformedf("the database has the line %.100q in no section", line)
		}
	}
	return all, nil
}

// An identity is what the house has to know of a package.
type identity struct {
	file, name, version, arch string
	size                      int64
	sha256                    []byte
}

// identify finds the sections of one line each that a package must have.
func identify(all []section) (p identity, err error) {
	single := map[string]string{}
	for _, s := range all {
		if len(s.lines) == 1 {
			single[s.name] = s.lines[0]
		}
	}
	for _, name := range []string{"FILENAME", "NAME", "VERSION", "ARCH", "CSIZE", "SHA256SUM"} {
		if single[name] == "" {
			return p, format.Malformedf("the database has no %%%s%% of the package %.120q, or one of several lines", name, single["NAME"])
		}
	}
	p.file, p.name, p.version, p.arch = single["FILENAME"], single["NAME"], single["VERSION"], single["ARCH"]
	switch {
	case len(p.file) > 255 || !packageForm.MatchString(p.file):
		return p, format.Malformedf("the database has the file %.120q, which is no name of a package's file", p.file)
	case !isName(p.name):
		return p, format.Malformedf("the database has the package %.120q, which is no name of one", p.name)
	case !isVersion(p.version):
		return p, format.Malformedf("the database has %s of the version %.80q, which is none", p.name, p.version)
	case !isArch(p.arch):
		return p, format.Malformedf("the database has %s for the architecture %.50q, which is no name of one", p.name, p.arch)
	}
	if p.size, err = strconv.ParseInt(single["CSIZE"], 10, 64); err != nil || p.size <= 0 {
		return p, format.Malformedf("the database has %s of the size %.40q", p.name, single["CSIZE"])
	}
	if p.sha256, err = hex.DecodeString(single["SHA256SUM"]); err != nil || len(p.sha256) != sha256.Size {
		return p, format.Malformedf("the database has %s with %.80q for its SHA-256", p.name, single["SHA256SUM"])
	}
	return p, nil
}
