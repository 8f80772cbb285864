package world

import (
	"os"
	"path/filepath"
)

// FromDebian returns a package of Debian's own archive, as the host's apt gets it. It is fetched once, and
// kept in the user's cache folder.
func FromDebian(t T, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("no place for packages: %v", err)
	}
	dir := makeDir(t, cache, "hallmark", "debian")
	if found := debOf(t, dir, name); found != "" {
		return found
	}
	fetched := t.TempDir()
	c := Command{Path: Installed(t, "apt", "apt-get"), Dir: fetched}
	if _, err := c.Try(t, "-o", "APT::Sandbox::User=root", "download", name); err != nil {
		t.Fatalf("%v\nIf apt knows no such package, run `apt-get update`.", err)
	}
	deb := debOf(t, fetched, name)
	if deb == "" {
		t.Fatalf("apt-get download %s has left nothing", name)
	}
	// It appears whole: another test may want it now.
	unfinished, err := os.MkdirTemp(dir, "unfinished-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer os.RemoveAll(unfinished)
	whole, kept := filepath.Join(unfinished, filepath.Base(deb)), filepath.Join(dir, filepath.Base(deb))
	copyFile(t, deb, whole)
	if err := os.Rename(whole, kept); err != nil {
		t.Fatalf("%v", err)
	}
	return kept
}

func debOf(t T, dir, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if len(found) == 0 {
		return ""
	}
	return found[0]
}
