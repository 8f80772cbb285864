package nuget

import (
	"cmp"
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// How many packages search shows, and how many it can be asked for.
const (
	takeUsual = 20
	takeMost  = 100
)

// A question is what search is asked (learn.microsoft.com/nuget/api/search-query-service-resource).
type question struct {
	words      []string // in small letters; all must be found
	id         string   // exactly
	kind       string   // of the package; "" for any
	skip, take int
	prerelease bool
}

func parseQuestion(query string) (question, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return question{}, format.NotFoundf("the search is no query of a URL")
	}
	q := question{kind: strings.ToLower(values.Get("packageType")), take: takeUsual, prerelease: values.Get("prerelease") == "true"}
	for _, word := range strings.Fields(strings.ToLower(values.Get("q"))) {
		if id, ok := strings.CutPrefix(word, "packageid:"); ok {
			q.id = id
			continue
		}
		q.words = append(q.words, word)
	}
	if n, err := strconv.Atoi(values.Get("skip")); err == nil {
		q.skip = max(0, n)
	}
	if n, err := strconv.Atoi(values.Get("take")); err == nil {
		q.take = min(max(0, n), takeMost)
	}
	return q, nil
}

// A hit is a package that search has found.
type hit struct {
	shard string
	summary
	rank int // the smaller, the better
}

// find returns all packages that a question is about, the best first.
func (q question) find(tree format.Tree) ([]hit, error) {
	var all []hit
	for data, err := range tree.Entries("", groupFound) {
		if err != nil {
			return nil, err
		}
		if !q.maybe(string(data)) {
			continue
		}
		var f found
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, err
		}
		shown := f.Newest
		if f.Prerelease && !q.prerelease {
			if shown = f.Stable; shown == nil {
				continue
			}
		}
		h := hit{shard: f.Shard}
		if err := json.Unmarshal(shown, &h.summary); err != nil {
			return nil, err
		}
		if q.is(&h) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b hit) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.shard, b.shard)) })
	return all, nil
}

// maybe reports whether an entry can be one that is asked for, before it is read.
func (q question) maybe(entry string) bool {
	entry = strings.ToLower(entry)
	return strings.Contains(entry, q.id) && !slices.ContainsFunc(q.words, func(w string) bool {
		quoted, err := json.Marshal(w)
		return err == nil && !strings.Contains(entry, strings.ToLower(strings.Trim(string(quoted), `"`)))
	})
}

// is reports whether a package is asked for, and ranks it: by how much of its id was named.
func (q question) is(h *hit) bool {
	if q.id != "" && h.shard != q.id {
		return false
	}
	kinds := h.Types
	if len(kinds) == 0 {
		kinds = []string{"Dependency"}
	}
	if q.kind != "" && !slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, q.kind) }) {
		return false
	}
	text := strings.ToLower(strings.Join(append([]string{h.ID, h.Title, h.Description, h.Summary, h.Authors}, h.Tags...), "\n"))
	for _, w := range q.words {
		switch {
		case h.shard == w:
		case strings.HasPrefix(h.shard, w):
			h.rank++
		case strings.Contains(h.shard, w):
			h.rank += 2
		case strings.Contains(text, w):
			h.rank += 4
		default:
			return false
		}
	}
	return true
}

// page returns the hits that are asked for.
func (q question) page(all []hit) []hit {
	all = all[min(q.skip, len(all)):]
	return all[:min(q.take, len(all))]
}

// search answers SearchQueryService.
func search(s format.Site, query string) (format.Document, error) {
	q, err := parseQuestion(query)
	if err != nil {
		return format.Document{}, err
	}
	all, err := q.find(s.Tree)
	if err != nil {
		return format.Document{}, err
	}
	data := []result{}
	for _, h := range q.page(all) {
		r, err := h.result(s, q.prerelease)
		if err != nil {
			return format.Document{}, err
		}
		data = append(data, r)
	}
	return document(map[string]any{"totalHits": len(all), "data": data})
}

// A result is one of SearchQueryService. Nobody counts downloads here.
type result struct {
	Address      string `json:"@id"`
	Type         string `json:"@type"`
	Registration string `json:"registration"`
	summary
	Authors   []string         `json:"authors"`
	Downloads int              `json:"totalDownloads"`
	Verified  bool             `json:"verified"`
	Types     []map[string]any `json:"packageTypes"`
	Versions  []listed         `json:"versions"`
}

type listed struct {
	Address   string `json:"@id"`
	Version   string `json:"version"`
	Downloads int    `json:"downloads"`
}

func (h hit) result(s format.Site, prerelease bool) (result, error) {
	at := s.URL + "/" + path.Join(registration, h.shard)
	r := result{
		Address: at + "/" + indexName, Type: "Package", Registration: at + "/" + indexName, summary: h.summary,
		Authors: []string{h.Authors}, Types: []map[string]any{}, Versions: []listed{},
	}
	for _, t := range h.Types {
		r.Types = append(r.Types, map[string]any{"name": t})
	}
	r.summary.Types = nil
	versions, err := versionsOf(s.Tree, h.shard, prerelease)
	for _, v := range versions {
		r.Versions = append(r.Versions, listed{Address: at + "/" + v.lower() + leafSuffix, Version: v.full()})
	}
	return r, err
}

// versionsOf returns the versions of a package that are listed, the oldest first.
func versionsOf(tree format.Tree, shard string, prerelease bool) ([]version, error) {
	var entries [][]byte
	for data, err := range tree.Entries(shard, groupStates) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, data)
	}
	all, err := readStates(entries, nil)
	if err != nil {
		return nil, err
	}
	var versions []version
	for _, one := range all {
		if one.listed && (prerelease || one.version.prerelease == "") {
			versions = append(versions, one.version)
		}
	}
	slices.SortFunc(versions, version.compare)
	return versions, nil
}

// complete answers SearchAutocompleteService: ids, or the versions of one.
func complete(s format.Site, query string) (format.Document, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return format.Document{}, format.NotFoundf("the search is no query of a URL")
	}
	data := []string{}
	if id := strings.ToLower(values.Get("id")); id != "" {
		versions, err := versionsOf(s.Tree, id, values.Get("prerelease") == "true")
		if err != nil {
			return format.Document{}, err
		}
		for _, v := range versions {
			data = append(data, v.full())
		}
		return document(map[string]any{"data": data})
	}
	q, err := parseQuestion(query)
	if err != nil {
		return format.Document{}, err
	}
	all, err := q.find(s.Tree)
	if err != nil {
		return format.Document{}, err
	}
	for _, h := range q.page(all) {
		data = append(data, h.ID)
	}
	return document(map[string]any{"totalHits": len(all), "data": data})
}
