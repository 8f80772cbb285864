package attacks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
	"hallmark/signing"
)

// A depot is a proxy with package repositories, each named as its format, and a way to speak to it.
type depot struct {
	proxy *world.Proxy
	api   *api
	keys  map[string]packageKeys // by repository
}

// packageKeys are what verifies the files of a repository.
type packageKeys struct {
	index  signing.PublicKey // not of Alpine, whose index is not signed by OpenPGP
	file   signing.PublicKey // F.asc
	bundle signing.PublicKey // F.sigstore.json
}

// A shelf is what a depot is opened with. The zero value has no repository.
type shelf struct {
	repositories []string
	settings     string // more lines of the first repository, indented by four
	images       bool   // there is one of images, too
	config       string // more of the config file
	args         []string
	user         world.User
}

// configuration returns the config file, with keys that are quick to make.
func (s shelf) configuration() string {
	keys, repositories := "keys:\n", "repositories:\n"
	for i, name := range s.repositories {
		kind := "ed25519"
		if name == "alpine" {
			kind = "rsa2048"
		}
		keys += fmt.Sprintf("  %s: [{purpose: index, generate: %s}, {purpose: file, scheme: openpgp, generate: ed25519}]\n", name, kind)
		repositories += fmt.Sprintf("  %s:\n    format: %s\n", name, name)
		if i == 0 {
			repositories += s.settings
		}
	}
	if s.images {
		repositories += "  images:\n    format: oci\n    images: [\"*\"]\n"
	}
	return s.config + keys + repositories
}

func openDepot(t *testing.T, s shelf) *depot {
	t.Helper()
	return openDepotOf(t, world.StartProxy(t, world.ProxyOptions{Config: s.configuration(), Args: s.args}), s.user, s.repositories...)
}

// openDepotOf speaks to a proxy that is there.
func openDepotOf(t *testing.T, p *world.Proxy, user world.User, repositories ...string) *depot {
	t.Helper()
	d := &depot{proxy: p, api: newAPI(p.URL, user), keys: make(map[string]packageKeys)}
	for _, name := range repositories {
		keys := packageKeys{file: d.openPGP(t, name, "files.gpg")}
		if name != "alpine" {
			keys.index = d.openPGP(t, name, "openpgp.gpg")
		}
		var err error
		if keys.bundle, err = signing.ParsePublicKey(d.api.get(t, "/-/keys/"+name+"/files.pub").expect(t, http.StatusOK).body); err != nil {
			t.Fatal(err)
		}
		d.keys[name] = keys
	}
	return d
}

func (d *depot) openPGP(t *testing.T, repository, file string) signing.PublicKey {
	t.Helper()
	key, err := signing.ParseOpenPGP(d.api.get(t, "/-/keys/"+repository+"/"+file).expect(t, http.StatusOK).body, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// put uploads a file and wants it to be new. It returns the path below the host where it is served.
func (d *depot) put(t *testing.T, path string, body []byte) string {
	t.Helper()
	w := d.api.do(t, http.MethodPut, path, body).expect(t, http.StatusCreated)
	at := w.header.Get("Location")
	if !strings.HasPrefix(at, "/") {
		t.Fatalf("%s: Location is %q", w.line, at)
	}
	return at
}

// plainly fails the test unless the answer is an error of the wanted class (400: any 4xx; else that status) that is told
// in one sentence.
func (w answer) plainly(t *testing.T, want int) string {
	t.Helper()
	if want == 400 && w.status >= 400 && w.status < 500 {
		want = w.status
	}
	text := strings.TrimSuffix(string(w.body), "\n")
	if w.status != want {
		t.Errorf("%.200s: %d, want %d: %.500s", w.line, w.status, want, w.body)
	} else if text == "" || len(text) > 1000 || strings.ContainsFunc(text, isControl) || strings.Contains(text, "internal error") {
		t.Errorf("%.200s: %d with %.1000q, which is not a sentence", w.line, w.status, w.body)
	}
	return text
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// beside returns an error unless both signatures of a file are there and verify, and do not for other bytes.
func (d *depot) beside(get func(path string) (answer, error), repository, path string, data []byte) error {
	keys := d.keys[repository]
	other := append(slices.Clone(data), '.')
	for suffix, verify := range map[string]func(data, sig []byte) error{
		".asc":           func(data, sig []byte) error { return signing.VerifyOpenPGP(keys.file, signing.Bytes(data), sig) },
		".sigstore.json": func(data, sig []byte) error { return signing.VerifyBlobBundle(keys.bundle, sig, signing.Bytes(data)) },
	} {
		w, err := get(path + suffix)
		if err != nil {
			return err
		}
		if w.status != http.StatusOK {
			return fmt.Errorf("%s is visible, and %s is not: %d %s", path, suffix, w.status, w.body)
		}
		if err := verify(data, w.body); err != nil {
			return fmt.Errorf("%s%s: %w", path, suffix, err)
		}
		if verify(other, w.body) == nil {
			return fmt.Errorf("%s%s verifies other bytes", path, suffix)
		}
	}
	return nil
}

// fetch is a getter for beside and for readers.
func (d *depot) fetch(path string) (answer, error) { return d.api.try(http.MethodGet, path, nil) }

// rowsAt returns what the log of signatures says of a path.
func (d *depot) rowsAt(t *testing.T, repository, path string) []row {
	t.Helper()
	w := d.api.get(t, "/-/signatures/"+repository+"/"+path)
	if w.status == http.StatusNotFound || w.status == http.StatusBadRequest { // no such path may be asked for
		return nil
	}
	var doc struct{ Signatures []row }
	if err := w.expect(t, http.StatusOK).decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Signatures
}

// tree returns every file that a repository serves, with its SHA-256.
func (d *depot) tree(t *testing.T, repository string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	folders := []string{""}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		for _, n := range d.names(t, repository, folder) {
			if strings.HasSuffix(n, "/") {
				folders = append(folders, folder+n)
				continue
			}
			path := "/" + repository + "/" + folder + n
			all[path] = digestOf(d.api.get(t, path).expect(t, http.StatusOK).body)
		}
	}
	return all
}

// names returns the names in a folder.
func (d *depot) names(t *testing.T, repository, folder string) []string {
	t.Helper()
	names, err := folderNames(func(path string) (answer, error) {
		return d.api.try(http.MethodGet, path, nil, "Accept", "application/json")
	}, "/"+repository+"/"+folder)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// folderNames returns the names in a folder, page by page. A folder that is not there has none.
func folderNames(get func(path string) (answer, error), folder string) (names []string, err error) {
	for after := ""; ; {
		w, err := get(folder + "?after=" + url.QueryEscape(after))
		if err != nil || w.status == http.StatusNotFound {
			return nil, err
		}
		if w.status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
		var doc struct {
			Names []struct{ Name string }
			Next  string
		}
		if err := w.decode(&doc); err != nil {
			return nil, err
		}
		for _, n := range doc.Names {
			names = append(names, n.Name)
		}
		if after = doc.Next; after == "" {
			return names, nil
		}
	}
}

// blobs returns the files in which the storage keeps packages.
func (d *depot) blobs(t *testing.T) (all []string) {
	t.Helper()
	root := filepath.Join(d.proxy.Data, "storage", "packages", "sha256")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// repo runs proxy repo beside the server and returns the error that it ends with.
func (d *depot) repo(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return d.proxy.Command(t).Try(t, append([]string{"repo"}, args...)...)
}

func hexOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
