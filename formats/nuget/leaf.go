package nuget

import (
	"path"
	"strings"
	"time"

	"hallmark/formats/format"
)

// The types below are those of the registration (learn.microsoft.com/nuget/api/registration-base-url-resource). Addresses
// begin with format.Here.
type (
	leaf struct {
		ID           string       `json:"@id"`
		Type         string       `json:"@type"`
		Entry        catalogEntry `json:"catalogEntry"`
		Content      string       `json:"packageContent"`
		Registration string       `json:"registration"`
	}
	catalogEntry struct {
		Address          string   `json:"@id"`
		Type             string   `json:"@type"`
		ID               string   `json:"id"`
		Version          string   `json:"version"`
		Authors          string   `json:"authors,omitempty"`
		Description      string   `json:"description,omitempty"`
		Title            string   `json:"title,omitempty"`
		Summary          string   `json:"summary,omitempty"`
		Tags             []string `json:"tags,omitempty"`
		ProjectURL       string   `json:"projectUrl,omitempty"`
		IconURL          string   `json:"iconUrl,omitempty"`
		LicenseURL       string   `json:"licenseUrl,omitempty"`
		License          string   `json:"licenseExpression,omitempty"`
		Language         string   `json:"language,omitempty"`
		MinClientVersion string   `json:"minClientVersion,omitempty"`
		Acceptance       bool     `json:"requireLicenseAcceptance"`
		Listed           bool     `json:"listed"`
		Published        string   `json:"published"`
		Content          string   `json:"packageContent"`
		Dependencies     []group  `json:"dependencyGroups,omitempty"`
	}
	group struct {
		Type         string  `json:"@type"`
		Framework    string  `json:"targetFramework,omitempty"`
		Dependencies []needs `json:"dependencies,omitempty"`
	}
	needs struct {
		Type         string `json:"@type"`
		ID           string `json:"id"`
		Range        string `json:"range,omitempty"`
		Registration string `json:"registration"`
	}
)

// unlistedTime is when a version was published that is not listed: clients that do not know of listed go by the year.
const unlistedTime = "1900-01-01T00:00:00+00:00"

// leaf returns what the registration says of a version.
func (m manifest) leaf(at time.Time, listed bool) leaf {
	id, version := m.lower(), m.version.lower()
	l := leaf{
		ID: here(registration, id, version+leafSuffix), Type: "Package",
		Content: here(packagePath(id, version)), Registration: here(registration, id, indexName),
	}
	l.Entry = catalogEntry{
		Address: l.ID, Type: "PackageDetails", ID: m.id, Version: m.version.full(), Authors: m.authors, Description: m.description,
		Title: m.title, Summary: m.summary, Tags: words(m.tags), ProjectURL: m.projectURL, IconURL: m.iconURL, LicenseURL: m.licenseURL,
		License: m.license, Language: m.language, MinClientVersion: m.minClientVersion, Acceptance: m.acceptance,
		Listed: listed, Published: unlistedTime, Content: l.Content,
	}
	if listed {
		l.Entry.Published = at.UTC().Format("2006-01-02T15:04:05+00:00")
	}
	for _, g := range m.groups {
		of := group{Type: "PackageDependencyGroup", Framework: g.framework}
		for _, d := range g.packages {
			of.Dependencies = append(of.Dependencies, needs{
				Type: "PackageDependency", ID: d.id, Range: rangeOf(d.versions), Registration: here(registration, strings.ToLower(d.id), indexName),
			})
		}
		l.Entry.Dependencies = append(l.Entry.Dependencies, of)
	}
	return l
}

// rangeOf returns the versions of a dependency as the registration has them: a version alone is the least one.
func rangeOf(versions string) string {
	if v, ok := parseVersion(versions); ok {
		return "[" + v.String() + ", )"
	}
	return versions
}

// words splits tags, which stand with blanks or commas between them.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\n' || r == '\r' || r == '\t' })
}

func here(parts ...string) string { return format.Here + "/" + path.Join(parts...) }
