package upstream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/publish"
)

// An overlaidFormat is raw files whose uploads stay here.
type overlaidFormat struct{ *raw.Format }

func (f overlaidFormat) Spec() format.Spec {
	spec := f.Format.Spec()
	spec.Overlaid = true
	return spec
}

func TestOverlaidUploadsNeverReachTheUpstream(t *testing.T) {
	s := newStand(t, overlaidFormat{rawFormat(t).(*raw.Format)})
	s.list("a/", map[string]string{"one": "1"})
	// Nobody has asked for anything in the folder yet.
	if _, err := s.put("a/one", "another"); !errors.Is(err, publish.ErrConflict) {
		t.Errorf("other bytes at a path that the upstream lists: %v", err)
	}
	if r, err := s.put("a/one", "1"); err != nil || !r.Same {
		t.Errorf("the same bytes: %+v, %v", r, err)
	}
	if _, err := s.put("a/two", "22"); err != nil {
		t.Fatal(err)
	}
	if sums := s.mustGet("a/SHA256SUMS"); !strings.Contains(sums, "  one\n") || !strings.Contains(sums, "  two\n") || s.mustGet("a/two") != "22" {
		t.Errorf("it lists %q", sums)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
	if err := s.delete("a/one"); !errors.Is(err, format.ErrNotAllowed) {
		t.Errorf("the upstream's file is deleted: %v", err)
	}
	if err := s.delete("a/two"); err != nil {
		t.Error(err)
	}
	if sums := s.mustGet("a/SHA256SUMS"); strings.Contains(sums, "two") {
		t.Errorf("it lists %q", sums)
	}
	if asked := s.server.asked(); slices.ContainsFunc(asked, func(line string) bool { return !strings.HasPrefix(line, "GET ") }) {
		t.Errorf("the upstream is asked for %q", asked)
	}
	s.server.fail(503)
	if _, err := s.put("b/new", "1"); err == nil {
		t.Error("an upload is taken whose place may be the upstream's, which does not answer")
	}
}
