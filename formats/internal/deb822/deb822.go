// Package deb822 reads the control files of Debian: stanzas of fields (deb822(5), and Debian Policy section 5.1).
package deb822

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	maxFields = 1000
	maxName   = 100
)

// A Field is one field of a stanza.
type Field struct {
	Name string
	// Value has no space at its ends. Lines that continue it follow after a newline, as they stand, which is with the
	// space that they begin with, and without spaces at their end.
	Value string
}

// A Stanza is fields in their order. No name stands in it twice, whatever its case.
type Stanza []Field

// Get returns the value of a field, whatever the case of its name, and "" for one that there is not.
func (s Stanza) Get(name string) string {
	value, _ := s.Lookup(name)
	return value
}

// Lookup returns the value of a field and whether it is there.
func (s Stanza) Lookup(name string) (string, bool) {
	for _, f := range s {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Append appends a field to text, in the form of a stanza.
func Append(text []byte, f Field) []byte {
	text = append(text, f.Name...)
	text = append(text, ':')
	// Nothing stands on the first line of a field like Files.
	if f.Value != "" && f.Value[0] != '\n' {
		text = append(text, ' ')
	}
	text = append(text, f.Value...)
	return append(text, '\n')
}

// Parse returns the only stanza of a text. The error for any other text wraps [format.ErrMalformed].
//
// It is stricter than its readers where they differ from each other: a blank line may stand at the beginning and the end
// alone, a line of spaces nowhere, and neither comments nor carriage returns are allowed. The text must be UTF-8 without
// control characters.
func Parse(text []byte) (Stanza, error) {
	if !utf8.Valid(text) {
		return nil, format.Malformedf("the text is not UTF-8")
	}
	body := strings.Trim(string(text), "\n")
	if body == "" {
		return nil, format.Malformedf("the text has no fields")
	}
	var stanza Stanza
	seen := map[string]bool{}
	var value strings.Builder
	end := func() {
		if len(stanza) > 0 {
			stanza[len(stanza)-1].Value = value.String()
			value.Reset()
		}
	}
	number := 0
	for line := range strings.SplitSeq(body, "\n") {
		number++
		if i := strings.IndexFunc(line, forbidden); i >= 0 {
			return nil, format.Malformedf("line %d has a control character in it: %.100q", number, line)
		}
		line = strings.TrimRight(line, " \t")
		switch {
		case line == "":
			return nil, format.Malformedf("line %d is blank, and there must be one stanza alone", number)
		case line[0] == ' ' || line[0] == '\t':
			if len(stanza) == 0 {
				return nil, format.Malformedf("line %d continues a field, and there is none before it", number)
			}
			value.WriteByte('\n')
			value.WriteString(line)
			continue
		}
		name, first, ok := strings.Cut(line, ":")
		if !ok || !isName(name) {
			return nil, format.Malformedf("line %d is not of the form \"Name: value\": %.100q", number, line)
		}
		key := strings.ToLower(name)
		if seen[key] {
			return nil, format.Malformedf("line %d has the field %q for the second time", number, name)
		}
		if len(stanza) == maxFields {
			return nil, format.Malformedf("there are more than %d fields", maxFields)
		}
		seen[key] = true
		end()
		stanza = append(stanza, Field{Name: name})
		value.WriteString(strings.Trim(first, " \t"))
	}
	end()
	return stanza, nil
}

// isName reports whether a field may have the name: printable ASCII without spaces, and neither "#" nor "-" first.
func isName(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '#' || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// forbidden holds for control characters, of Unicode's second row too: terminals obey them.
func forbidden(r rune) bool {
	return unicode.IsControl(r) && r != '\t'
}
