package upstream_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/upstream"
	"hallmark/proxy/publish"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

func TestWhatTheUpstreamListsIsListedUnderOurKey(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("a/", map[string]string{"one": "1", "two": "22"})
	sums := s.mustGet("a/SHA256SUMS")
	if !strings.Contains(sums, "  one\n") || !strings.Contains(sums, "  two\n") {
		t.Errorf("it lists %q", sums)
	}
	if sig := s.mustGet("a/SHA256SUMS.asc"); sig == string(s.server.files["a/SHA256SUMS.asc"]) {
		t.Error("the signature is theirs")
	}
	if got := s.mustGet("a/two"); got != "22" {
		t.Errorf("a file is %q", got)
	}
	if _, err := s.get("a/three"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not listed: %v", err)
	}
	if _, err := s.get("b/one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that the upstream does not have: %v", err)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestAnUnchangedIndexCostsOneConditionalRequestNowAndThen(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1"})
	s.mustGet("SHA256SUMS")
	s.server.asked()
	before := s.generation()
	for range 3 {
		s.mustGet("SHA256SUMS")
	}
	if asked := s.server.asked(); len(asked) > 0 {
		t.Errorf("before its time the upstream is asked for %q", asked)
	}
	for range 2 {
		s.later()
		s.mustGet("SHA256SUMS")
		s.mustGet("SHA256SUMS.asc")
		if asked := s.server.asked(); !slices.Equal(asked, []string{"GET SHA256SUMS if"}) {
			t.Errorf("the upstream is asked for %q", asked)
		}
	}
	s.restart()
	s.mustGet("SHA256SUMS")
	if asked := s.server.asked(); !slices.Equal(asked, []string{"GET SHA256SUMS if"}) {
		t.Errorf("after a restart the upstream is asked for %q", asked)
	}
	if now := s.generation(); now != before {
		t.Errorf("nothing changed, and generation %d became %d", before, now)
	}
}

func TestWhatChangesUpstreamChangesHere(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newStand(t, rawFormat(t))
		s.list("", map[string]string{"gone": "g", "same": "s", "other": "o"})
		s.mustGet("SHA256SUMS")
		s.mustGet("other")
		s.list("", map[string]string{"same": "s", "other": "O", "new": "n"})
		s.later()
		if restart {
			s.restart()
		}
		sums := s.mustGet("SHA256SUMS")
		if strings.Contains(sums, "gone") || strings.Count(sums, "other") != 1 || !strings.Contains(sums, "new") || !strings.Contains(sums, "same") {
			t.Errorf("it lists %q", sums)
		}
		if got := s.mustGet("other"); got != "O" {
			t.Errorf("a file that has changed is %q", got)
		}
		if err := s.verify(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnUpstreamThatFailsOrLiesChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(s *stand){
		"it is down":             func(s *stand) { s.server.fail(http.StatusServiceUnavailable) },
		"it refuses us":          func(s *stand) { s.server.fail(http.StatusForbidden) },
		"the index is not there": func(s *stand) { s.server.fail(http.StatusNotFound) },
		"one bit is flipped": func(s *stand) {
			s.server.set(map[string]string{"SHA256SUMS": strings.Replace(string(s.server.files["SHA256SUMS"]), "  one", "  onf", 1)})
		},
		"the signature is gone": func(s *stand) {
			delete(s.server.files, "SHA256SUMS.asc")
			s.server.set(map[string]string{"SHA256SUMS": ""})
		},
		"index and signature are of two generations": func(s *stand) {
			old := string(s.server.files["SHA256SUMS.asc"])
			s.list("", map[string]string{"one": "1", "evil": "e"})
			s.server.set(map[string]string{"SHA256SUMS.asc": old})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, rawFormat(t))
			s.list("", map[string]string{"one": "1", "two": "2"})
			before := s.mustGet("SHA256SUMS")
			s.mustGet("one")
			spoil(s)
			for range 2 {
				s.later()
				if now := s.mustGet("SHA256SUMS"); now != before {
					t.Errorf("it lists %q", now)
				}
			}
			if got := s.mustGet("one"); got != "1" {
				t.Errorf("a file that was served is %q", got)
			}
			if !strings.Contains(s.log.String(), "front") {
				t.Errorf("the log does not name the repository:\n%s", &s.log)
			}
		})
	}
}

func TestAnUpstreamThatFailsFromTheBeginningIsNoEmptyOne(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1"})
	s.server.fail(http.StatusServiceUnavailable)
	for range 3 { // also while it is not asked again
		for _, path := range []string{"SHA256SUMS", "one"} {
			if _, err := s.get(path); !errors.Is(err, backend.ErrUpstream) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is down, and we say of %s: %v", path, err)
			}
		}
	}
	if asked := s.server.asked(); len(asked) != 1 {
		t.Errorf("a server that is down is asked again at once: %q", asked)
	}
	s.server.fail(0)
	s.server.set(map[string]string{"SHA256SUMS.asc": "nonsense"})
	s.later()
	if _, err := s.get("SHA256SUMS"); !errors.Is(err, backend.ErrUpstream) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its signature is nonsense, and we say: %v", err)
	}
	if s.generation() != 0 {
		t.Error("something was committed")
	}
}

func TestWhatTheUpstreamDoesNotHaveIsAbsentAlsoWhileItIsNotAskedAgain(t *testing.T) {
	s := newStand(t, rawFormat(t))
	for range 3 {
		if _, err := s.get("nowhere/SHA256SUMS"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, backend.ErrUpstream) {
			t.Errorf("we say: %v", err)
		}
	}
}

func TestAFileThatIsNotTheOneInTheIndexIsNotServed(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "the right bytes"})
	s.mustGet("SHA256SUMS")
	s.server.set(map[string]string{"one": "the wrong bytes"})
	if got, err := s.get("one"); !errors.Is(err, backend.ErrUpstream) {
		t.Errorf("it is served as %q, %v", got, err)
	}
	if _, err := s.get("one.asc"); err == nil {
		t.Error("it is signed")
	}
	s.server.set(map[string]string{"one": "the right bytes"})
	if got := s.mustGet("one"); got != "the right bytes" {
		t.Errorf("the right one is %q", got)
	}
}

func TestSignaturesBesideAFileAreMadeOnceWhenSomebodyAsks(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1"})
	s.mustGet("SHA256SUMS")
	var clients sync.WaitGroup
	for range 8 {
		for _, path := range []string{"one.asc", "one.sigstore.json"} {
			clients.Go(func() {
				if _, err := s.get(path); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			})
		}
	}
	clients.Wait()
	logged, err := s.ledger.SignaturesAt(context.Background(), "front", "one", 100)
	if err != nil || len(logged) != 2 {
		t.Errorf("the ledger has %d signatures of it, %v", len(logged), err)
	}
	if _, err := s.get("nothing.asc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a signature of nothing: %v", err)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestAnAuthorsSignatureThatTheUpstreamListsStandsWhereOursWould(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1"})
	s.mustGet("one.asc")
	s.list("", map[string]string{"one": "1", "one.asc": "the author's"})
	s.later()
	s.mustGet("SHA256SUMS")
	if got := s.mustGet("one.asc"); got != "the author's" {
		t.Errorf("it is %.40q", got)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestVerifyFindsACachedFileThatHasChanged(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1", "two": "2"})
	s.mustGet("SHA256SUMS")
	s.mustGet("one")
	s.restart() // what is on its way into the cache is there afterwards
	if err := s.verify(); err != nil {
		t.Fatal(err)
	}
	flipped := 0
	err := filepath.WalkDir(filepath.Join(s.dir, "cache"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		flipped++
		return os.WriteFile(p, []byte("x"), 0o600)
	})
	if err != nil || flipped != 1 {
		t.Fatalf("%d files are cached, %v", flipped, err)
	}
	if err := s.verify(); err == nil || !strings.HasPrefix(err.Error(), "one:") {
		t.Errorf("verify says %v", err)
	}
}

func TestAnUploadGoesToTheUpstreamAndShadowsWhatThatLists(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"theirs": "t"})
	s.mustGet("SHA256SUMS")
	if _, err := s.put("ours", "o"); err != nil {
		t.Fatal(err)
	}
	if got := string(s.server.files["ours"]); got != "o" {
		t.Errorf("the upstream has %q", got)
	}
	sums := s.mustGet("SHA256SUMS")
	if !strings.Contains(sums, "ours") || !strings.Contains(sums, "theirs") {
		t.Errorf("it lists %q", sums)
	}
	signature := s.mustGet("ours.asc")

	t.Run("the upstream lists its very bytes", func(t *testing.T) {
		s.list("", map[string]string{"theirs": "t", "ours": "o"})
		s.later()
		if sums := s.mustGet("SHA256SUMS"); strings.Count(sums, "ours") != 1 {
			t.Errorf("it lists %q", sums)
		}
		if s.mustGet("ours.asc") != signature {
			t.Error("its signature is another")
		}
		before := s.generation()
		if r, err := s.put("ours", "o"); err != nil || !r.Same || s.generation() != before {
			t.Errorf("the same upload again: %+v, %v", r, err)
		}
	})
	t.Run("the upstream lists it no more", func(t *testing.T) {
		s.list("", map[string]string{"theirs": "t"})
		s.later()
		if sums := s.mustGet("SHA256SUMS"); strings.Contains(sums, "ours") {
			t.Errorf("it lists %q", sums)
		}
	})
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestAnUploadThatGoesUncoversWhatTheUpstreamLists(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"x": "x"})
	s.mustGet("SHA256SUMS")
	if _, err := s.put("file", "ours"); err != nil {
		t.Fatal(err)
	}
	s.list("", map[string]string{"x": "x", "file": "theirs"})
	s.later()
	s.mustGet("SHA256SUMS")
	if got := s.mustGet("file"); got != "ours" {
		t.Errorf("an upload is shadowed by %q", got)
	}
	if err := s.delete("file"); err != nil {
		t.Fatal(err)
	}
	if _, there := s.server.files["file"]; there {
		t.Error("the deletion was not forwarded")
	}
	s.list("", map[string]string{"x": "x", "file": "theirs", "y": "y"})
	s.later()
	s.mustGet("SHA256SUMS")
	if got := s.mustGet("file"); got != "theirs" {
		t.Errorf("after the deletion it is %q", got)
	}
}

func TestConflictsAreFoundBeforeAnythingIsForwarded(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"listed": "theirs"})
	s.server.set(map[string]string{"held": "theirs"})
	s.mustGet("SHA256SUMS")
	s.server.asked()
	for _, path := range []string{"listed", "held"} {
		if _, err := s.put(path, "ours"); !errors.Is(err, publish.ErrConflict) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, line := range s.server.asked() {
		if strings.HasPrefix(line, "PUT") {
			t.Errorf("%s was forwarded", line)
		}
	}
	if err := s.delete("listed"); !errors.Is(err, format.ErrNotAllowed) {
		t.Errorf("a file of the upstream is deleted: %v", err)
	}
}

func TestOfTwoUploadsAtOnceOneReachesTheUpstream(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"x": "x"})
	s.mustGet("SHA256SUMS")
	s.server.asked()
	errs := make([]error, 8)
	var uploads sync.WaitGroup
	for i := range errs {
		uploads.Go(func() { _, errs[i] = s.put("file", strings.Repeat("x", i+1)) })
	}
	uploads.Wait()
	won := -1
	for i, err := range errs {
		if err == nil && won < 0 {
			won = i
		} else if !errors.Is(err, publish.ErrConflict) {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if won < 0 {
		t.Fatal("none has won")
	}
	puts := 0
	for _, line := range s.server.asked() {
		if line == "PUT file" {
			puts++
		}
	}
	if got := len(s.server.files["file"]); puts != 1 || got != won+1 || len(s.mustGet("file")) != won+1 {
		t.Errorf("%d uploads reached the upstream, which has %d bytes; %d were acknowledged", puts, got, won+1)
	}
}

func TestAnUploadThatTheUpstreamRefusesIsNotListed(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"x": "x"})
	s.mustGet("SHA256SUMS")
	for status, refused := range map[int]bool{http.StatusMethodNotAllowed: true, http.StatusForbidden: true, http.StatusInternalServerError: false, http.StatusTemporaryRedirect: false} {
		s.server.writes = status
		if _, err := s.put("file", "1"); !errors.Is(err, backend.ErrUpstream) || errors.Is(err, backend.ErrRefused) != refused {
			t.Errorf("%d: %v", status, err)
		}
	}
	if sums := s.mustGet("SHA256SUMS"); strings.Contains(sums, "file") {
		t.Errorf("it lists %q", sums)
	}
	s.server.writes = 0
	if _, err := s.put("file", "other bytes than before"); err != nil {
		t.Errorf("a later upload: %v", err)
	}
	s.server.writes = http.StatusMethodNotAllowed
	if err := s.delete("file"); !errors.Is(err, backend.ErrRefused) {
		t.Errorf("delete: %v", err)
	}
	if got := s.mustGet("file"); got != "other bytes than before" {
		t.Errorf("after a deletion that was refused it is %q", got)
	}
}

// The first of two uploads of the same bytes fails while the second is on its way. Other bytes must not get between.
func TestAFailedUploadTakesNobodysClaimAway(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"x": "x"})
	s.mustGet("SHA256SUMS")
	arrived, answer := make(chan struct{}), make(chan int)
	s.server.held = func(path string) int {
		if path != "file" {
			return 0
		}
		arrived <- struct{}{}
		return <-answer
	}
	outcomes := make(chan error, 2)
	for range 2 {
		go func() { _, err := s.put("file", "same"); outcomes <- err }()
		<-arrived
	}
	answer <- http.StatusInternalServerError
	if err := <-outcomes; !errors.Is(err, backend.ErrUpstream) {
		t.Fatalf("the first: %v", err)
	}
	if _, err := s.put("file", "other"); !errors.Is(err, publish.ErrConflict) {
		t.Errorf("other bytes while the second is on its way: %v", err)
	}
	answer <- 0
	if err := <-outcomes; err != nil {
		t.Fatalf("the second: %v", err)
	}
	if here, there := s.mustGet("file"), string(s.server.files["file"]); here != "same" || there != "same" {
		t.Errorf("%q is listed, and the upstream has %q", here, there)
	}
}

func TestADeletionThatTheUpstreamHasDoneIsFinished(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"x": "x"})
	s.mustGet("SHA256SUMS")
	if _, err := s.put("file", "f"); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	s.server.held = func(string) int { leave(); return 0 } // the client does, while the upstream deletes
	op, err := s.publish.Route(format.Request{Method: "DELETE", Path: "file"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.publish.Delete(ctx, op, publish.Caller{By: "ci"}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if sums := s.mustGet("SHA256SUMS"); strings.Contains(sums, "file") || s.server.files["file"] != nil {
		t.Errorf("it is gone there: %v; listed here: %q", s.server.files["file"] == nil, sums)
	}
}

func TestWhatIsDamagedInTheCacheIsNotSigned(t *testing.T) {
	s := newStand(t, rawFormat(t))
	s.list("", map[string]string{"one": "1"})
	s.mustGet("SHA256SUMS")
	s.mustGet("one")
	s.restart() // what is on its way into the cache is there afterwards
	err := filepath.WalkDir(filepath.Join(s.dir, "cache"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.WriteFile(p, []byte("2"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if sig, err := s.get("one.asc"); !errors.Is(err, backend.ErrUpstream) {
		t.Errorf("it is signed: %.30q, %v", sig, err)
	}
	if logged, err := s.ledger.SignaturesAt(context.Background(), "front", "one", 1); err != nil || len(logged) > 0 {
		t.Errorf("the ledger has a signature of it: %v, %v", logged, err)
	}
}

// What was taken over under other keys, or under none, is checked again, though the upstream says that nothing has changed.
func TestAnIndexIsCheckedAgainWhenTheKeysChange(t *testing.T) {
	s := newStand(t, rawFormat(t))
	own := s.keys
	s.list("a/", map[string]string{"one": "1"})
	s.mustGet("a/SHA256SUMS")
	other, err := upstream.ParseKeys(signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519").Public().Armored(), func() time.Time { return s.now })
	if err != nil {
		t.Fatal(err)
	}
	s.keys = other
	s.restart()
	if _, err := s.get("a/SHA256SUMS"); !errors.Is(err, backend.ErrUpstream) {
		t.Errorf("an index by a key that is trusted no more is served: %v", err)
	}
	s.keys = own
	s.restart()
	s.mustGet("a/SHA256SUMS")

	// From no key to one: what was found by its path alone goes.
	s.keys = upstream.Unverified()
	s.restart()
	s.later()
	s.server.set(map[string]string{"a/unlisted": "u"})
	s.mustGet("a/unlisted")
	s.keys = own
	s.restart()
	if got, err := s.get("a/unlisted"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that nobody has signed for is served: %q, %v", got, err)
	}
	if got := s.mustGet("a/one"); got != "1" {
		t.Errorf("what is signed for is %q", got)
	}
	s.keys = other
	s.restart()
	s.server.fail(http.StatusServiceUnavailable)
	if got := s.mustGet("a/one"); got != "1" {
		t.Errorf("while the upstream cannot be asked, what was good is %q", got)
	}
}
