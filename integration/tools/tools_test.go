package tools

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestEveryPinIsFound(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, tool := range all {
		names[tool.Name] = true
	}
	for _, want := range []string{"conformance", "cosign2", "cosign3", "crane", "helm", "helm4", "maven", "nuget", "oras", "python", "registry", "sbt", "staticcheck", "verdaccio", "versitygw"} {
		if !names[want] {
			t.Errorf("%s is not pinned", want)
		}
	}
	if _, err := Find("no-such-tool"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a tool that nobody pinned: %v", err)
	}
}

func TestAChangedPinIsAnotherProgram(t *testing.T) {
	t.Setenv("HALLMARK_TOOLS", t.TempDir())
	dir := filepath.Join(t.TempDir(), "crane")
	path := func(mod, sum string) string {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{"go.mod": mod, "go.sum": sum} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		tool, err := at(dir)
		if err != nil {
			t.Fatal(err)
		}
		return tool.Path
	}
	first := path("a", "b")
	if path("a", "b") != first {
		t.Error("the same pin has two places")
	}
	for _, other := range []string{path("a", "c"), path("b", "b"), path("ab", "")} {
		if other == first {
			t.Error("two pins have one place")
		}
	}
}

func TestCacheIsInTheUsersCacheUnlessSaidOtherwise(t *testing.T) {
	for _, test := range []struct{ tools, xdg, home, want string }{
		{"/a", "/b", "/c", "/a"},
		{"", "/b", "/c", "/b/hallmark/tools"},
		{"", "", "/c", "/c/.cache/hallmark/tools"},
		{"", "", "", ""},
	} {
		t.Setenv("HALLMARK_TOOLS", test.tools)
		t.Setenv("XDG_CACHE_HOME", test.xdg)
		t.Setenv("HOME", test.home)
		got, err := Cache()
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("HALLMARK_TOOLS=%q XDG_CACHE_HOME=%q HOME=%q: %q, %v, want %q",
				test.tools, test.xdg, test.home, got, err, test.want)
		}
	}
}
