package helm

import (
	"bytes"
	"encoding/json"
	"strings"

	"hallmark/formats/format"
)

// Render returns what ChartMuseum's API says: all charts, the versions of one, or one of them.
func (f *Format) Render(s format.Site, op format.Op) (format.Document, error) {
	name, version, one := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(op.Document, apiCharts), "/"), "/")
	var data []byte
	var err error
	switch {
	case op.Document == apiCharts:
		data, err = all(s.Tree)
	case !strings.HasPrefix(op.Document, apiCharts+"/"):
		err = format.NotFoundf("a repository of charts has no document %.100q", op.Document)
	case one:
		data, err = versionOf(s.Tree, name, version)
	default:
		data, err = chartOf(s.Tree, name)
	}
	return format.Document{Type: "application/json", Data: append(data, '\n')}, err
}

// all returns the versions of each chart, by its name.
func all(t format.Tree) ([]byte, error) {
	data := []byte{'{'}
	for e, err := range t.Entries("", groupCharts) {
		if err != nil {
			return nil, err
		}
		if len(data) == 1 {
			e = e[1:]
		}
		data = append(data, e...)
	}
	return append(data, '}'), nil
}

func chartOf(t format.Tree, name string) ([]byte, error) {
	var entries [][]byte
	for e, err := range t.Entries(name, groupVersions) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, bytes.Clone(e))
	}
	if len(entries) == 0 {
		return nil, format.NotFoundf("there is no chart %.100q", name)
	}
	return versions(entries), nil
}

func versionOf(t format.Tree, name, version string) ([]byte, error) {
	for e, err := range t.Entries(name, groupVersions) {
		if err != nil {
			return nil, err
		}
		if is, data, _ := bytes.Cut(e, []byte("\n")); string(is) == version && json.Valid(data) {
			return bytes.Clone(data), nil
		}
	}
	return nil, format.NotFoundf("there is no chart %.100q of the version %.100q", name, version)
}
