package nuget

import (
	"archive/zip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/formats/internal/zipfile"
)

// A manifest is what the .nuspec of a package says (learn.microsoft.com/nuget/reference/nuspec).
type manifest struct {
	id      string
	version version

	title, authors, description, summary, tags, language, minClientVersion string
	projectURL, iconURL, licenseURL, license                               string // the last is an expression of SPDX

	acceptance bool // the licence must be accepted
	types      []string
	groups     []dependencies
}

// A dependencies is the dependencies for one target framework, "" for any.
type dependencies struct {
	framework string
	packages  []dependency
}

type dependency struct{ id, versions string }

const (
	maxManifest = 1 << 20
	maxText     = 16_000 // bytes of a text; NuGet's gallery takes 4000 characters
	maxID       = 100
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$`)

func isID(s string) bool { return len(s) <= maxID && idPattern.MatchString(s) }

// readManifest reads the .nuspec of a package, which is the only file of that kind in its root.
func readManifest(a *archive) (manifest, []byte, error) {
	var found *zip.File
	for _, f := range a.files {
		name := unescaped(f.Name)
		if strings.Contains(name, "/") || !strings.HasSuffix(strings.ToLower(name), ".nuspec") {
			continue
		}
		if found != nil {
			return manifest{}, nil, format.Malformedf("the package has two .nuspec: %.100q and %.100q", found.Name, name)
		}
		found = f
	}
	if found == nil {
		return manifest{}, nil, format.Malformedf("the zip archive has no .nuspec in its root, and a NuGet package has one: make it with nuget pack or dotnet pack")
	}
	data, err := zipfile.Read(found, maxManifest)
	if err != nil {
		return manifest{}, nil, err
	}
	m, err := parseManifest(data)
	return m, data, err
}

func parseManifest(data []byte) (m manifest, err error) {
	root, err := parseXML(data)
	if err != nil {
		return m, err
	}
	metadata, err := root.one("metadata")
	if err == nil && (metadata == nil || root.name.Local != "package") {
		err = format.Malformedf("the .nuspec of the package has no <package> with <metadata> in it")
	}
	if err != nil {
		return m, err
	}
	var number, acceptance string
	for name, to := range map[string]*string{
		"id": &m.id, "version": &number, "title": &m.title, "authors": &m.authors, "description": &m.description, "summary": &m.summary,
		"tags": &m.tags, "language": &m.language, "projectUrl": &m.projectURL, "iconUrl": &m.iconURL, "licenseUrl": &m.licenseURL,
		"requireLicenseAcceptance": &acceptance,
	} {
		if *to, err = metadata.text1(name); err != nil {
			return m, err
		}
	}
	if !isID(m.id) {
		return m, format.Malformedf("the package has the id %.120q: an id is letters, digits and _, with . and - between them, at most %d", m.id, maxID)
	}
	var ok bool
	if m.version, ok = parseVersion(number); !ok {
		return m, format.Malformedf("the package %s has the version %.80q: a version is like 1.2.3 or 1.2.3-beta.1", m.id, number)
	}
	m.acceptance = strings.EqualFold(acceptance, "true") || acceptance == "1"
	if m.minClientVersion = metadata.attribute("minClientVersion"); len(m.minClientVersion) > maxVersion {
		return m, format.Malformedf("the package %s wants the client %.80q, which is no version", m.id, m.minClientVersion)
	}
	if m.license, err = license(metadata); err != nil {
		return m, err
	}
	if err := m.readTypes(metadata); err != nil {
		return m, err
	}
	return m, m.readDependencies(metadata)
}

// text1 returns the text of the only child of a name.
func (e *element) text1(name string) (string, error) {
	c, err := e.one(name)
	if err != nil || c == nil {
		return "", err
	}
	text := strings.TrimSpace(c.text)
	if len(text) > maxText || len(c.children) > 0 || !utf8.ValidString(text) {
		return "", format.Malformedf("the .nuspec of the package has a <%s> with elements in it, or of more than %d bytes", name, maxText)
	}
	return text, nil
}

func license(metadata *element) (string, error) {
	c, err := metadata.one("license")
	if err != nil || c == nil || c.attribute("type") != "expression" {
		return "", err
	}
	return metadata.text1("license")
}

func (m *manifest) readTypes(metadata *element) error {
	list, err := metadata.one("packageTypes")
	if err != nil {
		return err
	}
	for _, t := range list.all("packageType") {
		name := t.attribute("name")
		switch {
		case strings.EqualFold(name, "SymbolsPackage"):
			return format.Malformedf("%s %s is a package of symbols, and symbols are not kept here: push the .nupkg without them (nuget push -NoSymbols, dotnet nuget push --no-symbols)", m.id, m.version)
		case !isID(name):
			return format.Malformedf("the package %s is of the type %.100q, which is no name", m.id, name)
		}
		m.types = append(m.types, name)
	}
	return nil
}

// readDependencies reads <dependencies>, which holds groups or, in old packages, dependencies for any framework.
func (m *manifest) readDependencies(metadata *element) error {
	list, err := metadata.one("dependencies")
	if err != nil || list == nil {
		return err
	}
	groups := list.all("group")
	if bare := list.all("dependency"); len(bare) > 0 {
		if len(groups) > 0 {
			return format.Malformedf("the .nuspec of the package %s has dependencies in groups and beside them", m.id)
		}
		groups = []*element{{name: list.name, children: bare}}
	}
	for _, g := range groups {
		of := dependencies{framework: g.attribute("targetFramework")}
		if !isWord(of.framework) {
			return format.Malformedf("the package %s has dependencies for the framework %.100q, which is no name", m.id, of.framework)
		}
		for _, d := range g.all("dependency") {
			on := dependency{d.attribute("id"), d.attribute("version")}
			if !isID(on.id) || !isWord(on.versions) {
				return format.Malformedf("the package %s depends on %.120q %.120q, which is no id with versions", m.id, on.id, on.versions)
			}
			of.packages = append(of.packages, on)
		}
		m.groups = append(m.groups, of)
	}
	return nil
}

// isWord reports whether a text is short and printable.
func isWord(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// lower returns the id as it stands in addresses.
func (m manifest) lower() string { return strings.ToLower(m.id) }
