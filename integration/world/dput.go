package world

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DPut is dput, which uploads the files that a .changes names over HTTP, and the .changes last.
type DPut struct{ Command }

// NewDPut returns a dput that uploads to a folder: http://host:port/debian/stable/main/incoming. A user's
// name and password may stand in the address.
func NewDPut(t T, folder string) *DPut {
	t.Helper()
	to, err := url.Parse(folder)
	if err != nil {
		t.Fatalf("%v", err)
	}
	config := fmt.Sprintf("[test]\nmethod = %s\nfqdn = %s\nincoming = %s\nlogin = anonymous\n"+
		"allow_unsigned_uploads = 1\nprogress_indicator = 0\nallowed_distributions = .*\n", to.Scheme, to.Host, to.Path)
	return &DPut{Command{
		Path: Installed(t, "dput", "dput"),
		Args: []string{"--config", file(t, "dput.cf", config), "--force", "--no-upload-log", "test"},
		Env:  []string{"HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"},
	}}
}

// Upload uploads what a .changes names.
func (d *DPut) Upload(t T, changes string) error {
	t.Helper()
	_, err := d.Try(t, changes)
	return err
}

// Changes writes the .changes of an upload to a new folder, links the files beside it, and returns its path. The
// first file is a .deb or .dsc named name_version_…
func Changes(t T, distribution string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	name, rest, ok := strings.Cut(filepath.Base(files[0]), "_")
	version, _, _ := strings.Cut(strings.TrimSuffix(rest, ".dsc"), "_")
	if !ok || version == "" {
		t.Fatalf("%s is not named name_version", files[0])
	}
	arches := make(map[string]bool)
	var md5s, sha1s, sha256s strings.Builder
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v", err)
		}
		base := filepath.Base(path)
		if err := os.Symlink(path, filepath.Join(dir, base)); err != nil {
			t.Fatalf("%v", err)
		}
		fmt.Fprintf(&md5s, " %x %d misc optional %s\n", md5.Sum(data), len(data), base)
		fmt.Fprintf(&sha1s, " %x %d %s\n", sha1.Sum(data), len(data), base)
		fmt.Fprintf(&sha256s, " %x %d %s\n", sha256.Sum256(data), len(data), base)
		arch := "source"
		if stem, ok := strings.CutSuffix(base, ".deb"); ok {
			arch = stem[strings.LastIndex(stem, "_")+1:]
		}
		arches[arch] = true
	}
	text := fmt.Sprintf("Format: 1.8\nDate: %s\nSource: %s\nBinary: %s\nArchitecture: %s\nVersion: %s\n"+
		"Distribution: %s\nUrgency: medium\nMaintainer: Test <test@example.org>\nChanged-By: Test <test@example.org>\n"+
		"Description:\n %s - A package for a test.\nChanges:\n %s (%s) %s; urgency=medium\n .\n   * A test.\n"+
		"Checksums-Sha1:\n%sChecksums-Sha256:\n%sFiles:\n%s",
		time.Now().UTC().Format(time.RFC1123Z), name, name, strings.Join(slices.Sorted(maps.Keys(arches)), " "), version,
		distribution, name, name, version, distribution, &sha1s, &sha256s, &md5s)
	path := filepath.Join(dir, name+"_"+version+"_upload.changes")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}

// Source makes a native source package and returns its files, the .dsc first.
func Source(t T, name, version string) []string {
	t.Helper()
	dir := t.TempDir()
	debian := makeDir(t, dir, name+"-"+version, "debian")
	makeDir(t, debian, "source")
	for file, text := range map[string]string{
		"source/format": "3.0 (native)\n",
		"control": "Source: " + name + "\nMaintainer: Test <test@example.org>\nSection: misc\nPriority: optional\n" +
			"Standards-Version: 4.6.2\n\nPackage: " + name + "\nArchitecture: all\nDescription: A package for a test.\n",
		"changelog": name + " (" + version + ") stable; urgency=medium\n\n  * A test.\n\n" +
			" -- Test <test@example.org>  Mon, 05 Jan 2026 10:00:00 +0000\n",
		"rules": "#!/usr/bin/make -f\n%:\n\ttrue\n",
	} {
		if err := os.WriteFile(filepath.Join(debian, file), []byte(text), 0o755); err != nil {
			t.Fatalf("%v", err)
		}
	}
	Command{Path: Installed(t, "dpkg-dev", "dpkg-source"), Dir: dir}.Run(t, "--build", name+"-"+version)
	return []string{
		filepath.Join(dir, name+"_"+version+".dsc"),
		filepath.Join(dir, name+"_"+version+".tar.xz"),
	}
}
