package debian

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
)

// A control is the control file of a binary package (deb-control(5)).
type control struct {
	fields                      deb822.Stanza
	name, version, arch, source string
}

// parseControl reads a control file. What the index says of a package, and what dpkg's own database does, must not stand
// in it; fields that nobody knows may.
func parseControl(text []byte) (control, error) {
	fields, err := deb822.Parse(text)
	if err != nil {
		return control{}, in("the control file of the Debian package is broken", err)
	}
	for _, f := range fields {
		switch strings.ToLower(f.Name) {
		case "filename", "msdos-filename", "size", "md5sum", "sha1", "sha256", "sha512", "description-md5", "status",
			"config-version":
			return control{}, format.Malformedf("the control file of the Debian package has the field %q, which "+
				"is the index's to write", f.Name)
		}
	}
	c := control{fields: fields, name: fields.Get("Package"), version: fields.Get("Version"), arch: fields.Get("Architecture")}
	c.source = c.name
	switch source, named := fields.Lookup("Source"); {
	case !isPackageName(c.name):
		return control{}, format.Malformedf("the control file of the Debian package has the Package %.100q: a "+
			"name is made of lower-case letters, digits and + - . and begins with a letter or a digit", c.name)
	case !isVersion(c.version):
		return control{}, format.Malformedf("the control file of %s has the Version %.100q: dpkg wants a digit "+
			"first, then letters, digits and . + ~ -, and perhaps an epoch like 1: before", c.name, c.version)
	case !isArchitecture(c.arch):
		return control{}, format.Malformedf("the control file of %s has the Architecture %.100q: write one name, "+
			"such as amd64 or all", c.name, c.arch)
	case named:
		if c.source, err = parseSource(source); err != nil {
			return control{}, in("the control file of "+c.name, err)
		}
	}
	return c, nil
}

// parseSource returns the name in a field Source, which a version in parentheses may follow.
func parseSource(value string) (string, error) {
	name, version, versioned := strings.Cut(value, " ")
	if versioned {
		inner, ok := strings.CutPrefix(strings.TrimLeft(version, " "), "(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !ok || !closed || !isVersion(inner) {
			return "", format.Malformedf("the Source is %.100q: write a name, or a name and a version in parentheses", value)
		}
	}
	if !isPackageName(name) {
		return "", format.Malformedf("the Source is %.100q: a name is made of lower-case letters, digits and + - .", value)
	}
	return name, nil
}

// fileName returns the name that a package has in the pool.
func (c control) fileName() string {
	return c.name + "_" + withoutEpoch(c.version) + "_" + c.arch + ".deb"
}

// checkFileName refuses a name that says something else than the control file. Names of another form say nothing. The
// epoch may stand in it, as it does or as apt's cache writes it.
func (c control) checkFileName(name string) error {
	parts := strings.Split(strings.TrimSuffix(name, ".deb"), "_")
	if len(parts) != 3 {
		return nil
	}
	version := strings.ReplaceAll(strings.ReplaceAll(parts[1], "%3a", ":"), "%3A", ":")
	if !isVersion(version) || !isArchitecture(parts[2]) {
		return nil
	}
	if parts[0] != c.name || version != c.version && version != withoutEpoch(c.version) || parts[2] != c.arch {
		return format.Malformedf("the package that was put as %.200q is %s of version %s for %s: put it as %s, or "+
			"without a name", name, c.name, c.version, c.arch, c.fileName())
	}
	return nil
}
