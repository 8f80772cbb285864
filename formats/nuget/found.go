package nuget

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// A found version is what search knows of it: an entry of the shard above all, as "ID VERSION LISTED SUMMARY". The summary, in
// JSON, is read of the versions that are shown alone.
type found struct {
	id      string // in small letters
	version version
	listed  bool
	summary []byte
}

// foundLetters are what ids begin with. Each letter has a group, since no more than some 64 MiB of one can be read.
const foundLetters = "abcdefghijklmnopqrstuvwxyz0123456789_"

func groupFound(id string) string { return "found " + strings.ToLower(id[:1]) }

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

// maxSummary is how many bytes of each text search shows: it reads those of all versions.
const maxSummary = 500

// found returns the entry of a version.
func (d details) found() ([]byte, error) {
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
	return fmt.Appendf(nil, "%s %s %t %s", strings.ToLower(d.ID), d.Version, d.Listed, data), nil
}

func readFound(entry []byte) (found, error) {
	fields := bytes.SplitN(entry, []byte(" "), 4)
	if len(fields) != 4 {
		return found{}, fmt.Errorf("the entry %.100q of a version", entry)
	}
	v, ok := parseVersion(string(fields[1]))
	if !ok {
		return found{}, fmt.Errorf("the entry %.100q of a version", entry)
	}
	return found{string(fields[0]), v, string(fields[2]) == "true", fields[3]}, nil
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
