package world

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A shelf takes what is put there, and refuses what is named so.
type shelf struct {
	mu    sync.Mutex
	order []string
	files map[string][]byte
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch data, err := io.ReadAll(r.Body); {
	case err != nil || strings.Contains(r.URL.Path, "refused"):
		http.Error(w, "it is refused, and why", http.StatusBadRequest)
	case r.Method == http.MethodPut:
		s.files[r.URL.Path] = data
		s.order = append(s.order, path.Base(r.URL.Path))
		w.WriteHeader(http.StatusCreated)
	case s.files[r.URL.Path] == nil:
		http.NotFound(w, r)
	case r.Method == http.MethodDelete:
		delete(s.files, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Write(s.files[r.URL.Path])
	}
}

func TestDPutUploadsTheChangesLast(t *testing.T) {
	t.Parallel()
	s := &shelf{files: make(map[string][]byte)}
	address := Serve(t, s)
	b := Package{Name: "hello", Version: "1.0.0"}.Build(t, Deb)
	changes := Changes(t, "stable", b.Path)
	must(t, NewDPut(t, address+"/debian/stable/main/incoming").Upload(t, changes))
	if want := []string{b.File(), filepath.Base(changes)}; !slices.Equal(s.order, want) {
		t.Errorf("uploaded %q, want %q", s.order, want)
	}
	if got := s.files["/debian/stable/main/incoming/"+b.File()]; string(got) != string(b.Bytes(t)) {
		t.Errorf("%d other bytes were uploaded", len(got))
	}

	s.order = nil
	source := Source(t, "hello", "2.0.0")
	changes = Changes(t, "stable", source...)
	must(t, NewDPut(t, address+"/incoming/").Upload(t, changes))
	if len(s.order) != 3 || s.order[2] != filepath.Base(changes) {
		t.Errorf("uploaded %q, want the source and then %s", s.order, filepath.Base(changes))
	}
	if err := NewDPut(t, address+"/refused").Upload(t, changes); err == nil {
		t.Error("an upload that is refused has succeeded")
	}
	must(t, os.WriteFile(source[1], []byte("other bytes"), 0o644))
	if err := NewDPut(t, address+"/incoming/").Upload(t, changes); err == nil {
		t.Error("dput has uploaded a file that is not what the .changes names")
	}
}

func TestUploadsTellTheStatus(t *testing.T) {
	t.Parallel()
	s := &shelf{files: make(map[string][]byte)}
	address := Serve(t, s)
	text := file(t, "text", "hello")
	Put(t, address+"/a", text, http.StatusCreated)
	NewCurl(t).Run(t, "--upload-file", text, address+"/b/")
	for _, where := range []string{"/a", "/b/text"} {
		if got := Get(t, address+where); got != "hello" {
			t.Errorf("%s holds %q", where, got)
		}
	}
	NewCurl(t).Refuses(t, []string{"and why", "400"}, "--upload-file", text, address+"/refused")
	if status, body := Send(t, http.MethodPut, address+"/refused", nil); status != 400 || !strings.Contains(body, "and why") {
		t.Errorf("%d %s", status, body)
	}
	Delete(t, address+"/a", http.StatusNoContent)
	Delete(t, address+"/a", http.StatusNotFound)
	err := Run(t.Context(), "upload", func(w T) { Put(w, address+"/refused", text, http.StatusCreated) })
	if err == nil {
		t.Error("a status that is not the one has passed")
	}
}

// A package of Debian's own goes through a peer to a machine, where it runs, and the host has none of it.
func TestAPackageOfDebiansOwnIsInstalled(t *testing.T) {
	t.Parallel()
	key := NewOpenPGP(t, "ed25519")
	peer := NewReprepro(t, key)
	deb := FromDebian(t, "hello")
	if again := FromDebian(t, "hello"); again != deb {
		t.Errorf("fetched twice: %s and %s", deb, again)
	}
	peer.Add(t, deb)
	address := static(t, peer.Dir(), key.Public(t))
	c := NewAPT(t)
	must(t, c.Setup(t, strings.ReplaceAll(setupAPT, "%[1]s", address)))
	must(t, c.Refresh(t))
	must(t, c.Install(t, "hello", ""))
	if out := c.Command("hello").Run(t); !strings.Contains(out, "Hello, world!") {
		t.Errorf("it says %q", out)
	}
	must(t, c.Remove(t, "hello"))
	if _, err := c.Command("hello").Try(t); err == nil {
		t.Error("it still runs after it was removed")
	}
	peer.Remove(t, Built{Name: "hello"})
	must(t, c.Refresh(t))
	if err := c.Install(t, "hello", ""); err == nil {
		t.Error("a package that the repository no longer has is installed")
	}
	if path, err := exec.LookPath("hello"); err == nil {
		t.Logf("the host has a %s of its own", path)
	}
}

func decimal(n int) string { return strconv.Itoa(n) }
