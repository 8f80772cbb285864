package attacks

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: of a package that is not the one in the upstream's signed index nobody gets all, and nobody a signature. The
// transfer breaks, the log has both SHA-256, and nothing of it is kept.

func TestAPackageThatTheUpstreamHasChangedNeverArrivesWhole(t *testing.T) {
	openOutposts(t, "", func(t *testing.T, o *outpost) {
		other := o.read(t, o.publish(t, "other", 100<<10))
		for name, size := range map[string]int{"small": 1, "big": 200 << 10} {
			path := o.publish(t, name, size)
			o.index(t)
			neverArrivesWhole(t, o, path, other)
			arrives(t, o, path)
		}
	})
}

// neverArrivesWhole asks for a package in whose place there come other bytes.
func neverArrivesWhole(t *testing.T, o *outpost, path string, other []byte) {
	good := o.read(t, path)
	this := regexp.QuoteMeta(path) + "$"
	flipped := world.FlipBit(slices.Clone(good))
	elsewhere := world.Record(t, world.Serve(t, http.FileServer(http.Dir(o.peer.Dir()))))
	elsewhereURL, err := url.Parse(elsewhere.URL)
	if err != nil {
		t.Fatal(err)
	}
	instead := func(body []byte) world.Interceptor {
		return world.Alter(regexp.MustCompile(this), func(string, []byte) []byte { return body })
	}
	for what, c := range map[string]struct {
		intercept world.Interceptor
		log       string
	}{
		"one bit flipped":             {instead(flipped), fmt.Sprintf("expected=%x got=%x", sha256.Sum256(good), sha256.Sum256(flipped))},
		"another package":             {instead(other), "bytes"},
		"one byte more":               {instead(append(slices.Clone(good), 0)), "bytes"},
		"one byte less":               {instead(good[:len(good)-1]), "bytes"},
		"nothing":                     {instead(nil), "bytes"},
		"an endless answer":           {at(this, endless), "more than"},
		"an answer that is cut off":   {at(this, closing), "bytes|broke off"},
		"an answer that stalls":       {at(this, stalling), "stopped sending"},
		"404":                         {at(this, status(http.StatusNotFound)), "has no such file"},
		"401":                         {at(this, status(http.StatusUnauthorized)), "answers 401"},
		"403":                         {at(this, status(http.StatusForbidden)), "answers 403"},
		"500":                         {at(this, status(http.StatusInternalServerError)), "answers 500"},
		"206":                         {at(this, status(http.StatusPartialContent)), "answers 206"},
		"a redirect to somebody else": {at(this, redirect(elsewhereURL)), "redirect_origins"},
		"an encoding":                 {at(this, encoded), "encoding"},
	} {
		o.behind.Intercept(c.intercept)
		begin := len(o.log(t))
		status, header, body, err := o.download(t, "/"+o.name+"/"+path)
		switch {
		case err == nil && status == http.StatusOK:
			t.Errorf("%s: %d bytes have arrived, all of them", what, len(body))
		case err == nil && status != http.StatusBadGateway:
			t.Errorf("%s: the answer is %d", what, status)
		}
		for _, name := range []string{"Www-Authenticate", "Set-Cookie", "Location", "Content-Encoding"} {
			if value := header.Get(name); value != "" {
				t.Errorf("%s: the answer has %s: %s", what, name, value)
			}
		}
		if bytes.Contains(body, []byte("script")) {
			t.Errorf("%s: the upstream's words come through: %s", what, body)
		}
		o.logged(t, begin, what, c.log)
		// Neither a part of it, nor a signature.
		for _, request := range []struct {
			path    string
			headers []string
		}{{path, []string{"Range", "bytes=0-9"}}, {path + ".asc", nil}, {path + ".sigstore.json", nil}} {
			w := o.api.get(t, "/"+o.name+"/"+request.path, request.headers...)
			w.plainly(t, http.StatusBadGateway)
		}
		if rows := o.rowsAt(t, o.name, path); len(rows) > 0 {
			t.Errorf("%s: the ledger has signatures of it: %v", what, rows)
		}
	}
	if asked := elsewhere.Requests(); len(asked) > 0 {
		t.Errorf("somebody else was asked for %s", asked[0].Line())
	}
}

// arrives asks for a package that is good now.
func arrives(t *testing.T, o *outpost, path string) {
	good := o.read(t, path)
	o.behind.Intercept(nil)
	for range 2 {
		if _, _, body, err := o.download(t, "/"+o.name+"/"+path); err != nil || !bytes.Equal(body, good) {
			t.Errorf("the good package: %d bytes, %v", len(body), err)
		}
		if err := o.beside(o.fetch, o.name, "/"+o.name+"/"+path, good); err != nil {
			t.Error(err)
		}
		// It was made once.
		if rows := o.rowsAt(t, o.name, path); len(rows) != 2 {
			t.Errorf("the ledger has %d signatures of it, want 2: %v", len(rows), rows)
		}
	}
	if n := o.count("GET", "/"+path); n == 0 {
		t.Error("the upstream was never asked for it")
	}
	o.behind.Reset()
	o.download(t, "/"+o.name+"/"+path)
	if n := o.count("GET", "/"+path); n > 0 {
		t.Errorf("what is kept was asked for %d times", n)
	}
}

// download is a GET that may break off.
func (o *outpost) download(t *testing.T, path string) (status int, header http.Header, body []byte, err error) {
	t.Helper()
	w, err := http.Get(o.proxy.URL + path)
	if err != nil {
		return 0, nil, nil, err
	}
	defer w.Body.Close()
	body, err = io.ReadAll(w.Body)
	return w.StatusCode, w.Header, body, err
}

// count returns how many requests for a path the upstream has had.
func (o *outpost) count(method, path string) (n int) {
	for _, r := range o.behind.Requests() {
		if r.Method == method && strings.HasPrefix(r.Path, path) {
			n++
		}
	}
	return n
}
