package attacks

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: what is signed never contains a Host, addresses follow public_url, and what others upload does nothing in the
// browser of whoever looks at it.

// A Host that is not ours is refused, by whatever path: it may be a web page's own name that resolves to loopback.
func TestAForeignHostReachesNoPackages(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		d.put(t, goodInput[format].path, goodInput[format].body)
	}
	port := d.proxy.Addr[strings.LastIndexByte(d.proxy.Addr, ':'):]
	for _, format := range allFormats {
		before := d.traces(t, format)
		for _, host := range []string{"evil.example", "evil.example" + port, "127.0.0.1.evil.example" + port, "localhost.evil.example", "0.0.0.0" + port} {
			for _, w := range []answer{
				d.api.get(t, "/"+format+"/", "Host", host),
				d.api.get(t, "/"+format+"/"+indexes[format][0], "Host", host),
				d.api.get(t, "/-/setup/"+format, "Host", host),
				d.api.get(t, "/-/keys/"+format+"/", "Host", host),
				d.api.get(t, "/-/signatures/"+format+"/x", "Host", host),
				d.api.get(t, "/-/snapshots/"+format+"/1/"+indexes[format][0], "Host", host),
				d.api.do(t, http.MethodPut, goodInput[format].path, otherBytes(format).body, "Host", host),
				d.api.do(t, http.MethodDelete, goodInput[format].path, nil, "Host", host),
			} {
				w.refused(t, http.StatusForbidden)
			}
		}
		d.leftNothing(t, format, before)
	}
}

// A web page of another origin may send simple requests anywhere, and what it cannot read it could still write.
func TestAWebPageWritesNoPackages(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		at := d.put(t, goodInput[format].path, goodInput[format].body)
		before := d.traces(t, format)
		for _, page := range [][]string{
			{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:1"}, {"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Origin", d.proxy.URL},
		} {
			for _, asked := range [][2]string{
				{http.MethodPut, goodInput[format].path}, {http.MethodPost, goodInput[format].path}, {http.MethodDelete, at},
				{http.MethodPost, "/-/api/v1/repositories/" + format + "/reindex"}, {http.MethodPost, "/-/api/v1/repositories/" + format + "/gc"},
			} {
				if w := d.api.do(t, asked[0], asked[1], otherBytes(format).body, page...); w.status != http.StatusForbidden {
					t.Errorf("%s from a page with %v: %d %s", w.line, page, w.status, w.body)
				}
			}
			for _, path := range []string{at, "/" + format + "/", "/-/setup/" + format} {
				if w := d.api.get(t, path, page...); w.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("another origin may read %s: %v", path, w.header)
				}
			}
		}
		d.leftNothing(t, format, before)
	}
	// Its twin: our own page.
	d.api.do(t, http.MethodPut, "/raw/a/own", []byte("x"), "Origin", d.proxy.URL, "Sec-Fetch-Site", "same-origin").expect(t, http.StatusCreated)
}

// What somebody uploads is not run as a page of ours, whatever its name.
func TestAnUploadedPageDoesNothing(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw"}})
	page := []byte("<!doctype html><script>fetch('/raw/a/stolen', {method: 'PUT', body: document.cookie})</script>")
	for _, name := range []string{"a.html", "a.htm", "a.xhtml", "a.svg", "a.xml", "a.js", "a.pdf", "a.swf", "a.css", "a", "a.txt", "index.html", "SHA256SUMS.html", "a.wasm", "a.mht"} {
		at := d.put(t, "/raw/pages/"+name, page)
		for _, path := range []string{at, at + ".asc", at + ".sigstore.json"} {
			w := d.api.get(t, path).expect(t, http.StatusOK)
			kind, _, _ := strings.Cut(w.header.Get("Content-Type"), ";")
			for _, active := range []string{"html", "svg", "javascript", "pdf", "flash", "css", "related", "multipart"} {
				if strings.Contains(kind, active) {
					t.Errorf("%s is %s", path, kind)
				}
			}
			policy := w.header.Get("Content-Security-Policy")
			if kind == "" || w.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "allow") {
				t.Errorf("%s: %v", path, w.header)
			}
		}
	}
	// Names are data, too, in the page that lists them.
	for _, name := range []string{"%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%3Cimg%20src=x%20onerror=alert(1)%3E", "%22onmouseover=%22alert(1)", "javascript:alert(1)", "a'b", "a&b"} {
		d.api.do(t, http.MethodPut, "/raw/names/"+name, []byte("x"))
	}
	w := d.api.get(t, "/raw/names/", "Accept", "text/html").expect(t, http.StatusOK)
	for _, bad := range []string{"<script", "<img", `"onmouse`, `href="javascript:`} {
		if bytes.Contains(w.body, []byte(bad)) {
			t.Errorf("the list of a folder has %s:\n%s", bad, w.body)
		}
	}
	if !strings.Contains(w.header.Get("Content-Security-Policy"), "default-src 'none'") || !bytes.Contains(w.body, []byte("alert(1)")) {
		t.Errorf("the list of a folder: %v\n%s", w.header, w.body)
	}
}

// Whatever Host uploads came by, and whatever public_url is, the same is signed.
func TestNoHostIsSigned(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats, config: "public_url: https://packages.example.org\n"})
	port := d.proxy.Addr[strings.LastIndexByte(d.proxy.Addr, ':'):]
	for _, format := range allFormats {
		hosts := []string{"packages.example.org", "localhost" + port, "127.9.9.9" + port, "[::1]" + port}
		d.api.do(t, http.MethodPut, goodInput[format].path, goodInput[format].body, "Host", hosts[0]).expect(t, http.StatusCreated)
		for _, host := range hosts[1:] {
			d.api.do(t, http.MethodPut, goodInput[format].path, goodInput[format].body, "Host", host).expect(t, http.StatusOK)
			d.api.get(t, "/-/setup/"+format, "Host", host).expect(t, http.StatusOK)
		}
		for path := range d.tree(t, format) {
			body := d.api.get(t, path).body
			for _, host := range []string{"packages.example.org", "localhost", "127.0.0.1", "127.9.9.9", "[::1]", port} {
				if bytes.Contains(body, []byte(host)) && len(host) > 3 {
					t.Errorf("%s names %s", path, host)
				}
			}
		}
		for host, want := range map[string]string{
			"packages.example.org": "https://packages.example.org/", "localhost" + port: "http://localhost" + port + "/", "127.9.9.9" + port: "http://127.9.9.9" + port + "/",
		} {
			text := string(d.api.get(t, "/-/setup/"+format, "Host", host).expect(t, http.StatusOK).body)
			if !strings.Contains(text, want) {
				t.Errorf("the set-up text of %s for %s does not name %s:\n%s", format, host, want, text)
			}
		}
		d.api.get(t, "/-/setup/"+format, "Host", "other.example.org").refused(t, http.StatusForbidden)
	}
	w := d.api.get(t, "/rpm/rpm.repo", "Host", "packages.example.org").expect(t, http.StatusOK)
	if text := string(w.body); strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "gpgcheck=1") || !strings.Contains(text, "repo_gpgcheck=1") ||
		!strings.Contains(text, "https://packages.example.org/-/keys/rpm/") {
		t.Errorf("the .repo file is\n%s", text)
	}
}

// A Host is a client's words, and the set-up text is run by a shell.
func TestAHostIsNotRunByAShell(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, port := range []string{"1;id", "1$(id)", "1'&id&'", "1'", "$IFS", "(id)"} {
		for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port} {
			for _, format := range allFormats {
				w, err := d.api.try(http.MethodGet, "/-/setup/"+format, nil, "Host", host)
				if err != nil || w.status >= 400 {
					continue
				}
				quoted := "" // the last line of a document that is quoted as a whole
				for line := range strings.Lines(string(w.body)) {
					at := strings.Index(line, port)
					if at >= 0 && quoted == "" && !strings.HasPrefix(line, "#") && strings.Count(line[:at], "'")%2 == 0 {
						t.Errorf("%s, Host %s: a shell would read\n%s", format, host, line)
					}
					if _, end, ok := strings.Cut(line, "<<'"); ok {
						quoted = strings.TrimSuffix(end, "'\n")
					} else if strings.TrimSuffix(line, "\n") == quoted {
						quoted = ""
					}
				}
			}
		}
	}
}

// Who may do what follows the rules, by path as well, for every way to a file.
func TestRightsOnPackagesAreThoseOfTheRules(t *testing.T) {
	ci, guest := world.User{Name: "ci", Password: "ci-secret"}, world.User{Name: "guest", Password: "guest-secret"}
	d := openDepot(t, shelf{repositories: []string{"raw", "debian"}, user: ci, config: "auth:\n  htpasswd: " + passwords(t, ci, guest) + `
  rules:
    - {users: [ci], repositories: ["*"], allow: [read, push, delete]}
    - {users: [guest], repositories: ["raw:guest/*", "debian:pool/*"], allow: [read, push]}
    - {users: [anonymous], repositories: ["raw:public/*", "debian:dists/*"], allow: [read]}
`})
	public := d.put(t, "/raw/public/file", []byte("public"))
	private := d.put(t, "/raw/private/file", []byte("private"))
	at := d.put(t, "/debian/stable/main/", deb{}.build())
	release := "/debian/dists/stable/InRelease"
	g, nobody := newAPI(d.proxy.URL, guest), newAPI(d.proxy.URL, world.User{})
	wrong := newAPI(d.proxy.URL, world.User{Name: "ci", Password: "wrong"})

	before := map[string]map[string]string{"raw": d.tree(t, "raw"), "debian": d.tree(t, "debian")}
	for _, path := range []string{private, private + ".asc", private + ".sigstore.json", "/raw/private/", "/raw/private/SHA256SUMS", "/raw/", "/-/signatures" + private,
		"/-/snapshots/raw/1/private/file", "/-/snapshots/raw/1/private/"} {
		denied(t, g.get(t, path), http.StatusForbidden)
		denied(t, nobody.get(t, path), http.StatusUnauthorized)
		denied(t, wrong.get(t, path), http.StatusUnauthorized)
		denied(t, nobody.do(t, http.MethodHead, path, nil), http.StatusUnauthorized)
	}
	for _, path := range []string{"/raw/public/../private/file", "/raw/public/%2e%2e/private/file", "/raw/public/..%2fprivate/file", "/raw//private/file"} {
		if w := nobody.get(t, path); w.status < 400 || bytes.Contains(w.body, []byte("private\n")) && w.status == http.StatusOK {
			t.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
	}
	for _, path := range []string{public + "2", "/raw/public/", "/raw/private/2", "/debian/stable/main/", "/debian/pool/"} {
		if w := nobody.do(t, http.MethodPut, path, deb{name: "other"}.build()); w.status != http.StatusUnauthorized {
			t.Errorf("nobody: %s: %d %s", w.line, w.status, w.body)
		}
	}
	denied(t, g.do(t, http.MethodPut, "/raw/public/2", []byte("x")), http.StatusForbidden)
	denied(t, g.do(t, http.MethodPut, "/debian/stable/main/", deb{name: "other"}.build()), http.StatusForbidden)
	for _, path := range []string{public, private, at} {
		denied(t, g.do(t, http.MethodDelete, path, nil), http.StatusForbidden)
		denied(t, nobody.do(t, http.MethodDelete, path, nil), http.StatusUnauthorized)
	}
	for _, verb := range []string{"verify", "reindex", "gc"} {
		denied(t, d.api.do(t, http.MethodPost, "/-/api/v1/repositories/raw/"+verb, nil), http.StatusForbidden)
	}
	for repository, tree := range before {
		if after := d.tree(t, repository); !maps.Equal(tree, after) {
			t.Errorf("%s was\n%v\nand is\n%v", repository, tree, after)
		}
	}

	// Its twins: what the rules allow.
	for _, a := range []*api{nobody, d.api} {
		a.get(t, public).expect(t, http.StatusOK)
		a.get(t, public+".asc").expect(t, http.StatusOK)
		a.get(t, "/raw/public/").expect(t, http.StatusOK)
		a.get(t, release).expect(t, http.StatusOK)
		a.get(t, "/-/signatures"+public).expect(t, http.StatusOK)
		a.get(t, "/-/keys/raw/files.pub").expect(t, http.StatusOK)
	}
	g.do(t, http.MethodPut, "/raw/guest/1", []byte("x")).expect(t, http.StatusCreated)
	g.get(t, "/raw/guest/1").expect(t, http.StatusOK)
	g.get(t, at).expect(t, http.StatusOK)
	denied(t, g.do(t, http.MethodDelete, "/raw/guest/1", nil), http.StatusForbidden)
	d.api.do(t, http.MethodDelete, "/raw/guest/1", nil).expect(t, http.StatusNoContent)
	var doc struct{ Signatures []row }
	if err := d.api.get(t, "/-/signatures/raw/guest/1").decode(&doc); err != nil || len(doc.Signatures) == 0 || doc.Signatures[0].By != "guest" {
		t.Errorf("the log has %v, %v", doc, err)
	}
}

// denied fails the test unless an answer is a refusal by the rules.
func denied(t *testing.T, w answer, status int) {
	t.Helper()
	if w.status != status || status == http.StatusUnauthorized && w.header.Get("Www-Authenticate") == "" {
		t.Errorf("%s: %d %s, want %d", w.line, w.status, w.body, status)
	}
}
