package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hallmark/proxy/backend"
)

// listedNames asks for a folder, page by page, and returns its names.
func listedNames(t *testing.T, h *shelf, folder string) (names []string, pages int) {
	t.Helper()
	for after := ""; ; pages++ {
		var page struct {
			Folder string
			Names  []folderEntry
			Next   string
		}
		w := h.want(http.StatusOK, http.MethodGet, "/raw/"+folder+"?after="+after, "", "Accept", "text/html, application/json;q=0.9")
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if page.Folder != folder || w.Header().Get("Vary") != "Accept" || w.Header().Get("Cache-Control") != "no-cache" || len(page.Names) > maxNames {
			t.Fatalf("%d names of %q, %v", len(page.Names), page.Folder, w.Header())
		}
		for _, n := range page.Names {
			if _, err := time.Parse(time.RFC3339, n.Time); err != nil && !strings.HasSuffix(n.Name, "/") {
				t.Errorf("%s is of %q", n.Name, n.Time)
			}
			names = append(names, n.Name)
		}
		if after = page.Next; after == "" {
			return names, pages + 1
		}
	}
}

func TestAFolderIsListedPageByPage(t *testing.T) {
	h := openShelf(t)
	const files = 400 // each with two signatures
	for i := range files {
		h.put(fmt.Sprintf("/raw/a/f%03d", i), "x")
	}
	h.put("/raw/a/folder/b", "y")
	names, pages := listedNames(t, h, "a/")
	if want := 3*files + len([]string{"SHA256SUMS", "SHA256SUMS.asc", "folder/"}); len(names) != want || pages != 2 {
		t.Errorf("%d names on %d pages, want %d on two", len(names), pages, want)
	}
	seen := map[string]bool{}
	for i, n := range names {
		if seen[n] || i > 0 && names[i-1] >= n {
			t.Fatalf("%s comes twice, or after %s", n, names[i-1])
		}
		seen[n] = true
	}
	if w := h.want(http.StatusOK, http.MethodGet, "/raw/a/", ""); !strings.Contains(w.Body.String(), `<a href="?after=`) {
		t.Error("the page leads to no next one")
	}
	if names, _ := listedNames(t, h, ""); len(names) != 1 || names[0] != "a/" {
		t.Errorf("the root has %q", names)
	}
	for _, path := range []string{"/raw/b/", "/raw/a/f000/", "/raw/a/folder/c/"} {
		h.want(http.StatusNotFound, http.MethodGet, path, "")
	}
}

func TestAnEmptyRepositoryHasAnEmptyFolder(t *testing.T) {
	h := openShelf(t)
	if names, _ := listedNames(t, h, ""); len(names) != 0 {
		t.Errorf("it has %q", names)
	}
	if w := h.want(http.StatusOK, http.MethodGet, "/raw/", "", "Accept", "application/json"); !strings.Contains(w.Body.String(), `"names": []`) {
		t.Errorf("it is %s", w.Body)
	}
}

// Names come from uploaders, and the page is ours.
func TestNamesDoNothingInThePageOfAFolder(t *testing.T) {
	names := []backend.Name{
		{Name: `<script>alert(1)</script>`, Size: 1}, {Name: `"onmouseover="alert(1)`}, {Name: "javascript:alert(1)"}, {Name: "a&amp;b"},
		{Name: "a b/"}, {Name: "a?b"}, {Name: "a#b"}, {Name: "a%41"}, {Name: "//evil.example/"},
	}
	page := string(folderPage("raw", `<b>/"x"/`, names, `"><script>`))
	for _, bad := range []string{"<script", `"onmouse`, `href="javascript`, `href="//`, "<b>"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s:\n%s", bad, page)
		}
	}
	for _, want := range []string{`href="./a%20b/"`, `href="./a%3Fb"`, `href="./a%23b"`, `href="./a%2541"`, `href="./javascript:alert%281%29"`, "&lt;script&gt;", `href="../"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	h := openShelf(t)
	h.put("/raw/%3Cscript%3E/a", "x")
	w := h.want(http.StatusOK, http.MethodGet, "/raw/%3Cscript%3E/", "")
	if strings.Contains(w.Body.String(), "<script") || w.Header().Get("Content-Security-Policy") != "default-src 'none'" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v\n%s", w.Header(), w.Body)
	}
}
