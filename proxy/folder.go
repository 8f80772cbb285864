package proxy

import (
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"hallmark/proxy/backend"
)

// maxNames is how many names one page of a folder has.
const maxNames = 1000

// folderEntry is one name of a folder in JSON.
type folderEntry struct {
	Name   string `json:"name"` // a folder's ends in a slash
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Time   string `json:"time,omitempty"` // RFC 3339, UTC
}

// serveFolder lists a folder, ?after=NAME from the next one on: in JSON for those who ask for it, otherwise in HTML.
func (s *Server) serveFolder(t *transaction, req *http.Request, repo *Repository, folder string) error {
	names, err := repo.Packages.Tree.List(req.Context(), folder, req.URL.Query().Get("after"), maxNames+1)
	if err != nil {
		return err
	}
	if len(names) == 0 && folder != "" {
		return notFound("there is no folder %q in the repository %s", folder, repo.Name)
	}
	next := ""
	if len(names) > maxNames {
		names = names[:maxNames]
		next = names[maxNames-1].Name
	}
	t.Header().Set("Vary", "Accept")
	t.Header().Set("Cache-Control", "no-cache")
	if strings.Contains(req.Header.Get("Accept"), "application/json") {
		entries := make([]folderEntry, 0, len(names))
		for _, n := range names {
			entries = append(entries, entryOf(n))
		}
		return serveJSON(t, http.StatusOK, map[string]any{"folder": folder, "names": entries, "next": next})
	}
	t.Header().Set("Content-Type", "text/html; charset=utf-8")
	t.Header().Set("Content-Security-Policy", "default-src 'none'")
	t.Write(folderPage(repo.Name, folder, names, next))
	return nil
}

func entryOf(n backend.Name) folderEntry {
	if strings.HasSuffix(n.Name, "/") {
		return folderEntry{Name: n.Name}
	}
	e := folderEntry{Name: n.Name, Size: n.Size, Time: n.Time.Format(time.RFC3339)}
	if n.Digest != (backend.Digest{}) {
		e.SHA256 = hex.EncodeToString(n.Digest[:])
	}
	return e
}

func folderPage(repository, folder string, names []backend.Name, next string) []byte {
	title := html.EscapeString(path.Join("/", repository, folder))
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%s</h1>\n<pre>\n", title, title)
	if folder != "" {
		b.WriteString("<a href=\"../\">../</a>\n")
	}
	for _, n := range names {
		link := (&url.URL{Path: "./" + n.Name}).EscapedPath()
		fmt.Fprintf(&b, "<a href=\"%s\">%s</a>", html.EscapeString(link), html.EscapeString(n.Name))
		if !strings.HasSuffix(n.Name, "/") {
			fmt.Fprintf(&b, "  %s  %d", n.Time.Format("2006-01-02 15:04:05"), n.Size)
		}
		b.WriteByte('\n')
	}
	if next != "" {
		fmt.Fprintf(&b, "<a href=\"?after=%s\">more</a>\n", url.QueryEscape(next))
	}
	b.WriteString("</pre>\n")
	return []byte(b.String())
}
