package ruby

import (
	"compress/zlib"
	"crypto/sha256"
	"io"
	"slices"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const (
	maxSpecs         = 64 << 20 // bytes of an upstream's specs.4.8.gz, packed and unpacked
	maxQuick         = 1 << 20  // of a gemspec of its quick index
	maxQuickUnpacked = 4 << 20
)

// followSpecs reads the older index of an upstream, which says nothing of the bytes of gems. Of each gem that is new it reads the
// gemspec in the quick index, and emits what a line of info would say, without a checksum.
func (f *Format) followSpecs(u format.Upstream) error {
	for _, name := range []string{specsFile, prereleaseFile} {
		b, err := u.Fetch(name, format.Wanted{Limit: maxSpecs})
		if err != nil && name != specsFile {
			err = belongs(name, err)
		}
		if err != nil {
			return err
		}
		ids, err := readSpecs(name, b)
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id identity) bool { return !f.follows(id.name) })
		if len(ids) > maxGems {
			return tooMany(len(ids))
		}
		for _, id := range ids {
			if err := followQuick(u, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSpecs returns the gems that a file of the older index lists.
func readSpecs(name string, b format.Blob) ([]identity, error) {
	r, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), maxSpecs)
	if err != nil {
		return nil, within(name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, within(name, err)
	}
	v, err := unmarshal(name, data)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, format.Malformedf("%s is no array of gems", name)
	}
	var all []identity
	for _, item := range list {
		tuple, _ := item.([]any)
		if len(tuple) != 3 {
			return nil, format.Malformedf("%s has an entry that is no name, version and platform", name)
		}
		var id identity
		id.name, _ = tuple[0].(string)
		id.version, _ = versionOf(tuple[1])
		if id.platform, _ = tuple[2].(string); id.platform == "" {
			id.platform = platformRuby
		}
		for _, err := range []error{checkName(id.name), checkVersion(id.version), checkPlatform(id.platform)} {
			if err != nil {
				return nil, err
			}
		}
		all = append(all, id)
	}
	return all, nil
}

// versionOf returns a Gem::Version.
func versionOf(v any) (string, bool) {
	o, _ := v.(*object)
	if o == nil || o.class != "Gem::Version" {
		return "", false
	}
	dumped, _ := o.dumped.([]any)
	if len(dumped) == 0 {
		return "", false
	}
	text, ok := dumped[0].(string)
	return text, ok
}

// followQuick emits what the quick index says of a gem.
func followQuick(u format.Upstream, id identity) error {
	known := sha256.Sum256([]byte(id.file()))
	if u.Known(id.quick(), known[:]) {
		return nil
	}
	b, err := u.Fetch(id.quick(), format.Wanted{Limit: maxQuick})
	if err != nil {
		return belongs(id.quick(), err)
	}
	s, err := readQuick(id, b)
	if err != nil {
		return err
	}
	return u.Emit(id.quick(), "", stanza(id.name, s.info(nil)))
}

// readQuick reads a gemspec of the quick index.
func readQuick(id identity, b format.Blob) (gemspec, error) {
	z, err := zlib.NewReader(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return gemspec{}, format.Malformedf("the gemspec of %s is not compressed with zlib", id.file())
	}
	data, err := io.ReadAll(io.LimitReader(z, maxQuickUnpacked+1))
	if err != nil || len(data) > maxQuickUnpacked {
		return gemspec{}, format.Malformedf("the gemspec of %s is damaged, or longer than %d bytes", id.file(), maxQuickUnpacked)
	}
	outer, err := unmarshal("the gemspec of "+id.file(), data)
	if err != nil {
		return gemspec{}, err
	}
	o, _ := outer.(*object)
	if o == nil || o.class != "Gem::Specification" {
		return gemspec{}, format.Malformedf("the gemspec of %s is no Gem::Specification", id.file())
	}
	dumped, _ := o.dumped.(string)
	inner, err := unmarshal("the gemspec of "+id.file(), []byte(dumped))
	if err != nil {
		return gemspec{}, err
	}
	fields, _ := inner.([]any)
	return specOf(id, fields)
}

// specOf returns a gemspec from the array that Gem::Specification#_dump makes.
func specOf(id identity, fields []any) (gemspec, error) {
	const name, version, ruby, rubygems, dependencies, count = 2, 3, 6, 7, 9, 10
	s := gemspec{identity: id}
	if len(fields) < count {
		return s, format.Malformedf("the gemspec of %s has %d fields, and RubyGems writes more", id.file(), len(fields))
	}
	saysName, _ := fields[name].(string)
	saysVersion, _ := versionOf(fields[version])
	if saysName != id.name || saysVersion != id.version {
		return s, format.Malformedf("the gemspec of %s is that of %.100q %.100q", id.file(), saysName, saysVersion)
	}
	var err error
	if s.ruby, err = requirementOf(fields[ruby]); err != nil {
		return s, err
	}
	if s.rubygemsVersion, err = requirementOf(fields[rubygems]); err != nil {
		return s, err
	}
	list, _ := fields[dependencies].([]any)
	for _, item := range list {
		o, _ := item.(*object)
		if o == nil || o.class != "Gem::Dependency" || len(list) > maxDependencies {
			return s, format.Malformedf("the gemspec of %s has dependencies that are none, or too many", id.file())
		}
		d := dependency{kind: kindRuntime}
		d.name, _ = o.fields["@name"].(string)
		if err := checkName(d.name); err != nil {
			return s, err
		}
		if kind, _ := o.fields["@type"].(symbol); kind == kindDevelopment {
			d.kind = kindDevelopment
		}
		wanted := o.fields["@requirement"]
		if wanted == nil {
			wanted = o.fields["@version_requirements"] // before RubyGems 1.3
		}
		if d.requirement, err = requirementOf(wanted); err != nil {
			return s, err
		}
		s.dependencies = append(s.dependencies, d)
	}
	return s, nil
}

// requirementOf returns a Gem::Requirement; nil is any version.
func requirementOf(v any) (requirement, error) {
	o, _ := v.(*object)
	if o == nil {
		return anyVersion, nil
	}
	dumped, _ := o.dumped.([]any)
	if o.class != "Gem::Requirement" || len(dumped) == 0 {
		return nil, format.Malformedf("the quick index has a requirement that is a %.100q", o.class)
	}
	list, _ := dumped[0].([]any)
	var all requirement
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 || len(list) > maxConstraints {
			return nil, format.Malformedf("the quick index has a requirement without an operator and a version, or with too many")
		}
		operator, _ := pair[0].(string)
		version, _ := versionOf(pair[1])
		if !isOperator(operator) || checkVersion(version) != nil {
			return nil, format.Malformedf("the quick index has the requirement %.50q %.100q, which is none", operator, version)
		}
		all = append(all, constraint{operator, version})
	}
	if len(all) == 0 {
		return anyVersion, nil
	}
	return all, nil
}
