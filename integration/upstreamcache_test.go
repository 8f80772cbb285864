package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// proxy repo show says how full the cache is, and proxy repo verify reads what is in it, both while the server runs and
// when it does not.
func TestTheCacheIsShownAndVerified(t *testing.T) {
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		name := repositoryOf(m.Kind)
		proxy := f.proxy.Command(t)
		if out := proxy.Run(t, "repo", "show", name); !strings.Contains(out, "0 files with 0 bytes, 0.0% of 10GiB") {
			t.Errorf("nobody has asked for anything, and repo show says\n%s", out)
		}
		b := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, b.Path)
		world.Get(t, f.URL+f.index())
		path := map[world.Kind]string{world.Deb: "/debian/pool/", world.RPM: "/rpm/"}[m.Kind] + b.File()
		world.Get(t, f.URL+path)
		world.Get(t, f.URL+path+".asc")
		f.build(t, m.Kind, "2.0.0") // the overlay

		var kept string // the package in the cache
		files, bytes := 0, int64(0)
		must(t, filepath.WalkDir(filepath.Join(f.proxy.Data, "cache", name), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(p)
			if files, bytes = files+1, bytes+int64(len(data)); string(data) == string(b.Bytes(t)) {
				kept = p
			}
			return err
		}))
		if kept == "" {
			t.Fatal("the package is not in the cache")
		}
		good := b.Bytes(t)
		for _, running := range []bool{true, false} {
			if !running {
				if status := f.proxy.Terminate(); status != 0 {
					t.Errorf("the proxy ended with status %d", status)
				}
			}
			if out, want := proxy.Run(t, "repo", "show", name), fmt.Sprintf("%d files with %d bytes,", files, bytes); !strings.Contains(out, want) {
				t.Errorf("repo show does not say %q:\n%s", want, out)
			}
			if out := proxy.Run(t, "repo", "verify", name); !strings.Contains(out, fmt.Sprintf("%d files that are kept", files)) {
				t.Errorf("repo verify says\n%s", out)
			}
			must(t, os.WriteFile(kept, world.FlipBit([]byte(string(good))), 0o600))
			proxy.Refuses(t, []string{b.File()}, "repo", "verify", name)
			must(t, os.WriteFile(kept, good, 0o600))
			other := cachedBut(t, filepath.Dir(filepath.Dir(kept)), kept)
			index, err := os.ReadFile(other)
			must(t, err)
			must(t, os.WriteFile(other, world.FlipBit([]byte(string(index))), 0o600))
			proxy.Refuses(t, []string{filepath.Base(other), "remove it"}, "repo", "verify", name)
			must(t, os.WriteFile(other, index, 0o600))
		}
	})
}

// cachedBut returns a file of a cache that is not this one.
func cachedBut(t *testing.T, dir, not string) (found string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && p != not {
			found = p
		}
		return err
	}))
	return found
}
