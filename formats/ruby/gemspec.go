package ruby

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/format"
)

// A gemspec is what metadata.gz says of a gem, as far as an index has it.
type gemspec struct {
	identity
	rubygems              string // the version of RubyGems that wrote it
	date                  time.Time
	summary, description  string
	homepage              *string
	email                 []string
	authors, licenses     []string
	ruby, rubygemsVersion requirement // that it needs
	dependencies          []dependency
	metadata              [][2]string
	chain                 []string // certificates in PEM, or whatever else stands there
}

// A requirement is one on versions: all of its constraints hold.
type requirement []constraint

type constraint struct{ operator, version string }

// anyVersion is the requirement that every version meets.
var anyVersion = requirement{{">=", "0"}}

func (r requirement) isAny() bool { return slices.Equal(r, anyVersion) }

// A dependency is one on another gem.
type dependency struct {
	name        string
	requirement requirement
	kind        string // runtime or development
	prerelease  bool
}

const (
	kindRuntime     = "runtime"
	kindDevelopment = "development"
)

const (
	maxDependencies = 500
	maxConstraints  = 20
	maxShown        = 16 << 10 // bytes of a text that is shown to people
	maxList         = 1000     // of authors, licenses and the like
)

// metadataName names the gemspec in errors.
const metadataName = "the gem's metadata"

// readGemspec reads the text of metadata.gz.
func readGemspec(text []byte) (gemspec, error) {
	root, err := readYAML(metadataName, text)
	if err != nil {
		return gemspec{}, err
	}
	if root.Tag != objectTag+"Gem::Specification" || root.Kind != yaml.MappingNode {
		return gemspec{}, format.Malformedf("%s is no Gem::Specification: build the gem with gem build", metadataName)
	}
	var s gemspec
	r := &reader{}
	s.name = r.exact("name", child(root, "name"))
	s.version = r.version("version", child(root, "version"))
	if s.platform = platformRuby; !isNull(child(root, "platform")) {
		s.platform = r.exact("platform", child(root, "platform"))
	}
	s.rubygems = r.shown("rubygems_version", child(root, "rubygems_version"))
	s.summary = r.shown("summary", child(root, "summary"))
	s.description = r.shown("description", child(root, "description"))
	if home := child(root, "homepage"); !isNull(home) {
		text := r.shown("homepage", home)
		s.homepage = &text
	}
	s.email = r.list("email", child(root, "email"))
	s.authors = r.list("authors", child(root, "authors"))
	s.licenses = r.list("licenses", child(root, "licenses"))
	s.chain = r.list("cert_chain", child(root, "cert_chain"))
	s.date = readDate(child(root, "date"))
	s.ruby = r.requirement("required_ruby_version", child(root, "required_ruby_version"))
	s.rubygemsVersion = r.requirement("required_rubygems_version", child(root, "required_rubygems_version"))
	s.dependencies = r.dependencies(child(root, "dependencies"))
	s.metadata = r.pairs("metadata", child(root, "metadata"))
	if r.err != nil {
		return gemspec{}, r.err
	}
	for _, err := range []error{checkName(s.name), checkVersion(s.version), checkPlatform(s.platform)} {
		if err != nil {
			return gemspec{}, err
		}
	}
	return s, nil
}

// A reader reads values, and remembers the first fault.
type reader struct{ err error }

func (r *reader) fail(field, fault string) {
	if r.err == nil {
		r.err = format.Malformedf("%s has a %s that %s", metadataName, field, fault)
	}
}

// exact reads a text that Ruby reads as the same text.
func (r *reader) exact(field string, n *yaml.Node) string {
	text, exact, ok := scalar(n)
	if !ok || !exact {
		r.fail(field, "is missing or no text")
	}
	return text
}

// shown reads a text for people. What is no text is empty.
func (r *reader) shown(field string, n *yaml.Node) string {
	if isNull(n) {
		return ""
	}
	text, _, _ := scalar(n)
	if len(text) > maxShown {
		r.fail(field, "is too long")
	}
	return strings.ToValidUTF8(text, "?")
}

// list reads texts. One that stands alone is a list of it.
func (r *reader) list(field string, n *yaml.Node) []string {
	if isNull(n) {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []string{r.shown(field, n)}
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) > maxList {
		r.fail(field, "is no list, or too long")
		return nil
	}
	var all []string
	for _, item := range n.Content {
		if item = resolve(item); !isNull(item) {
			all = append(all, r.shown(field, item))
		}
	}
	return all
}

func (r *reader) pairs(field string, n *yaml.Node) [][2]string {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) > 2*maxList {
		r.fail(field, "is no mapping, or too long")
		return nil
	}
	var all [][2]string
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, [2]string{r.shown(field, n.Content[i]), r.shown(field, resolve(n.Content[i+1]))})
	}
	return all
}

// version reads a Gem::Version.
func (r *reader) version(field string, n *yaml.Node) string {
	if n != nil && n.Kind == yaml.MappingNode {
		n = child(n, "version")
	}
	text := strings.TrimSpace(r.exact(field, n))
	if r.err == nil {
		r.err = checkVersion(text)
	}
	return text
}

// requirement reads a Gem::Requirement, which may be missing.
func (r *reader) requirement(field string, n *yaml.Node) requirement {
	list := child(n, "requirements")
	if isNull(n) || list == nil || len(list.Content) == 0 {
		return anyVersion
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) > maxConstraints {
		r.fail(field, "is no list of constraints, or too long")
		return anyVersion
	}
	var all requirement
	for _, pair := range list.Content {
		if pair = resolve(pair); pair.Kind != yaml.SequenceNode || len(pair.Content) != 2 {
			r.fail(field, "has a constraint of other than an operator and a version")
			return anyVersion
		}
		operator := r.exact(field, resolve(pair.Content[0]))
		if !isOperator(operator) {
			r.fail(field, "has an operator that RubyGems does not know")
		}
		all = append(all, constraint{operator, r.version(field, resolve(pair.Content[1]))})
	}
	return all
}

func isOperator(s string) bool {
	switch s {
	case "=", "!=", ">", "<", ">=", "<=", "~>":
		return true
	}
	return false
}

func (r *reader) dependencies(n *yaml.Node) []dependency {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) > maxDependencies {
		r.fail("dependencies", "is no list, or too long")
		return nil
	}
	var all []dependency
	for _, item := range n.Content {
		item = resolve(item)
		d := dependency{name: r.exact("dependency", child(item, "name")), kind: kindRuntime}
		if r.err == nil {
			r.err = checkName(d.name)
		}
		wanted := child(item, "requirement")
		if isNull(wanted) {
			wanted = child(item, "version_requirements") // before RubyGems 1.3
		}
		d.requirement = r.requirement("dependency", wanted)
		if kind, _, ok := scalar(child(item, "type")); ok && strings.TrimPrefix(kind, ":") == kindDevelopment {
			d.kind = kindDevelopment
		}
		if early, _, ok := scalar(child(item, "prerelease")); ok {
			d.prerelease = early == "true"
		}
		all = append(all, d)
	}
	return all
}

// readDate reads the day of a gemspec; one that cannot be read is the first of 1980.
func readDate(n *yaml.Node) time.Time {
	text, _, _ := scalar(n)
	day, err := time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
	if err != nil || day.Year() < 1970 || day.Year() > 9999 {
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return day
}
