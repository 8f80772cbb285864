package attacks

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// Rule: a new index is never hidden by what a client has of the old one: dates have no fractions, and there may be many
// generations in a second.

func TestTwoGenerationsOfOneSecondAreToldApart(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		t.Run(format, func(t *testing.T) {
			d.put(t, goodInput[format].path, goodInput[format].body)
			for _, index := range indexes[format] {
				if index == "repodata/repomd.xml.key" {
					continue // the keys stay what they are
				}
				path := "/" + format + "/" + index
				d.publish(t, format)
				for i := range 4 {
					old := d.newest().ask(t, http.MethodGet, path).expect(t, http.StatusOK)
					if old.header.Get("Cache-Control") != "no-cache" {
						t.Errorf("%s may be cached: %v", path, old.header)
					}
					d.publishBeside(t, format, index)
					for what, headers := range map[string][]string{
						"its date":            {"If-Modified-Since", old.header.Get("Last-Modified")},
						"the answer's date":   {"If-Modified-Since", old.header.Get("Date")},
						"now":                 {"If-Modified-Since", time.Now().UTC().Format(http.TimeFormat)},
						"its tag":             {"If-None-Match", old.header.Get("Etag")},
						"its tag and date":    {"If-None-Match", old.header.Get("Etag"), "If-Modified-Since", old.header.Get("Date")},
						"its tag as a weak":   {"If-None-Match", "W/" + old.header.Get("Etag")},
						"its tag for a range": {"Range", "bytes=5-", "If-Range", old.header.Get("Etag")},
						"a date for a range":  {"Range", "bytes=5-", "If-Range", old.header.Get("Date")},
					} {
						w := d.newest().ask(t, http.MethodGet, path, headers...)
						if w.status != http.StatusOK || bytes.Equal(w.body, old.body) {
							t.Errorf("%s, round %d: by %s it is %d, and the old one: %t", path, i, what, w.status, bytes.Equal(w.body, old.body))
						}
					}
				}
			}
		})
	}
}

// publishBeside changes an index file of a repository.
func (d *depot) publishBeside(t *testing.T, repository, index string) {
	t.Helper()
	before := d.newest().ask(t, http.MethodGet, "/"+repository+"/"+index).body
	d.publish(t, repository)
	if after := d.newest().ask(t, http.MethodGet, "/"+repository+"/"+index).body; bytes.Equal(before, after) {
		t.Fatalf("%s has not changed", index)
	}
}

// A file that may be overwritten is a file whose date tells as little.
func TestAnOverwrittenFileIsNotHiddenByItsDate(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw"}, settings: "    raw: {overwrite: true}\n"})
	at := d.put(t, "/raw/a/latest", []byte("0"))
	for i := range 20 {
		for _, path := range []string{at, at + ".asc", at + ".sigstore.json"} {
			old := d.api.get(t, path).expect(t, http.StatusOK)
			next := []byte(fmt.Sprintf("%d %s", i, path))
			if w := d.api.do(t, http.MethodPut, at, next); w.status/100 != 2 {
				t.Fatalf("%s: %d %s", w.line, w.status, w.body)
			}
			for what, headers := range map[string][]string{
				"date": {"If-Modified-Since", old.header.Get("Date")}, "tag": {"If-None-Match", old.header.Get("Etag")},
				"a range of the tag": {"Range", "bytes=1-", "If-Range", old.header.Get("Etag")},
			} {
				if w := d.api.get(t, path, headers...); w.status != http.StatusOK || bytes.Equal(w.body, old.body) {
					t.Errorf("%s by its %s: %d %s", path, what, w.status, w.body)
				}
			}
			if err := d.beside(d.fetch, "raw", at, next); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestReadersGetPartsAndTags(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian"}})
	at := d.put(t, "/debian/stable/main/", deb{noise: 100_000}.build())
	for range 50 {
		d.publish(t, "debian") // so that the index has several segments
	}
	packages := "/debian/dists/stable/main/binary-amd64/Packages"
	for _, path := range []string{at, at + ".asc", "/debian/dists/stable/InRelease", packages, packages + ".gz"} {
		w := d.api.get(t, path).expect(t, http.StatusOK)
		tag, size := w.header.Get("Etag"), len(w.body)
		head := d.api.do(t, http.MethodHead, path, nil).expect(t, http.StatusOK)
		if head.header.Get("Etag") != tag || head.header.Get("Content-Length") != strconv.Itoa(size) || len(head.body) > 0 || len(tag) < 10 {
			t.Errorf("HEAD of %s: %v, GET has the tag %s and %d bytes", path, head.header, tag, size)
		}
		same := d.api.get(t, path, "If-None-Match", tag).expect(t, http.StatusNotModified)
		if len(same.body) > 0 {
			t.Errorf("%s: 304 with %d bytes", path, len(same.body))
		}
		for ranges, want := range map[string][2]int{
			"bytes=0-0": {0, 1}, "bytes=10-19": {10, 20}, fmt.Sprintf("bytes=%d-", size/2): {size / 2, size}, "bytes=-7": {size - 7, size},
			fmt.Sprintf("bytes=%d-%d", size-1, size+100): {size - 1, size}, "bytes=0-": {0, size},
		} {
			part := d.api.get(t, path, "Range", ranges, "If-Range", tag).expect(t, http.StatusPartialContent)
			if !bytes.Equal(part.body, w.body[want[0]:want[1]]) {
				t.Errorf("%s, %s: %d bytes, want those from %d to %d", path, ranges, len(part.body), want[0], want[1])
			}
		}
		// A client that has all of it, or something else as long, gets all of it.
		whole := d.api.get(t, path, "Range", fmt.Sprintf("bytes=%d-", size)).expect(t, http.StatusOK)
		if !bytes.Equal(whole.body, w.body) {
			t.Errorf("%s from its end on: %d bytes, want all %d", path, len(whole.body), size)
		}
		if w := d.api.get(t, path, "Range", "bytes=5-", "If-Range", `"another"`).expect(t, http.StatusOK); len(w.body) != size {
			t.Errorf("%s: a range of something else has %d bytes", path, len(w.body))
		}
		for _, ranges := range []string{"bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=99999999999999999999-", "bytes=" + manyRanges()} {
			if w := d.api.get(t, path, "Range", ranges); w.status >= 500 || len(w.body) > 2*size+1000 {
				t.Errorf("%s, %.40s: %d with %d bytes", path, ranges, w.status, len(w.body))
			}
		}
	}
}

// manyRanges asks for all of a file a thousand times.
func manyRanges() string {
	all := "0-"
	for range 1000 {
		all += ",0-"
	}
	return all
}
