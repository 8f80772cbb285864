package nuget

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

// A details is what is said of one version of a package: in the registration
// (learn.microsoft.com/nuget/api/registration-base-url-resource), and, with what its bytes are, in the list that is signed.
type details struct {
	ID               string        `json:"id"`
	Version          string        `json:"version"`
	Authors          string        `json:"authors,omitempty"`
	Description      string        `json:"description,omitempty"`
	Title            string        `json:"title,omitempty"`
	Summary          string        `json:"summary,omitempty"`
	Tags             []string      `json:"tags,omitempty"`
	ProjectURL       string        `json:"projectUrl,omitempty"`
	IconURL          string        `json:"iconUrl,omitempty"`
	LicenseURL       string        `json:"licenseUrl,omitempty"`
	License          string        `json:"licenseExpression,omitempty"`
	Language         string        `json:"language,omitempty"`
	MinClientVersion string        `json:"minClientVersion,omitempty"`
	Acceptance       bool          `json:"requireLicenseAcceptance"`
	Listed           bool          `json:"listed"`
	Published        string        `json:"published"`
	Types            []packageType `json:"packageTypes,omitempty"`
	Dependencies     []group       `json:"dependencyGroups,omitempty"`
}

type packageType struct {
	Name string `json:"name"`
}

// A group is the dependencies for one target framework, or for any. Address is that of a registration; it is empty in lists
// that are signed.
type (
	group struct {
		Type         string  `json:"@type,omitempty"`
		Framework    string  `json:"targetFramework,omitempty"`
		Dependencies []needs `json:"dependencies,omitempty"`
	}
	needs struct {
		Type         string `json:"@type,omitempty"`
		ID           string `json:"id"`
		Range        string `json:"range,omitempty"`
		Registration string `json:"registration,omitempty"`
	}
)

// A listed package is a line of the list that is signed.
type listedPackage struct {
	SHA256 string `json:"sha256,omitempty"` // empty: an upstream does not say it
	SHA512 string `json:"sha512,omitempty"` // in its place
	Size   int64  `json:"size,omitempty"`
	Source string `json:"source,omitempty"` // where the upstream has it, if that is another place than here
	details
}

// unlistedTime is when a version was published that is not listed: clients that do not know of listed go by the year.
const unlistedTime = "1900-01-01T00:00:00+00:00"

// details returns what a package says of itself.
func (m manifest) details(at time.Time, listed bool) details {
	d := details{
		ID: m.id, Version: m.version.full(), Authors: m.authors, Description: m.description, Title: m.title, Summary: m.summary,
		Tags: words(m.tags), ProjectURL: m.projectURL, IconURL: m.iconURL, LicenseURL: m.licenseURL, License: m.license,
		Language: m.language, MinClientVersion: m.minClientVersion, Acceptance: m.acceptance, Listed: listed, Published: unlistedTime,
	}
	if listed {
		d.Published = at.UTC().Format("2006-01-02T15:04:05+00:00")
	}
	for _, t := range m.types {
		d.Types = append(d.Types, packageType{t})
	}
	for _, g := range m.groups {
		of := group{Framework: g.framework}
		for _, on := range g.packages {
			of.Dependencies = append(of.Dependencies, needs{ID: on.id, Range: rangeOf(on.versions)})
		}
		d.Dependencies = append(d.Dependencies, of)
	}
	return d
}

// check refuses details of an upstream that no package could have.
func (d details) check() error {
	v, ok := parseVersion(d.Version)
	if !isID(d.ID) || !ok || v.full() != d.Version {
		return format.Malformedf("the upstream has a package %.120q with the version %.80q, which are no id and version", d.ID, d.Version)
	}
	texts := []string{
		d.Authors, d.Description, d.Title, d.Summary, d.ProjectURL, d.IconURL, d.LicenseURL, d.License, d.Language, d.MinClientVersion, d.Published,
	}
	for _, t := range d.Types {
		texts = append(texts, t.Name)
	}
	for _, text := range append(texts, d.Tags...) {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, isStrange) {
			return format.Malformedf("the upstream says of %s %s what is too long or holds control characters", d.ID, d.Version)
		}
	}
	for _, g := range d.Dependencies {
		for _, n := range g.Dependencies {
			if !isID(n.ID) || !isWord(n.Range) {
				return format.Malformedf("the upstream says that %s %s depends on %.120q %.100q, which is no id with versions", d.ID, d.Version, n.ID, n.Range)
			}
		}
		if !isWord(g.Framework) {
			return format.Malformedf("the upstream says that %s %s depends on something for %.100q, which is no framework", d.ID, d.Version, g.Framework)
		}
	}
	return nil
}

// isStrange reports whether a character is none of a text.
func isStrange(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }

// version returns the version, which is one.
func (d details) version() version {
	v, _ := parseVersion(d.Version)
	return v
}

// The groups of a shard, which is a package with all of its versions.
const (
	groupVersions = "versions" // for the list of versions
	groupLeaves   = "leaves"   // for the registration
	groupSigned   = "signed"   // for the list that is signed
)

// entries returns what the indexes of a package hold of one version.
func (p listedPackage) entries() ([]format.Entry, error) {
	leaf, err := marshal(p.details.leaf())
	if err != nil {
		return nil, err
	}
	found, err := p.details.found()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return []format.Entry{
		{Group: groupVersions, Data: fmt.Appendf(nil, ",%q", p.version().lower())},
		{Group: groupLeaves, Data: append([]byte(","), leaf...)},
		{Group: groupSigned, Data: append(line, '\n')},
		{Group: groupFound(p.ID), Data: found, Root: true},
	}, nil
}

// sum returns the SHA-256 of a package, and nil if it is not said.
func (p listedPackage) sum() ([]byte, error) {
	if p.SHA256 == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(p.SHA256)
	if err != nil || len(sum) != 32 {
		return nil, format.Malformedf("the upstream says that %s %s has the SHA-256 %.100q, which is none", p.ID, p.Version, p.SHA256)
	}
	return sum, nil
}
