package npm

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
)

// A packument is what is kept in memory of one of an upstream: where its manifests are, and what it says beside them.
type packument struct {
	versions []manifestAt
	times    map[string]time.Time
	tags     map[string][]string // of a version
}

// A manifestAt is the range of a packument's bytes that is the manifest of a version.
type manifestAt struct {
	version  string
	from, to int64
}

func (p *packument) beside(version string) beside {
	return beside{Version: version, Time: p.times[version], Tags: p.tags[version]}
}

// readPackument reads the packument of a package, one manifest at a time, each of which is shown to visit. It refuses what
// two programs may read differently: names that come twice among its members, or among its versions.
//
// Versions that npm could not ask for are left out.
func readPackument(b format.Blob, name string, visit func(version string, manifest []byte) error) (*packument, error) {
	p := &packument{times: map[string]time.Time{}, tags: map[string][]string{}}
	d := json.NewDecoder(io.NewSectionReader(b, 0, b.Size()))
	named := false
	err := eachMember(d, "the packument", func(member string) error {
		switch member {
		case "name":
			var got string
			if err := value(d, &got); err != nil {
				return err
			}
			if named = true; got != name {
				return format.Malformedf("the packument of %.200q is of %.200q", name, got)
			}
		case "versions":
			return p.readVersions(d, visit)
		case "time":
			return p.readTimes(d)
		case "dist-tags":
			return p.readTags(d)
		default:
			var skipped json.RawMessage
			return value(d, &skipped)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, format.Malformedf("there is something behind the packument of %.200q", name)
	}
	if !named {
		return nil, format.Malformedf("the packument of %.200q does not say of what it is", name)
	}
	return p, nil
}

func (p *packument) readVersions(d *json.Decoder, visit func(string, []byte) error) error {
	return eachMember(d, "its versions", func(version string) error {
		var manifest json.RawMessage
		if err := value(d, &manifest); err != nil {
			return err
		}
		if !isVersion(version) {
			return nil
		}
		if len(p.versions) >= versionsMost {
			return format.Malformedf("the packument has more than %d versions", versionsMost)
		}
		if len(manifest) > manifestMost {
			return format.Malformedf("the version %s has a manifest of %d bytes, at most %d are read", version, len(manifest), manifestMost)
		}
		end := d.InputOffset()
		p.versions = append(p.versions, manifestAt{version, end - int64(len(manifest)), end})
		return visit(version, manifest)
	})
}

func (p *packument) readTimes(d *json.Decoder) error {
	return eachMember(d, "its times", func(version string) error {
		var raw json.RawMessage
		if err := value(d, &raw); err != nil {
			return err
		}
		var at time.Time // in RFC 3339; of a package that was unpublished there are others
		if isVersion(version) && json.Unmarshal(raw, &at) == nil && at.Year() > 0 && at.Year() < 9999 {
			p.times[version] = at.UTC()
		}
		return nil
	})
}

func (p *packument) readTags(d *json.Decoder) error {
	err := eachMember(d, "its tags", func(tag string) error {
		var version string
		if err := value(d, &version); err != nil {
			return err
		}
		if isTag(tag) {
			p.tags[version] = append(p.tags[version], tag)
		}
		return nil
	})
	for _, tags := range p.tags {
		slices.Sort(tags)
	}
	return err
}

// eachMember reads an object, and has visit read the value of each of its members. Null is an empty one.
func eachMember(d *json.Decoder, what string, visit func(name string) error) error {
	open, err := d.Token()
	if err == nil && open == nil {
		return nil
	}
	if err != nil || open != json.Delim('{') {
		return format.Malformedf("%s is no JSON object", what)
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return format.Malformedf("%s is no JSON: %.200v", what, err)
		}
		if seen[name] {
			return format.Malformedf("%s has %.100q twice", what, name)
		}
		seen[name] = true
		if err := visit(name); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return format.Malformedf("%s is no JSON: %.200v", what, err)
	}
	return nil
}

func value(d *json.Decoder, into any) error {
	if err := d.Decode(into); err != nil {
		return format.Malformedf("the packument cannot be read: %.200v", err)
	}
	return nil
}

// theirs reads a manifest of an upstream's packument.
func theirs(name, version string, manifest []byte) (*release, *theirDist, error) {
	o, err := strictjson.Parse(manifest)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range [][2]string{{"name", name}, {"version", version}} {
		if got, err := o.String(m[0]); err != nil || got != m[1] {
			return nil, nil, format.Malformedf("the packument of %s has for %s a manifest whose %s is %.200q", name, version, m[0], got)
		}
	}
	d, err := readDist(manifest)
	if err != nil {
		return nil, nil, err
	}
	r := &release{name: name, version: version, content: content{
		manifest: o, files: max(d.FileCount, 0), unpacked: max(d.UnpackedSize, 0),
		shrinkwrap: isTrue(o, "_hasShrinkwrap"), gyp: isTrue(o, "gypfile") || isTrue(o, "hasInstallScript"),
	}}
	if raw, ok := o.Get("deprecated"); ok && json.Unmarshal(raw, &r.deprecated) != nil && string(raw) == "true" {
		r.deprecated = "deprecated"
	}
	if r.shasum = strings.ToLower(d.Shasum); len(r.shasum) != 40 || strings.Trim(r.shasum, "0123456789abcdef") != "" {
		r.shasum = ""
	}
	if p := d.provenance(); p != nil {
		err = r.attested(p)
	}
	return r, &d, err
}

func isTrue(o strictjson.Object, member string) bool {
	raw, _ := o.Get(member)
	return string(raw) == "true"
}
