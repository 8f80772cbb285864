package world

import (
	"os"
	"path/filepath"
)

// shortDir makes a folder whose path is short, which that of TempDir is not, until the test ends.
func shortDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hm")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("something is left behind: %v", err)
		}
	})
	return dir
}

// policy returns a containers-policy.json that takes every image: what is checked is checked by cosign.
func policy(t T) string {
	t.Helper()
	return file(t, "policy.json", `{"default":[{"type":"insecureAcceptAnything"}]}`)
}

// emptyFile returns an empty file, for a program that would read the host's settings.
func emptyFile(t T) string {
	t.Helper()
	return file(t, "empty", "")
}

// emptyJSON is emptyFile for a program that wants an object.
func emptyJSON(t T) string {
	t.Helper()
	return file(t, "empty.json", "{}")
}

func file(t T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}
