package npm

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// groupHits holds a hit for each package, in the shard "".
const groupHits = "hits"

// A hit is a package that a search may find, as its latest version has it.
type hit struct {
	Name string `json:"name"`
	about
}

// Render makes what is asked for rarely, or holds who asks. Documents have the names of their addresses.
func (f *Format) Render(s format.Site, op format.Op) (format.Document, error) {
	path, query, _ := strings.Cut(op.Document, "?")
	switch path {
	case "-/ping":
		return document(struct{}{})
	case "-/whoami":
		user := s.User
		if user == "" {
			user = "anonymous"
		}
		return document(map[string]string{"username": user})
	case "-/npm/v1/keys":
		return publicKeys(s.Keys)
	case "-/all":
		return everything(s)
	case "-/v1/search":
		return search(s, query)
	}
	if name, ok := strings.CutPrefix(path, tagFolder); ok {
		return tags(s, strings.TrimSuffix(name, strings.TrimSuffix(tagMiddle, "/")))
	}
	if name, version, ok := splitName(path); ok {
		return one(s, name, version)
	}
	return format.Document{}, format.NotFoundf("a registry of npm has no document %.100q", op.Document)
}

func document(v any) (format.Document, error) {
	data, err := json.Marshal(v)
	return format.Document{Type: "application/json", Data: append(data, '\n')}, err
}

// publicKeys answers with the keys by which npm verifies dist.signatures. It finds them by their IDs, and reads neither
// type nor scheme.
func publicKeys(keys format.Keys) (format.Document, error) {
	type key struct {
		Expires *time.Time `json:"expires"`
		ID      string     `json:"keyid"`
		Type    string     `json:"keytype"`
		Scheme  string     `json:"scheme"`
		Key     string     `json:"key"`
	}
	all := []key{}
	for _, k := range keys.Of(scheme.NPM, scheme.ECDSA) {
		id, err := keyID(k.Fingerprint)
		if err != nil {
			return format.Document{}, err
		}
		block, _ := pem.Decode(k.PEM)
		if block == nil {
			return format.Document{}, format.NotFoundf("the key %s is not there", id)
		}
		all = append(all, key{nil, id, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", base64.StdEncoding.EncodeToString(block.Bytes)})
	}
	return document(map[string]any{"keys": all})
}

// found is a package in the answer to a search.
type found struct {
	Package struct {
		hit
		Scope string            `json:"scope"`
		Date  time.Time         `json:"date,omitzero"`
		Links map[string]string `json:"links"`
		// npm search reads its length.
		Maintainers []struct{} `json:"maintainers"`
	} `json:"package"`
	Score       map[string]any `json:"score"`
	SearchScore float64        `json:"searchScore"`
}

// The sizes of a page of a search: those of registry.npmjs.org.
const (
	pageDefault = 20
	pageMost    = 250
)

// search answers GET /-/v1/search?text=…&size=…&from=…. Each word must be in the name, the description or the keywords of a
// package.
func search(s format.Site, query string) (format.Document, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return format.Document{}, format.Malformedf("the search is no query")
	}
	size, err := strconv.Atoi(values.Get("size"))
	if err != nil || size < 0 || size > pageMost {
		size = pageDefault
	}
	from, err := strconv.Atoi(values.Get("from"))
	if err != nil || from < 0 {
		from = 0
	}
	words := strings.Fields(strings.ToLower(values.Get("text")))
	objects, total := []found{}, 0
	for data, err := range s.Tree.Entries("", groupHits) {
		if err != nil {
			return format.Document{}, err
		}
		text := strings.ToLower(string(data))
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		var h hit
		if err := json.Unmarshal(data, &h); err != nil {
			return format.Document{}, err
		}
		if !h.matches(words) {
			continue
		}
		if total++; total > from && len(objects) < size {
			objects = append(objects, h.found())
		}
	}
	return document(map[string]any{"objects": objects, "total": total, "time": ""})
}

func (h *hit) matches(words []string) bool {
	text := strings.ToLower(h.Name + " " + h.Description + " " + string(h.Keywords))
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

func (h *hit) found() found {
	var f found
	f.Package.hit, f.Package.Scope, f.Package.Date = *h, "unscoped", h.Time
	if scope, _, ok := strings.Cut(h.Name, "/"); ok {
		f.Package.Scope = strings.TrimPrefix(scope, "@")
	}
	f.Package.Links, f.Package.Maintainers = map[string]string{}, []struct{}{}
	if h.Homepage != "" {
		f.Package.Links["homepage"] = h.Homepage
	}
	f.Score = map[string]any{"final": 1, "detail": map[string]float64{"quality": 1, "popularity": 1, "maintenance": 1}}
	f.SearchScore = 1
	return f
}

// everything answers GET /-/all, by which older Unity editors find packages.
func everything(s format.Site) (format.Document, error) {
	all := map[string]any{"_updated": 0}
	for data, err := range s.Tree.Entries("", groupHits) {
		if err != nil {
			return format.Document{}, err
		}
		var h hit
		if err := json.Unmarshal(data, &h); err != nil {
			return format.Document{}, err
		}
		all[h.Name] = map[string]any{
			"name": h.Name, "description": h.Description, "keywords": h.Keywords,
			"dist-tags": map[string]string{"latest": h.Version}, "versions": map[string]string{h.Version: "latest"},
			"time": map[string]string{"modified": h.Time.UTC().Format(timeForm)},
		}
	}
	return document(all)
}

// entriesOf reads the groups of a package.
func entriesOf(s format.Site, name string) func(group string) ([][]byte, error) {
	return func(group string) ([][]byte, error) {
		var all [][]byte
		for data, err := range s.Tree.Entries(name, group) {
			if err != nil {
				return nil, err
			}
			all = append(all, data)
		}
		return all, nil
	}
}

func summaryOf(s format.Site, name string) (*summary, error) {
	sum, err := read(entriesOf(s, name))
	if err == nil && len(sum.versions) == 0 {
		return nil, format.NotFoundf("there is no package %.100q", name)
	}
	return sum, err
}

// tags answers GET /-/package/NAME/dist-tags.
func tags(s format.Site, name string) (format.Document, error) {
	sum, err := summaryOf(s, name)
	if err != nil {
		return format.Document{}, err
	}
	return format.Document{Type: "application/json", Data: []byte(sum.tagObject() + "\n")}, nil
}

// one answers GET /NAME/VERSION, or with a tag in place of the version.
func one(s format.Site, name, version string) (format.Document, error) {
	sum, err := summaryOf(s, name)
	if err != nil {
		return format.Document{}, err
	}
	for _, t := range sum.tags {
		if t[0] == version {
			version = t[1]
			break
		}
	}
	quoted, err := json.Marshal(version)
	if err != nil {
		return format.Document{}, err
	}
	for data, err := range s.Tree.Entries(name, groupFull) {
		if err != nil {
			return format.Document{}, err
		}
		if manifest, ok := strings.CutPrefix(string(data), ","+string(quoted)+":"); ok {
			return format.Document{Type: "application/json", Data: []byte(strings.ReplaceAll(manifest, format.Here, s.URL) + "\n")}, nil
		}
	}
	return format.Document{}, format.NotFoundf("there is no version %.100q of %.100q", version, name)
}
