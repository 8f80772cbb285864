package helm

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"

	"hallmark/formats/format"
)

const (
	sha256Hash = crypto.SHA256

	// markProvenance holds the provenance of a chart's author.
	markProvenance = "prov"
)

// The groups: the versions of a chart in its shard, and the charts in the shard above all.
const (
	groupVersions = "versions"
	groupCharts   = "charts"
)

// Parse reads a chart. Its name and version are those of Chart.yaml. An author's provenance must be one of this file.
func (f *Format) Parse(op format.Op, b format.Blob, _ []format.Signature) (format.Package, error) {
	m, err := readChart(b)
	if err != nil {
		return format.Package{}, err
	}
	file, sum := m.file(), b.Digest(sha256Hash)
	if op.Name != "" && op.Name != file {
		return format.Package{}, format.Malformedf("the address says %.200q, and the chart is %s: its name and version are those of %s",
			op.Name, file, chartFile)
	}
	e := entry{metadata: *m, URLs: []string{file}, Created: op.Time, Digest: hex.EncodeToString(sum)}
	data, err := e.line()
	if err != nil {
		return format.Package{}, err
	}
	p := format.Package{
		Path: file, Name: m.Name, Version: m.Version, Shard: m.Name, Entries: []format.Entry{{Group: groupVersions, Data: data}},
	}
	if document := op.Marks[markProvenance]; document != "" {
		name, digest, err := readProvenance(document)
		if err != nil {
			return format.Package{}, err
		}
		if name != file || !bytes.Equal(digest, sum) {
			return format.Package{}, format.Malformedf("the provenance is of %.200q with the SHA-256 %x, and the chart is %s with %x",
				name, digest, file, sum)
		}
		p.Beside = []format.Beside{{Path: file + authorSuffix, Data: []byte(document)}}
	}
	return p, nil
}

// line returns an entry as a group has it: a line with the version, by which entries are ordered, and one of JSON.
func (e *entry) line() ([]byte, error) {
	data, err := json.Marshal(e)
	return append([]byte(e.Version+"\n"), data...), err
}
