package attacks

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
)

// Rule: the upstream's index is taken over whole and signed, or not at all. Whatever else comes, we serve what was good
// before, signed by us, and the log says why. "It did not answer" is never "it is not there".

func TestAnUpstreamsIndexIsTakenOverWholeAndSignedOrNotAtAll(t *testing.T) {
	openOutposts(t, "", func(t *testing.T, o *outpost) {
		signed, signature, lists := "/repomd.xml$", "/repomd.xml.asc$", "-primary.xml"
		if o.kind == world.Deb {
			signed, signature, lists = "/InRelease$", "/(InRelease|Release.gpg)$", "/(Packages|by-hash/)"
		}
		before := o.index(t)
		older := t.TempDir()
		if err := os.CopyFS(older, os.DirFS(o.peer.Dir())); err != nil {
			t.Fatal(err)
		}
		for published := time.Now().Unix(); time.Now().Unix() == published; { // dates have no parts of seconds
			o.index(t)
		}
		o.publish(t, "hello", 1)
		impostor := world.NewOpenPGP(t, "ed25519")
		elsewhere := world.Record(t, world.Serve(t, http.FileServer(http.Dir(o.peer.Dir()))))
		elsewhereURL, err := url.Parse(elsewhere.URL)
		if err != nil {
			t.Fatal(err)
		}

		for what, c := range map[string]struct {
			intercept world.Interceptor
			log       string // what it says
		}{
			"a signed file with one bit flipped": {world.Flip(regexp.MustCompile(signed)), "verify|broken|clear-signed|clearsigned|signature"},
			"a list with one bit flipped":        {world.Flip(regexp.MustCompile(lists)), "expected=[0-9a-f]{64} got=[0-9a-f]{64}"},
			"a list that is cut off":             {world.Alter(regexp.MustCompile(lists), half), "bytes"},
			"a list that is not there":           {at(lists, status(http.StatusNotFound)), "has no"},
			"no signature":                       {at(signature, status(http.StatusNotFound)), "was there before|no signature"},
			"a signature by another key":         {o.resigned(t, impostor), "upstream.key"},
			"an older signature":                 {o.disagreeing(older), "upstream.key"},
			"an index that is gone":              {at(signed, status(http.StatusNotFound)), "was there before"},
			"410":                                {at(signed, status(http.StatusGone)), "was there before"},
			"401":                                {at(signed, status(http.StatusUnauthorized)), "answers 401"},
			"403":                                {at(signed, status(http.StatusForbidden)), "answers 403"},
			"429":                                {at(signed, status(http.StatusTooManyRequests)), "answers 429"},
			"500":                                {at(signed, status(http.StatusInternalServerError)), "answers 500"},
			"304 without a question":             {at(lists, status(http.StatusNotModified)), "answers 304"},
			"206 without a question":             {at(signed, status(http.StatusPartialContent)), "answers 206"},
			"a list that fails":                  {at(lists, status(http.StatusServiceUnavailable)), "answers 503"},
			"a signature that fails":             {at(signature, status(http.StatusServiceUnavailable)), "answers 503"},
			"a redirect to somebody else":        {at(signed, redirect(elsewhereURL)), "redirect_origins"},
			"an endless answer":                  {at(signed, endless), "more than|larger|limit|at most"},
			"an endless list":                    {at(lists, endless), "bytes"},
			"silence":                            {at(signed, silent), "upstream.timeout"},
			"an answer that stalls":              {at(signed, stalling), "stopped sending"},
			"a list that stalls":                 {at(lists, stalling), "stopped sending|bytes"},
			"an answer that is cut off":          {at(signed, closing), "broke off"},
			"an encoding":                        {at(signed, encoded), "encoding"},
		} {
			begin := len(o.log(t))
			o.behind.Intercept(c.intercept)
			if now := o.index(t); now != before {
				t.Fatalf("%s: the index has changed to\n%s", what, now)
			}
			o.logged(t, begin, what, "not taken over.*repository="+o.name, c.log)
		}
		if asked := elsewhere.Requests(); len(asked) > 0 {
			t.Errorf("somebody else was asked for %s", asked[0].Line())
		}

		o.behind.Intercept(nil)
		now := o.index(t)
		if now == before {
			t.Error("a good index is not taken over")
		}
		o.behind.Intercept(from(t, world.Serve(t, http.FileServer(http.Dir(older)))))
		if back := o.index(t); back != now {
			t.Errorf("an older index is taken over:\n%s", back)
		}
		o.logged(t, 0, "an older index", "repository="+o.name+".*older")
		if out, err := o.repo(t, "verify", o.name); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func half(_ string, body []byte) []byte { return body[:len(body)/2] }

func redirect(to *url.URL) world.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, to.JoinPath(r.URL.Path).String(), http.StatusFound)
	}
}

// resigned serves the upstream's index with a signature by another key.
func (o *outpost) resigned(t *testing.T, key *world.OpenPGP) world.Interceptor {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(o.peer.Dir())); err != nil {
		t.Fatal(err)
	}
	if o.kind == world.Deb {
		key.Clearsign(t, filepath.Join(dir, "dists/stable/Release"), filepath.Join(dir, "dists/stable/InRelease"))
	} else {
		key.Detach(t, filepath.Join(dir, "repodata/repomd.xml"), filepath.Join(dir, "repodata/repomd.xml.asc"), true)
	}
	return from(t, world.Serve(t, http.FileServer(http.Dir(dir))))
}

// disagreeing serves the newest index with the signature of an older one: for Debian, the text of InRelease is replaced.
func (o *outpost) disagreeing(older string) world.Interceptor {
	if o.kind == world.RPM {
		return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
			if strings.HasSuffix(r.URL.Path, ".asc") {
				http.ServeFile(w, r, filepath.Join(older, r.URL.Path))
				return
			}
			forward.ServeHTTP(w, r)
		}
	}
	return world.Alter(regexp.MustCompile("/InRelease$"), func(_ string, body []byte) []byte {
		old, err := os.ReadFile(filepath.Join(older, "dists/stable/InRelease"))
		if err != nil {
			return nil
		}
		text, _, _ := strings.Cut(string(body), "-----BEGIN PGP SIGNATURE-----")
		_, signature, _ := strings.Cut(string(old), "-----BEGIN PGP SIGNATURE-----")
		return []byte(text + "-----BEGIN PGP SIGNATURE-----" + signature)
	})
}
