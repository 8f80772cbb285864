package oci

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

// signatureTags are those that cosign and the fallback scheme of referrers need: sha256-<hex>.sig and sha256-<hex>.
var signatureTags = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.sig)?$`)

const tagsPage = 1000 // tags that are asked for at once

// listTags answers tags/list without the tags of signatures. A page holds as many tags as the client asked for, so it
// may take several pages of the registry.
func (w *work) listTags(rw http.ResponseWriter, req *http.Request) error {
	query := req.URL.Query()
	want := tagsPage
	if s := query.Get("n"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errorf(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n=%.40q is not a number of tags", s)
		}
		want = min(n, tagsPage)
	}
	tags, last, more := []string{}, query.Get("last"), want > 0
	for more && len(tags) < want {
		page, rec, err := w.tagsAfter(req, last)
		if err != nil {
			return err
		}
		if page == nil {
			rec.replay(rw)
			return nil
		}
		more = rec.header.Get("Link") != "" && len(page) > 0
		for i, t := range page {
			last = t
			if !signatureTags.MatchString(t) {
				tags = append(tags, t)
			}
			if len(tags) == want {
				more = more || i < len(page)-1
				break
			}
		}
	}
	if more {
		next := url.Values{"n": {strconv.Itoa(want)}, "last": {last}}
		rw.Header().Set("Link", fmt.Sprintf("</v2/%s/tags/list?%s>; rel=\"next\"", w.name, next.Encode()))
	}
	body, err := json.Marshal(map[string]any{"name": w.name, "tags": tags})
	if err != nil {
		return err
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if req.Method != http.MethodHead {
		rw.Write(body)
	}
	return nil
}

// tagsAfter asks the registry for a page. A nil page means that the recorded answer is for the client as it is.
func (w *work) tagsAfter(req *http.Request, last string) (page []string, rec *recorder, err error) {
	out := req.Clone(req.Context())
	out.Method = http.MethodGet
	query := url.Values{"n": {strconv.Itoa(tagsPage)}}
	if last != "" {
		query.Set("last", last)
	}
	out.URL.RawQuery = query.Encode()
	rec = &recorder{header: make(http.Header), max: maxManifest}
	rec.ask(w.Registry, out)
	if rec.status != http.StatusOK {
		return nil, rec, nil
	}
	var doc struct{ Tags []string }
	if err := json.Unmarshal(rec.body.Bytes(), &doc); err != nil {
		return nil, rec, gatewayError("the registry's list of tags of %s cannot be read: %s", w.name, err)
	}
	if doc.Tags == nil {
		doc.Tags = []string{}
	}
	return doc.Tags, rec, nil
}
