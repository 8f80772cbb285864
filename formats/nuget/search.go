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

// A hit is a package that search has found, by the version that is shown of it.
type hit struct {
	summary
	id       string    // in small letters
	versions []version // that are listed, the oldest first
	rank     int       // the smaller, the better
}

// find returns all packages that a question is about, the best first.
func (q question) find(tree format.Tree) ([]hit, error) {
	letters := foundLetters
	if q.id != "" {
		letters = q.id[:1]
	}
	var all []hit
	for _, letter := range letters {
		some, err := q.findBy(tree, groupFound(string(letter)))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b hit) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id)) })
	return all, nil
}

// findBy is find among the packages of a group.
func (q question) findBy(tree format.Tree, group string) ([]hit, error) {
	type candidate struct {
		versions []version
		newest   found
	}
	packages := map[string]*candidate{}
	for data, err := range tree.Entries("", group) {
		if err != nil {
			return nil, err
		}
		e, err := readFound(data)
		if err != nil {
			return nil, err
		}
		if !e.listed || e.version.prerelease != "" && !q.prerelease {
			continue
		}
		c := packages[e.id]
		if c == nil {
			c = &candidate{newest: e}
			packages[e.id] = c
		}
		if e.version.compare(c.newest.version) > 0 {
			c.newest = e
		}
		c.versions = append(c.versions, e.version)
	}
	var all []hit
	for id, c := range packages {
		if !q.maybe(string(c.newest.summary)) {
			continue
		}
		h := hit{id: id, versions: c.versions}
		if err := json.Unmarshal(c.newest.summary, &h.summary); err != nil {
			return nil, err
		}
		if q.is(&h) {
			slices.SortFunc(h.versions, version.compare)
			all = append(all, h)
		}
	}
	return all, nil
}

// maybe reports whether a summary can be one that is asked for, before it is read.
func (q question) maybe(summary string) bool {
	summary = strings.ToLower(summary)
	return strings.Contains(summary, q.id) && !slices.ContainsFunc(q.words, func(w string) bool {
		quoted, err := json.Marshal(w)
		return err == nil && !strings.Contains(summary, strings.ToLower(strings.Trim(string(quoted), `"`)))
	})
}

// is reports whether a package is asked for, and ranks it: by how much of its id was named.
func (q question) is(h *hit) bool {
	if q.id != "" && h.id != q.id {
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
		case h.id == w:
		case strings.HasPrefix(h.id, w):
			h.rank++
		case strings.Contains(h.id, w):
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
		data = append(data, h.result(s))
	}
	return document(map[string]any{"totalHits": len(all), "data": data})
}

// A result is one of SearchQueryService. Nobody counts downloads here.
type result struct {
	Address      string `json:"@id"`
	Type         string `json:"@type"`
	Registration string `json:"registration"`
	summary
	Authors   []string      `json:"authors"`
	Downloads int           `json:"totalDownloads"`
	Verified  bool          `json:"verified"`
	Types     []packageType `json:"packageTypes"`
	Versions  []listed      `json:"versions"`
}

type listed struct {
	Address   string `json:"@id"`
	Version   string `json:"version"`
	Downloads int    `json:"downloads"`
}

func (h hit) result(s format.Site) result {
	at := s.URL + "/" + path.Join(registration, h.id)
	r := result{
		Address: at + "/" + indexName, Type: "Package", Registration: at + "/" + indexName, summary: h.summary,
		Authors: []string{h.Authors}, Types: []packageType{}, Versions: []listed{},
	}
	for _, t := range h.Types {
		r.Types = append(r.Types, packageType{t})
	}
	r.summary.Types = nil
	for _, v := range h.versions {
		r.Versions = append(r.Versions, listed{Address: at + "/" + v.lower() + leafSuffix, Version: v.full()})
	}
	return r
}

// complete answers SearchAutocompleteService: ids, or the versions of one.
func complete(s format.Site, query string) (format.Document, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return format.Document{}, format.NotFoundf("the search is no query of a URL")
	}
	data := []string{}
	if id := strings.ToLower(values.Get("id")); id != "" {
		all, err := question{id: id, prerelease: values.Get("prerelease") == "true"}.find(s.Tree)
		if err != nil {
			return format.Document{}, err
		}
		for _, h := range all {
			for _, v := range h.versions {
				data = append(data, v.full())
			}
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
