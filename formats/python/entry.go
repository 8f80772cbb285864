package python

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"time"

	"hallmark/formats/format"
)

// The groups of a shard, which is a project, and of the shard above all: one for each form of its page.
const (
	groupHTML = "html"
	groupJSON = "json"
)

// A link is what the page of a project says of a file. Addresses are relative to the page.
type link struct {
	file           string
	sha256         []byte
	size           int64 // negative: unknown
	requiresPython string
	metadata       []byte    // SHA-256 of those that are served beside it; nil: there are none
	yanked         *string   // why; nil: it is not
	uploaded       time.Time // zero: unknown
}

// entries returns a link in each form.
func (l link) entries() ([]format.Entry, error) {
	data, err := l.json()
	return []format.Entry{{Group: groupHTML, Data: l.html()}, {Group: groupJSON, Data: data}}, err
}

// html returns a link of PEP 503, with the attributes of PEP 592, 658 and 714. Each file has a signature, which is F.asc.
func (l link) html() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `    <a href="%s#sha256=%x" data-gpg-sig="true"`, l.file, l.sha256)
	if l.requiresPython != "" {
		fmt.Fprintf(&b, ` data-requires-python="%s"`, html.EscapeString(l.requiresPython))
	}
	if l.metadata != nil {
		fmt.Fprintf(&b, ` data-core-metadata="sha256=%[1]x" data-dist-info-metadata="sha256=%[1]x"`, l.metadata)
	}
	if l.yanked != nil {
		fmt.Fprintf(&b, ` data-yanked="%s"`, html.EscapeString(*l.yanked))
	}
	fmt.Fprintf(&b, ">%s</a><br/>\n", l.file)
	return b.Bytes()
}

// json returns a file of PEP 691, with the size and the time of PEP 700, and with a comma in front.
func (l link) json() ([]byte, error) {
	type hashes struct {
		SHA256 string `json:"sha256"`
	}
	entry := struct {
		Filename       string  `json:"filename"`
		URL            string  `json:"url"`
		Hashes         hashes  `json:"hashes"`
		Size           *int64  `json:"size,omitempty"`
		RequiresPython string  `json:"requires-python,omitempty"`
		CoreMetadata   *hashes `json:"core-metadata,omitempty"`
		DistInfo       *hashes `json:"dist-info-metadata,omitempty"`
		GPGSig         bool    `json:"gpg-sig"`
		Yanked         any     `json:"yanked"`
		UploadTime     string  `json:"upload-time,omitempty"`
	}{
		Filename: l.file, URL: l.file, Hashes: hashes{hex.EncodeToString(l.sha256)}, RequiresPython: l.requiresPython,
		GPGSig: true, Yanked: false,
	}
	if l.size >= 0 {
		entry.Size = &l.size
	}
	if l.metadata != nil {
		entry.CoreMetadata = &hashes{hex.EncodeToString(l.metadata)}
		entry.DistInfo = entry.CoreMetadata
	}
	if !l.uploaded.IsZero() {
		entry.UploadTime = l.uploaded.Format(time.RFC3339)
	}
	if l.yanked != nil {
		entry.Yanked = *l.yanked
	}
	data, err := json.Marshal(entry)
	return append([]byte{','}, data...), err
}
