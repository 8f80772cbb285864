package debian

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
)

// translations is the folder of the translated descriptions of a component, and the part that they are.
const translations = "i18n"

// groupExtra is the group of what stands in Release besides the listings: lines of its SHA256.
const groupExtra = "extra"

// The contexts of stanzas are a component, which stands alone for a package; a component and the file of a source; a
// component and whether the upstream has its translations by their digests.

func sourceContext(component, file string) string { return component + "/" + archSource + "/" + file }

func translationContext(component string, byHash bool) string {
	return component + "/" + translations + "/" + strconv.FormatBool(byHash)
}

// Describe implements [format.Mirror]. The entry of a package is its stanza as it stands; that of a source stands with its
// .dsc.
func (f *Format) Describe(scope, context string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	component, rest, more := strings.Cut(context, "/")
	kind, name, _ := strings.Cut(rest, "/")
	if !isSegment(scope) || !isSegment(component) || len(stanza) > maxText+1 {
		return format.Foreign{}, format.Malformedf("there is no stanza of the component %.100q in the distribution %.100q",
			component, scope)
	}
	var foreign format.Foreign
	var err error
	switch {
	case !more:
		foreign, err = describePackage(component, stanza)
	case kind == archSource:
		foreign, err = describeSource(component, name, stanza)
	case kind == translations:
		foreign, err = describeTranslation(scope, component, name == "true", stanza)
	default:
		err = format.Malformedf("nothing is known of %.100q", context)
	}
	if err != nil {
		return format.Foreign{}, in("the upstream's index is broken", err)
	}
	foreign.Shard = scope
	return foreign, nil
}

func describePackage(component string, stanza []byte) (format.Foreign, error) {
	fields, err := deb822.Parse(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	arch := fields.Get("Architecture")
	if !isArchitecture(arch) {
		return format.Foreign{}, format.Malformedf("the package %.100q has the Architecture %.100q, which is none",
			fields.Get("Package"), arch)
	}
	foreign, err := identify(fields, arch)
	if err != nil {
		return format.Foreign{}, err
	}
	if foreign.Path, err = cleanPath(fields.Get("Filename")); err != nil {
		return format.Foreign{}, err
	}
	if foreign.SHA256, err = parseDigest(fields.Get("SHA256")); err != nil {
		return format.Foreign{}, err
	}
	if foreign.Size, err = strconv.ParseInt(fields.Get("Size"), 10, 64); err != nil || foreign.Size < 0 {
		return format.Foreign{}, format.Malformedf("the package %.100q has the Size %.100q, which is none", foreign.Name, fields.Get("Size"))
	}
	foreign.Entries = []format.Entry{{Group: group(component, arch), Data: withField(stanza, fields, "Filename", foreign.Path)}}
	return foreign, nil
}

// identify reads what a stanza of Packages and one of Sources have in common. Names and versions are those that apt takes,
// which are more than Debian's policy allows.
func identify(fields deb822.Stanza, arch string) (format.Foreign, error) {
	name, version := fields.Get("Package"), fields.Get("Version")
	if !isSegment(name) {
		return format.Foreign{}, format.Malformedf("%.100q cannot be the name of a package", name)
	}
	if version == "" || len(version) > maxName || !consistsOf(version, isAlnum, ".+-~:_") {
		return format.Foreign{}, format.Malformedf("the package %q has the Version %.100q, which is none", name, version)
	}
	return format.Foreign{Package: format.Package{Name: name, Version: version, Arch: arch}}, nil
}

// cleanPath returns the place of a file in the tree, as an index names it.
func cleanPath(name string) (string, error) {
	clean := path.Clean(name)
	first, _, _ := strings.Cut(clean, "/")
	if name == "" || clean[0] == '/' || first == ".." || first == "." || first == "dists" || len(clean) > 2048 ||
		strings.HasSuffix(name, "/") || slices.Contains(strings.Split(name, "/"), "..") {
		return "", format.Malformedf("%.200q cannot be the place of a file: it is below the repository, and not below dists/", name)
	}
	return clean, nil
}

// withField returns a stanza with a field changed, or as it stands where nothing has to be changed.
func withField(stanza []byte, fields deb822.Stanza, name, value string) []byte {
	if fields.Get(name) == value {
		return append(bytes.Trim(stanza, "\n"), "\n\n"...)
	}
	var text []byte
	for _, field := range fields {
		if strings.EqualFold(field.Name, name) {
			field.Value = value
		}
		text = deb822.Append(text, field)
	}
	return append(text, '\n')
}

func describeSource(component, name string, stanza []byte) (format.Foreign, error) {
	fields, err := deb822.Parse(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	foreign, err := identify(fields, archSource)
	if err != nil {
		return format.Foreign{}, err
	}
	files, err := parseList(fields, "Checksums-Sha256", 64, 0)
	if err != nil {
		return format.Foreign{}, err
	}
	i := slices.IndexFunc(files, func(file listLine) bool { return file.name == name })
	if i < 0 {
		return format.Foreign{}, format.Malformedf("the source %q has no file %.100q", foreign.Name, name)
	}
	foreign.Size = files[i].size
	if foreign.SHA256, err = parseDigest(files[i].digest); err != nil {
		return format.Foreign{}, err
	}
	if foreign.Path, err = cleanPath(fields.Get("Directory") + "/" + name); err != nil {
		return format.Foreign{}, err
	}
	if kindOf(name) == kindDsc {
		folder := strings.TrimSuffix(strings.TrimSuffix(foreign.Path, name), "/")
		foreign.Entries = []format.Entry{{Group: group(component, archSource), Data: withField(stanza, fields, "Directory", folder)}}
	}
	return foreign, nil
}

// describeTranslation reads the line of a Release for a file, and perhaps that for its plain form, which need not be there. One
// that the upstream has by its digest can be fetched when somebody wants that language; by its name alone, it would be that of
// the next edition then.
func describeTranslation(scope, component string, hashed bool, lines []byte) (format.Foreign, error) {
	first, plain, _ := strings.Cut(strings.TrimSuffix(string(lines), "\n"), "\n")
	file, err := parseReleaseLine(first)
	if err != nil {
		return format.Foreign{}, err
	}
	text := file.line(file.name)
	folder := component + "/" + translations
	if plain != "" {
		other, err := parseReleaseLine(plain)
		if err != nil {
			return format.Foreign{}, err
		}
		if path.Dir(other.name) != folder {
			return format.Foreign{}, format.Malformedf("%.200q is no translation of %s", other.name, component)
		}
		text += other.line(other.name)
	}
	if path.Dir(file.name) != folder || !isFileName(path.Base(file.name)) {
		return format.Foreign{}, format.Malformedf("%.200q is no translation of %s", file.name, component)
	}
	root := "dists/" + scope + "/"
	foreign := format.Foreign{
		Package: format.Package{
			Path: root + byHash(file.name, file.digest), Name: path.Base(file.name),
			Entries: []format.Entry{{Group: groupExtra, Data: []byte(text)}},
		},
		SHA256: file.digest, Size: file.size, Now: !hashed,
	}
	if !hashed {
		foreign.Source = root + file.name
	}
	return foreign, nil
}
