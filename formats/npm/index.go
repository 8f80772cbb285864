package npm

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"hallmark/formats/format"
)

// about is what is kept of a version for whoever looks for packages, and for the ends of packuments.
type about struct {
	Version     string          `json:"version"`
	Time        time.Time       `json:"time,omitzero"`
	Description string          `json:"description,omitempty"`
	Keywords    json.RawMessage `json:"keywords,omitempty"`
	License     json.RawMessage `json:"license,omitempty"`
	Homepage    string          `json:"homepage,omitempty"`
	Author      json.RawMessage `json:"author,omitempty"`
	Deprecated  bool            `json:"deprecated,omitempty"`
}

// aboutMost is how long a text in it may be, in bytes: the manifest has the rest.
const aboutMost = 1024

func (r *release) about(at time.Time) ([]byte, error) {
	a := about{Version: r.version, Time: at, Deprecated: r.deprecated != ""}
	text := func(name string) string {
		s, err := r.manifest.String(name)
		if err != nil || len(s) > aboutMost {
			return "" // npm takes these in any form
		}
		return s
	}
	value := func(name string) json.RawMessage {
		if raw, ok := r.manifest.Get(name); ok && len(raw) <= aboutMost {
			return raw
		}
		return nil
	}
	a.Description, a.Homepage = text("description"), text("homepage")
	a.Keywords, a.License, a.Author = value("keywords"), value("license"), value("author")
	if !bytes.HasPrefix(a.Keywords, []byte("[")) {
		a.Keywords = nil // npm search takes a list alone
	}
	data, err := json.Marshal(a)
	return append(data, '\n'), err
}

// A summary is what is known of all versions of a package.
type summary struct {
	versions []about
	tags     [][2]string
	latest   about
}

func read(entries func(group string) ([][]byte, error)) (*summary, error) {
	s := &summary{}
	all, err := entries(groupAbout)
	if err != nil {
		return nil, err
	}
	s.versions = make([]about, len(all))
	at := make(map[string]int, len(all))
	for i, data := range all {
		if err := json.Unmarshal(data, &s.versions[i]); err != nil {
			return nil, err
		}
		at[s.versions[i].Version] = i
	}
	if len(all) == 0 {
		return s, nil
	}
	tags := map[string]string{}
	for _, group := range []string{groupBehind, groupTags} {
		pairs, err := entries(group)
		if err != nil {
			return nil, err
		}
		for _, pair := range bytes.Fields(bytes.Join(pairs, nil)) {
			var tag [2]string
			if err := json.Unmarshal(pair, &tag); err != nil {
				return nil, err
			}
			if _, there := at[tag[1]]; there { // or that version is not published any more
				tags[tag[0]] = tag[1]
			}
		}
	}
	if latest, ok := tags["latest"]; ok {
		s.latest = s.versions[at[latest]]
	} else {
		s.latest = newest(s.versions)
		tags["latest"] = s.latest.Version
	}
	for tag, version := range tags {
		s.tags = append(s.tags, [2]string{tag, version})
	}
	slices.SortFunc(s.tags, func(a, b [2]string) int { return bytes.Compare([]byte(a[0]), []byte(b[0])) })
	return s, nil
}

// newest returns the version that npm takes where no tag says which: the highest, and of them one that is no prerelease.
func newest(all []about) about {
	best, highest := all[0], semver.MustParse(all[0].Version)
	for _, a := range all[1:] {
		v := semver.MustParse(a.Version)
		if pre, bestPre := v.Prerelease() != "", highest.Prerelease() != ""; pre == bestPre && v.GreaterThan(highest) || !pre && bestPre {
			best, highest = a, v
		}
	}
	return best
}

// Index emits the two forms of a package's packument, and raises what a search finds.
func (f *Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	if in.Name() == "" {
		return nil
	}
	s, err := read(in.Entries)
	if err != nil || len(s.versions) == 0 {
		return err
	}
	tail, err := s.tail()
	if err != nil {
		return err
	}
	name, err := json.Marshal(in.Name())
	if err != nil {
		return err
	}
	forms := []struct{ group, folder, id, tail string }{
		{groupFull, fullFolder, `"_id":` + string(name) + `,"_rev":"1-0",`, tail},
		{groupInstall, installFolder, "", s.modified()},
	}
	var listings []format.Listing
	for _, form := range forms {
		listings = append(listings, format.Listing{
			Name: form.group, Groups: []string{form.group}, Encodings: []format.Encoding{format.Plain}, Skip: 1,
			Head: func(format.Totals) []byte { return []byte(`{` + form.id + `"name":` + string(name) + `,"versions":{`) },
			Tail: func(format.Totals) []byte { return []byte(`},"dist-tags":` + s.tagObject() + form.tail + "}\n") },
		})
	}
	if _, err := in.List(listings...); err != nil {
		return err
	}
	for _, form := range forms {
		err := emit(format.File{Path: form.folder + in.Name() + documentEnd, Listing: form.group, Encoding: format.Plain})
		if err != nil {
			return err
		}
	}
	found, err := json.Marshal(hit{Name: in.Name(), about: s.latest})
	if err != nil {
		return err
	}
	return in.Raise("", groupHits, append(found, '\n'))
}

// tagObject returns the value of "dist-tags".
func (s *summary) tagObject() string {
	var o object
	for _, t := range s.tags {
		o.text(t[0], t[1])
	}
	data, err := o.bytes()
	if err != nil {
		return "{}" // never: they are tags and versions
	}
	return string(data)
}

const timeForm = "2006-01-02T15:04:05.000Z"

func (s *summary) modified() string {
	newest := slices.MaxFunc(s.versions, func(a, b about) int { return a.Time.Compare(b.Time) })
	return `,"modified":"` + newest.Time.UTC().Format(timeForm) + `"`
}

// tail returns what follows the tags of a full packument: when versions were published, and what is said of the latest.
func (s *summary) tail() (string, error) {
	oldest := slices.MinFunc(s.versions, func(a, b about) int { return a.Time.Compare(b.Time) })
	newest := slices.MaxFunc(s.versions, func(a, b about) int { return a.Time.Compare(b.Time) })
	var times object
	times.text("created", oldest.Time.UTC().Format(timeForm))
	times.text("modified", newest.Time.UTC().Format(timeForm))
	for _, v := range s.versions {
		times.text(v.Version, v.Time.UTC().Format(timeForm))
	}
	data, err := times.bytes()
	if err != nil {
		return "", err
	}
	rest := `,"time":` + string(data)
	for _, m := range []struct {
		name  string
		value any
		has   bool
	}{
		{"description", s.latest.Description, s.latest.Description != ""},
		{"keywords", s.latest.Keywords, s.latest.Keywords != nil},
		{"license", s.latest.License, s.latest.License != nil},
		{"homepage", s.latest.Homepage, s.latest.Homepage != ""},
		{"author", s.latest.Author, s.latest.Author != nil},
	} {
		if !m.has {
			continue
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return "", err
		}
		rest += `,"` + m.name + `":` + string(value)
	}
	return rest, nil
}
