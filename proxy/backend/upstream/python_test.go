package upstream_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"hallmark/formats/python"
)

const (
	page    = "simple/foo/"
	wheel   = "simple/foo/foo-1.0-py3-none-any.whl"
	core    = "Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n"
	another = "Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nSummary: another\n"
)

// newPython returns a stand in front of a server without a project.
func newPython(t *testing.T) *stand {
	t.Helper()
	f, err := python.New(python.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return newUnverified(t, f)
}

// wheelOf builds a wheel with a METADATA.
func wheelOf(t *testing.T, metadata string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"METADATA": metadata, "WHEEL": "Wheel-Version: 1.0\n", "RECORD": ""} {
		w, err := z.Create("foo-1.0.dist-info/" + name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// lists has the server list a wheel with what is served beside it.
func (s *stand) lists(wheelData, metadata string) {
	s.server.set(map[string]string{
		page: fmt.Sprintf(`<a href="foo-1.0-py3-none-any.whl#sha256=%x" data-core-metadata="sha256=%x">`,
			sha256.Sum256([]byte(wheelData)), sha256.Sum256([]byte(metadata))),
		wheel: wheelData, wheel + ".metadata": metadata,
	})
}

func TestMetadataOfAnUpstreamsFileAreServed(t *testing.T) {
	s := newPython(t)
	s.lists("the wheel", core)
	for range 2 {
		if got := s.mustGet(wheel + ".metadata"); got != core {
			t.Errorf("the metadata are %q", got)
		}
		s.later()
		s.restart()
	}
	s.lists("the wheel", another)
	s.later()
	if got := s.mustGet(wheel + ".metadata"); got != another {
		t.Errorf("the metadata are %q, and should be others by now", got)
	}
	s.lists("the wheel", "others again") // which nobody has in a cache
	s.server.set(map[string]string{wheel + ".metadata": another})
	s.later()
	if got, err := s.get(wheel + ".metadata"); err == nil {
		t.Errorf("metadata pass that the page does not name: %q", got)
	}
	s.server.set(map[string]string{page: ""})
	s.later()
	if got, err := s.get(page + "index.html"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the page of a project whose files are gone: %v\n%s", err, got)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

// What stands beside an upload is the upload's, whatever the upstream says of a file of the same name.
func TestMetadataOfAnUploadAreNotTheUpstreams(t *testing.T) {
	s := newPython(t)
	ours := wheelOf(t, core)
	if _, err := s.put(wheel, ours); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct{ what, wheel, metadata string }{{"the page lists another", "another wheel", another}, {"the page lists the same", ours, core}} {
		what := page.what
		s.lists(page.wheel, page.metadata)
		s.later()
		generation := s.generation()
		for range 2 {
			if got := s.mustGet(wheel); got != ours {
				t.Errorf("%s: the wheel is %q", what, got)
			}
			if got := s.mustGet(wheel + ".metadata"); got != core {
				t.Errorf("%s: the metadata are %q", what, got)
			}
			s.later()
			s.restart()
		}
		if n := s.generation() - generation; n > 1 {
			t.Errorf("%s: what has not changed since has made %d generations", what, n)
		}
		if err := s.verify(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What the upstream has taken over follows the upstream.
	s.lists("another wheel", another)
	s.later()
	if got := s.mustGet(wheel + ".metadata"); got != another {
		t.Errorf("after the upstream has replaced an upload, the metadata are %q", got)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestMetadataOfTheUpstreamComeBack(t *testing.T) {
	s := newPython(t)
	if _, err := s.put(wheel, wheelOf(t, core)); err != nil {
		t.Fatal(err)
	}
	s.lists("another wheel", another)
	s.later()
	if got := s.mustGet(wheel + ".metadata"); got != core {
		t.Errorf("beside an upload, the metadata are %q", got)
	}
	if err := s.delete(wheel); err != nil {
		t.Fatal(err)
	}
	s.lists("another wheel", another)
	s.later()
	if got := s.mustGet(wheel + ".metadata"); got != another {
		t.Errorf("after the upload has gone, the metadata are %q", got)
	}
	if got := s.mustGet(wheel); got != "another wheel" {
		t.Errorf("after the upload has gone, the wheel is %q", got)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}
