package nuget

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the versions of a package, its registration, and a list of all that is said of them, with the digests of the
// files, which is signed. What search says of the package is raised into the shard above all.
//
// The registration holds absolute addresses, which NuGet wants, and so nobody signs it.
func (*Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	id := in.Name()
	if id == "" {
		return nil
	}
	all, err := readStates(in.Entries(groupStates))
	if err != nil || len(all) == 0 {
		return err
	}
	found, err := all.found(id)
	if err != nil {
		return err
	}
	if found != nil {
		if err := in.Raise("", groupFound, found); err != nil {
			return err
		}
	}
	lower, upper := all.bounds()
	registered := path.Join(registration, id, indexName)
	if _, err := in.List(
		format.Listing{
			Name: groupVersions, Groups: []string{groupVersions}, Skip: 1, Encodings: []format.Encoding{format.Plain},
			Head: constant(`{"versions":[`), Tail: constant("]}\n"),
		},
		format.Listing{Name: groupSigned, Groups: []string{groupSigned}, Encodings: []format.Encoding{format.Plain}},
		format.Listing{
			Name: groupLeaves, Groups: []string{groupLeaves}, Skip: 1, Encodings: []format.Encoding{format.Plain},
			Head: constant(fmt.Sprintf(`{"@id":"%[1]s/%[2]s","@type":["catalog:CatalogRoot","PackageRegistration","catalog:Permalink"],"count":1,`+
				`"items":[{"@id":"%[1]s/%[2]s#page","@type":"catalog:CatalogPage","parent":"%[1]s/%[2]s","items":[`, format.Here, registered)),
			Tail: func(t format.Totals) []byte {
				return fmt.Appendf(nil, `],"count":%d,"lower":%q,"upper":%q}]}`+"\n", t.Count, lower, upper)
			},
		},
	); err != nil {
		return err
	}
	if err := emit(format.File{Path: registered, Listing: groupLeaves, Encoding: format.Plain}); err != nil {
		return err
	}
	if err := emit(format.File{Path: path.Join(flat, id, indexName), Listing: groupVersions, Encoding: format.Plain}); err != nil {
		return err
	}
	signed := path.Join(flat, id, signedName)
	return emit(format.File{
		Path: signed, Listing: groupSigned, Encoding: format.Plain,
		Sealing: format.Sealing{Seals: []format.Seal{{
			Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: signed + signatureSuffix,
		}}},
	})
}

func constant(text string) func(format.Totals) []byte {
	return func(format.Totals) []byte { return []byte(text) }
}

// A state is what search knows of one version. In a group it stands as "VERSION LISTED JSON": the JSON is read of two versions
// at most, however many there are.
type state struct {
	version version
	listed  bool
	summary []byte
}

type states []state

// A summary is what search says of a version.
type summary struct {
	ID          string   `json:"id"`
	Version     string   `json:"version"`
	Description string   `json:"description"`
	Title       string   `json:"title,omitempty"`
	Summary     string   `json:"summary,omitempty"`
	Authors     string   `json:"authors,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	ProjectURL  string   `json:"projectUrl,omitempty"`
	IconURL     string   `json:"iconUrl,omitempty"`
	LicenseURL  string   `json:"licenseUrl,omitempty"`
	Types       []string `json:"types,omitempty"`
}

// maxSummary is how many bytes of each text search shows: Index reads those of all versions of a package.
const maxSummary = 1000

// state returns what search is to know of a version.
func (d details) state() ([]byte, error) {
	s := summary{
		ID: d.ID, Version: d.Version, Description: shortened(d.Description), Title: shortened(d.Title), Summary: shortened(d.Summary),
		Authors: shortened(d.Authors), Tags: words(shortened(strings.Join(d.Tags, " "))),
		ProjectURL: shortURL(d.ProjectURL), IconURL: shortURL(d.IconURL), LicenseURL: shortURL(d.LicenseURL),
	}
	for _, t := range d.Types {
		s.Types = append(s.Types, t.Name)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %t %s", d.Version, d.Listed, data), nil
}

func readStates(entries [][]byte, err error) (states, error) {
	if err != nil {
		return nil, err
	}
	var all states
	for _, e := range entries {
		fields := bytes.SplitN(e, []byte(" "), 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("the entry %.100q of a version", e)
		}
		v, ok := parseVersion(string(fields[0]))
		if !ok {
			return nil, fmt.Errorf("the entry %.100q of a version", e)
		}
		all = append(all, state{v, string(fields[1]) == "true", fields[2]})
	}
	return all, nil
}

// bounds returns the oldest and the newest version.
func (s states) bounds() (lower, upper string) {
	first, last := s[0].version, s[0].version
	for _, one := range s {
		if one.version.compare(first) < 0 {
			first = one.version
		}
		if one.version.compare(last) > 0 {
			last = one.version
		}
	}
	return first.lower(), last.lower()
}

// newest returns the newest version that is listed, be it a prerelease or not; nil: there is none.
func (s states) newest(prerelease bool) *state {
	var newest *state
	for i, one := range s {
		if one.listed && (prerelease || one.version.prerelease == "") && (newest == nil || one.version.compare(newest.version) > 0) {
			newest = &s[i]
		}
	}
	return newest
}

// A found package is what the shard above all holds of one for search: its newest version, and the newest that is no
// prerelease where that is another.
type found struct {
	Shard      string
	Newest     json.RawMessage
	Stable     json.RawMessage `json:",omitempty"`
	Prerelease bool            // the newest is one
}

// groupFound is the group of the shard above all.
const groupFound = "found"

// found returns the entry for search; nil: no version is listed.
func (s states) found(shard string) ([]byte, error) {
	newest, stable := s.newest(true), s.newest(false)
	if newest == nil {
		return nil, nil
	}
	f := found{Shard: shard, Newest: newest.summary, Prerelease: newest.version.prerelease != ""}
	if stable != nil && stable != newest {
		f.Stable = stable.summary
	}
	return json.Marshal(f)
}

// shortURL returns an address, or nothing in place of a long one.
func shortURL(s string) string {
	if len(s) > maxSummary {
		return ""
	}
	return s
}

// shortened returns the beginning of a text, cut off between characters.
func shortened(s string) string {
	if len(s) <= maxSummary {
		return s
	}
	cut := 0
	for i := range s {
		if i > maxSummary {
			break
		}
		cut = i
	}
	return s[:cut] + "…"
}
