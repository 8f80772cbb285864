package nuget

import (
	"encoding/json"
	"path"
	"strings"

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
		Address string `json:"@id"`
		Type    string `json:"@type"`
		details
		Content string `json:"packageContent"`
	}
)

// leaf returns what the registration says of a version.
func (d details) leaf() leaf {
	id, version := strings.ToLower(d.ID), d.version().lower()
	l := leaf{
		ID: here(registration, id, version+leafSuffix), Type: "Package",
		Content: here(packagePath(id, version)), Registration: here(registration, id, indexName),
	}
	l.Entry = catalogEntry{Address: l.ID, Type: "PackageDetails", details: d, Content: l.Content}
	l.Entry.Dependencies = nil
	for _, g := range d.Dependencies {
		of := group{Type: "PackageDependencyGroup", Framework: g.Framework}
		for _, n := range g.Dependencies {
			n.Type, n.Registration = "PackageDependency", here(registration, strings.ToLower(n.ID), indexName)
			of.Dependencies = append(of.Dependencies, n)
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

// marshal returns JSON in which [format.Here] stands as it is. No text of a package holds it: XML has no control characters.
func marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	const escaped = `\u0001`
	var all []byte
	for i := 0; i < len(data); {
		switch {
		case strings.HasPrefix(string(data[i:min(len(data), i+len(escaped))]), escaped):
			all, i = append(all, format.Here...), i+len(escaped)
		case data[i] == '\\':
			all, i = append(all, data[i], data[i+1]), i+2
		default:
			all, i = append(all, data[i]), i+1
		}
	}
	return all, nil
}
