package helm

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	indexMost          = 16 << 20 // bytes of an upstream's index, which takes many times that to read
	indexSignatureMost = 64 << 10
)

// elsewhere is the context of an entry whose chart is fetched from its whole address.
const elsewhere = "elsewhere"

// Scope returns the only scope, the index of all charts.
func (f *Format) Scope(p string) (string, bool) {
	chart := strings.TrimSuffix(strings.TrimSuffix(p, provenanceSuffix), ".asc")
	return "", together(p) != "" || isArchive(chart) || strings.HasPrefix(p, apiCharts)
}

// Follow emits what index.yaml says of each version of each chart, as JSON. Its signature is index.yaml.asc, as here: a
// repository that helm repo index has made gets one by gpg --armor --detach-sign. Entries that helm passes over, since their
// name or version is none, are passed over.
func (f *Format) Follow(u format.Upstream, _ string) (format.Edition, error) {
	b, err := u.Fetch(indexName, format.Wanted{Limit: indexMost})
	if err != nil {
		return format.Edition{}, err
	}
	if err := verifyIndex(u, b); err != nil {
		return format.Edition{}, err
	}
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return format.Edition{}, err
	}
	var index struct {
		APIVersion string             `yaml:"apiVersion"`
		Entries    map[string][]entry `yaml:"entries"`
		Generated  time.Time          `yaml:"generated"`
	}
	if err := decode(indexName, data, &index); err != nil {
		return format.Edition{}, err
	}
	if index.APIVersion != "v1" {
		return format.Edition{}, format.Malformedf("%s has the apiVersion %.50q, and v1 is known", indexName, index.APIVersion)
	}
	for _, name := range slices.Sorted(maps.Keys(index.Entries)) {
		for _, e := range index.Entries[name] {
			if e.Name != name || e.check(indexName) != nil {
				continue
			}
			stanza, err := json.Marshal(e)
			if err != nil {
				return format.Edition{}, format.Malformedf("%s has a date of %.100s that cannot be: %.200v", indexName, e.file(), err)
			}
			context := ""
			if u.Reaches(e.address()) {
				context = elsewhere
			}
			if err := u.Emit(indexName, context, stanza); err != nil {
				return format.Edition{}, err
			}
		}
	}
	return format.Edition{Order: max(0, index.Generated.Unix())}, nil
}

// verifyIndex verifies the signature of an index. Where the upstream is trusted without a key, nobody is asked for one.
func verifyIndex(u format.Upstream, index format.Blob) error {
	// Only without a key is no signature at all a good one.
	if _, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil); !errors.Is(err, format.ErrMalformed) {
		return err
	}
	var signature []byte
	switch b, err := u.Fetch(indexSignature, format.Wanted{Limit: indexSignatureMost}); {
	case err == nil:
		if signature, err = io.ReadAll(io.NewSectionReader(b, 0, b.Size())); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, err := u.Verify(scheme.OpenPGPArmored, io.NewSectionReader(index, 0, index.Size()), signature)
	return err
}

// Describe reads an entry. The chart is at its first address. One with a server in it is asked for there, if that may be, and is
// otherwise taken for one beside the index: that is how helm repo index --url writes it for the name that clients know, which may
// be ours by now. Its digest says what the chart is.
func (f *Format) Describe(_, context string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	var e entry
	if err := json.Unmarshal(stanza, &e); err != nil {
		return format.Foreign{}, format.Malformedf("%.200q is no entry of an index", stanza)
	}
	if err := e.check(indexName); err != nil {
		return format.Foreign{}, err
	}
	sum, err := hex.DecodeString(strings.TrimPrefix(e.Digest, "sha256:"))
	if err != nil || len(sum) != 32 {
		return format.Foreign{}, format.Malformedf("%s of %s has the digest %.100q, which is no SHA-256: make it with `helm repo index`",
			indexName, e.file(), e.Digest)
	}
	source, err := e.source()
	if err != nil {
		return format.Foreign{}, err
	}
	if address := e.address(); context == elsewhere && address != "" {
		source = address
	}
	e.URLs, e.Digest = []string{e.file()}, hex.EncodeToString(sum)
	data, err := e.line()
	if err != nil {
		return format.Foreign{}, format.Malformedf("%s of %s cannot be written: %.200v", indexName, e.file(), err)
	}
	return format.Foreign{
		Package: format.Package{
			Path: e.file(), Name: e.Name, Version: e.Version, Shard: e.Name, Entries: []format.Entry{{Group: groupVersions, Data: data}},
		},
		Source: source,
		Size:   -1,
		SHA256: sum,
	}, nil
}

// address returns the whole address of a chart, if the entry says one.
func (e *entry) address() string {
	if len(e.URLs) == 0 {
		return ""
	}
	if _, err := format.ParseAddress(e.URLs[0]); err != nil {
		return ""
	}
	return e.URLs[0]
}

// source returns the path of a chart at the upstream.
func (e *entry) source() (string, error) {
	if len(e.URLs) == 0 {
		return "", format.Malformedf("%s says of %s at no address where it is", indexName, e.file())
	}
	address, err := url.Parse(e.URLs[0])
	if err != nil || address.Opaque != "" || address.RawQuery != "" {
		return "", format.Malformedf("%s says that %s is at %.200q, which is no address of a file", indexName, e.file(), e.URLs[0])
	}
	p := strings.TrimPrefix(address.Path, "/")
	if address.Host != "" {
		p = path.Base(p)
	}
	if !fs.ValidPath(p) || p == "." || len(p) > 2048 || strings.ContainsFunc(p, isControl) {
		return "", format.Malformedf("%s says that %s is at %.200q, which is no path of a file", indexName, e.file(), e.URLs[0])
	}
	return p, nil
}
