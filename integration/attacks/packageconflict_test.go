package attacks

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// Rule: what was published stays what it was. A name and a version have the same bytes for everybody who asks, and what we
// sign nobody else writes.

// otherBytes returns the good input of a format with other bytes under the same identity.
func otherBytes(format string) upload {
	u := goodInput[format]
	u.body = map[string][]byte{
		"debian": deb{more: "Section: other\n"}.build(), "alpine": apk{more: "pkgdesc = other\n"}.build(),
		"arch": pkg{more: "pkgdesc = other\n"}.build(), "rpm": rpm{payload: "other"}.build(), "raw": []byte("other"),
	}[format]
	return u
}

// indexes are for each format files that belong to the index of what goodInput puts there.
var indexes = map[string][]string{
	"debian": {"dists/stable/InRelease", "dists/stable/Release", "dists/stable/Release.gpg", "dists/stable/main/binary-amd64/Packages",
		"dists/stable/main/binary-amd64/Packages.gz"},
	"alpine": {"x86_64/APKINDEX.tar.gz"},
	"arch":   {"x86_64/arch.db", "x86_64/arch.db.sig", "x86_64/arch.files", "x86_64/arch.files.sig"},
	"rpm":    {"repodata/repomd.xml", "repodata/repomd.xml.asc", "repodata/repomd.xml.key"},
	"raw":    {"a/SHA256SUMS", "a/SHA256SUMS.asc"},
}

var allFormats = []string{"debian", "alpine", "arch", "rpm", "raw"}

func TestPublishedBytesStayWhatTheyAre(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		t.Run(format, func(t *testing.T) {
			good, other := goodInput[format], otherBytes(format)
			at := d.put(t, good.path, good.body)
			before := d.traces(t, format)

			// The same again changes nothing, also where the first answer was lost.
			for range 2 {
				w := d.api.do(t, http.MethodPut, good.path, good.body).expect(t, http.StatusOK)
				if w.header.Get("Location") != at {
					t.Errorf("the same again is at %s, and was at %s", w.header.Get("Location"), at)
				}
				d.leftNothing(t, format, before)
			}
			d.api.do(t, http.MethodPut, other.path, other.body).plainly(t, http.StatusConflict)
			if after := d.tree(t, format); !maps.Equal(after, before.tree) {
				t.Errorf("after a conflict the repository is\n%v\nand was\n%v", after, before.tree)
			}
			if n := len(d.rowsAt(t, format, strings.TrimPrefix(at, "/"+format+"/"))); n == 0 {
				t.Error("the log has no signature of it")
			}

			d.api.do(t, http.MethodDelete, at, nil).expect(t, http.StatusNoContent)
			for _, path := range []string{at, at + ".asc", at + ".sigstore.json"} {
				d.api.get(t, path).plainly(t, http.StatusNotFound)
			}
			for path := range d.tree(t, format) {
				body := d.api.get(t, path).body
				if bytes.Contains(body, []byte("hello")) || format == "raw" {
					t.Errorf("%s still has a line of it:\n%.500s", path, body)
				}
			}
			d.api.do(t, http.MethodDelete, at, nil).plainly(t, http.StatusNotFound)
			// For an hour clients may come who have an older index.
			d.api.do(t, http.MethodPut, other.path, other.body).plainly(t, http.StatusConflict)
			d.put(t, good.path, good.body)
			if err := d.beside(d.fetch, format, at, d.api.get(t, at).expect(t, http.StatusOK).body); err != nil {
				t.Error(err)
			}
		})
	}
	for _, format := range allFormats {
		if out, err := d.repo(t, "verify", format); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// An uploader who brings a signature along has brought a file like any other, and never ours.
func TestNobodyElseWritesTheIndexOrASignature(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		t.Run(format, func(t *testing.T) {
			at := d.put(t, goodInput[format].path, goodInput[format].body)
			before := d.traces(t, format)
			ours := []string{at + ".asc", at + ".sigstore.json", "/" + format + "/new.asc", "/" + format + "/new.sigstore.json"}
			for _, index := range indexes[format] {
				path := "/" + format + "/" + index
				d.api.get(t, path).expect(t, http.StatusOK)
				ours = append(ours, path, path+".asc", path+".sigstore.json")
			}
			if format == "arch" {
				ours = append(ours, at+".sig", "/arch/hello-1.0-1-x86_64.pkg.tar.zst.sig")
			}
			if format == "debian" {
				ours = append(ours, "/debian/stable/main/hello_1.0_amd64.deb.asc", "/debian/stable/main/InRelease", "/debian/stable/InRelease",
					"/debian/stable/main/incoming/InRelease", "/debian/stable/main/incoming/hello_1.0_amd64.deb.asc")
			}
			for _, path := range ours {
				for _, body := range [][]byte{[]byte("-----BEGIN PGP SIGNATURE-----\n\nforged\n-----END PGP SIGNATURE-----\n"), d.api.get(t, path).body, goodInput[format].body} {
					d.api.do(t, http.MethodPut, path, body).plainly(t, 400)
				}
				if w := d.api.do(t, http.MethodDelete, path, nil); w.status < 400 || w.status > 499 {
					t.Errorf("%s: %d %s", w.line, w.status, w.body)
				}
			}
			d.leftNothing(t, format, before)
		})
	}
}

// An author's own signature may be uploaded where it does not look like ours.
func TestAnAuthorsSignatureStandsBesideOurs(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw"}})
	at := d.put(t, "/raw/a/c", []byte("c"))
	authors := []byte("-----BEGIN PGP SIGNATURE-----\n\nof the author\n-----END PGP SIGNATURE-----\n")
	if said := d.api.do(t, http.MethodPut, at+".asc", authors).plainly(t, 400); !strings.Contains(said, "c.author.asc") {
		t.Errorf("the refusal does not say where it may go: %s", said)
	}
	d.put(t, at+".author.asc", authors)
	for path, want := range map[string][]byte{at: []byte("c"), at + ".author.asc": authors} {
		w := d.api.get(t, path).expect(t, http.StatusOK)
		if !bytes.Equal(w.body, want) {
			t.Errorf("%s is %q", path, w.body)
		}
		if err := d.beside(d.fetch, "raw", path, want); err != nil {
			t.Error(err)
		}
	}
}

// A file cannot be where another needs a folder, whichever was first: no copy of the tree on a disk could hold both.
func TestAFileIsNoFolder(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw"}})
	d.put(t, "/raw/a/b", []byte("x"))
	before := d.tree(t, "raw")
	for _, path := range []string{"/raw/a", "/raw/a/b/c", "/raw/a/b/c/d"} {
		d.api.do(t, http.MethodPut, path, []byte("y")).plainly(t, http.StatusConflict)
	}
	for _, path := range []string{"/raw/a/SHA256SUMS/c", "/raw/a/SHA256SUMS.asc/c", "/raw/a/b.asc/c", "/raw/a/b.sigstore.json/c", "/raw/x.asc/y/z"} {
		d.api.do(t, http.MethodPut, path, []byte("y")).plainly(t, 400)
	}
	if after := d.tree(t, "raw"); !maps.Equal(after, before) {
		t.Errorf("the repository was\n%v\nand is\n%v", before, after)
	}
}

// Eight who put the same file at once are told the same, and of two files under one name one is the winner.
func TestTheSameUploadAtOnce(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		good, other := goodInput[format], otherBytes(format)
		statuses := make(chan int)
		for i := range uploaders {
			go func() {
				u := good
				if i%2 == 1 {
					u = other
				}
				w, err := d.api.try(http.MethodPut, u.path, u.body)
				if err != nil {
					t.Error(err)
				}
				statuses <- w.status
			}()
		}
		count := make(map[int]int)
		for range uploaders {
			count[<-statuses]++
		}
		if count[http.StatusCreated]+count[http.StatusOK] != uploaders/2 || count[http.StatusConflict] != uploaders/2 || count[http.StatusCreated] == 0 {
			t.Errorf("%s: %v (status: times), want half of them taken and half in conflict", format, count)
		}
		if out, err := d.repo(t, "verify", format); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
