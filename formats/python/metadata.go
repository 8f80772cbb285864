package python

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	metadataMost = 4 << 20 // bytes of METADATA and PKG-INFO, which hold the README
	fieldMost    = 1 << 10 // bytes of a field that stands in the index
)

// core is what an index says of the metadata of a distribution
// (packaging.python.org/en/latest/specifications/core-metadata).
type core struct {
	name, version  string
	requiresPython string // empty: every Python
}

var metadataVersion = regexp.MustCompile(`^[12]\.\d+$`)

// parseCore reads METADATA or PKG-INFO, which are headers of RFC 822 with a text behind them.
func parseCore(member string, data []byte) (core, error) {
	fields, err := headers(member, data)
	if err != nil {
		return core{}, err
	}
	c := core{name: fields["name"], version: fields["version"], requiresPython: fields["requires-python"]}
	switch {
	case !metadataVersion.MatchString(fields["metadata-version"]):
		return core{}, format.Malformedf("%s says that it is of version %.20q, and 1.x and 2.x are known", member, fields["metadata-version"])
	case !isName(c.name):
		return core{}, format.Malformedf("%s says that the name of the project is %.100q, which is no name (PEP 508)", member, c.name)
	}
	canonicalVersion, ok := canonical(c.version)
	if !ok {
		return core{}, format.Malformedf("%s says that the version is %.100q, which is no version (PEP 440)", member, c.version)
	}
	c.version = canonicalVersion
	return c, nil
}

// headers returns the fields that are asked for, by their names in small letters. None of them may come twice.
func headers(member string, data []byte) (map[string]string, error) {
	wanted := map[string]bool{"metadata-version": true, "name": true, "version": true, "requires-python": true}
	fields := map[string]string{}
	last := ""
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		if text[0] == ' ' || text[0] == '\t' {
			if wanted[last] {
				return nil, format.Malformedf("%s has a second line of the field %q, which has one", member, last)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, format.Malformedf("%s has the line %.100q, which is none of a header", member, text)
		}
		if last = strings.ToLower(name); !wanted[last] {
			continue
		}
		if _, twice := fields[last]; twice {
			return nil, format.Malformedf("%s has the field %q twice", member, last)
		}
		value = strings.TrimSpace(value)
		if len(value) > fieldMost || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, format.Malformedf("%s has the field %q with control characters, or with more than %d bytes", member, last, fieldMost)
		}
		fields[last] = value
	}
	return fields, nil
}
