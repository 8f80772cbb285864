package world

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// The one distribution and component of the peers for Debian.
const (
	peerDistribution = "stable"
	peerComponent    = "main"
)

// Reprepro is reprepro, without contents indexes.
type Reprepro struct {
	dir string
	Command
}

// NewReprepro returns an empty repository.
func NewReprepro(t T, key *OpenPGP) *Reprepro {
	t.Helper()
	dir := t.TempDir()
	config := "Codename: " + peerDistribution + "\nSuite: " + peerDistribution + "\nComponents: " + peerComponent +
		"\nArchitectures: " + runtime.GOARCH + "\nSignWith: " + key.Fingerprint + "\n"
	if err := os.WriteFile(filepath.Join(makeDir(t, dir, "conf"), "distributions"), []byte(config), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	return &Reprepro{dir, key.Command(Command{
		Path: Installed(t, "reprepro", "reprepro"),
		Args: []string{"--silent", "--basedir", dir},
	})}
}

// Name returns the program's name.
func (r *Reprepro) Name() string { return "reprepro" }

// Dir returns the folder that clients read.
func (r *Reprepro) Dir() string { return r.dir }

// Add runs reprepro includedeb.
func (r *Reprepro) Add(t T, packages ...string) {
	t.Helper()
	r.Run(t, append([]string{"includedeb", peerDistribution}, packages...)...)
}

// Remove runs reprepro remove, of whatever version there is: reprepro keeps one.
func (r *Reprepro) Remove(t T, b Built) {
	t.Helper()
	r.Run(t, "remove", peerDistribution, b.Name)
}

// Aptly is aptly with one local repository, published without contents indexes.
type Aptly struct {
	dir       string
	published bool
	key       *OpenPGP
	Command
}

// NewAptly returns an empty repository, which is published with the first package.
func NewAptly(t T, key *OpenPGP) *Aptly {
	t.Helper()
	dir := t.TempDir()
	config := file(t, "aptly.json", `{"rootDir": "`+dir+`", "gpgProvider": "gpg", "skipContentsPublishing": true}`)
	a := &Aptly{dir: dir, key: key, Command: key.Command(Command{
		Path: Installed(t, "aptly", "aptly"),
		Args: []string{"-config=" + config},
	})}
	a.Run(t, "repo", "create", "-distribution="+peerDistribution, "-component="+peerComponent, "test")
	return a
}

// Name returns the program's name.
func (a *Aptly) Name() string { return "aptly" }

// Dir returns the folder that clients read.
func (a *Aptly) Dir() string { return filepath.Join(a.dir, "public") }

// Add runs aptly repo add, and publishes.
func (a *Aptly) Add(t T, packages ...string) {
	t.Helper()
	a.Run(t, append([]string{"repo", "add", "test"}, packages...)...)
	a.publish(t)
}

// Remove runs aptly repo remove, and publishes.
func (a *Aptly) Remove(t T, b Built) {
	t.Helper()
	a.Run(t, "repo", "remove", "test", b.Name+" (= "+b.Version+")")
	a.publish(t)
}

func (a *Aptly) publish(t T) {
	t.Helper()
	if a.published {
		a.Run(t, "publish", "update", "-batch", "-gpg-key="+a.key.Fingerprint, peerDistribution)
		return
	}
	a.Run(t, "publish", "repo", "-batch", "-gpg-key="+a.key.Fingerprint, "-architectures="+runtime.GOARCH, "test")
	a.published = true
}

// FTPArchive is apt-ftparchive with its cache of what is in packages, and gpg.
type FTPArchive struct {
	dir, config string
	byHash      bool
	key         *OpenPGP
	Command
}

// NewFTPArchive returns an empty repository.
func NewFTPArchive(t T, key *OpenPGP) *FTPArchive {
	t.Helper()
	return newFTPArchive(t, key, ". gzip", false)
}

// NewDebianArchive returns an empty repository of the layout that Debian's own has: indexes in xz, which are to be had by
// their digests, too.
func NewDebianArchive(t T, key *OpenPGP) *FTPArchive {
	t.Helper()
	return newFTPArchive(t, key, "xz", true)
}

func newFTPArchive(t T, key *OpenPGP, compress string, byHash bool) *FTPArchive {
	t.Helper()
	f := &FTPArchive{dir: t.TempDir(), byHash: byHash, key: key}
	f.config = file(t, "generate.conf", `Dir { ArchiveDir "`+f.dir+`"; CacheDir "`+t.TempDir()+`"; };
Default { Packages::Compress "`+compress+`"; Contents::Compress "gzip"; };
Tree "dists/`+peerDistribution+`" { Sections "`+peerComponent+`"; Architectures "`+runtime.GOARCH+`"; Contents "false";
  Directory "pool"; };
`)
	f.Command = Command{Path: Installed(t, "apt-utils", "apt-ftparchive"), Args: []string{"-qq"}, Dir: f.dir}
	makeDir(t, f.dir, "pool")
	makeDir(t, f.dir, "dists", peerDistribution, peerComponent, "binary-"+runtime.GOARCH)
	return f
}

// Name returns the program's name.
func (f *FTPArchive) Name() string { return "apt-ftparchive" }

// Dir returns the folder that clients read.
func (f *FTPArchive) Dir() string { return f.dir }

// Add copies packages to the pool and writes the indexes anew.
func (f *FTPArchive) Add(t T, packages ...string) {
	t.Helper()
	for _, p := range packages {
		copyFile(t, p, filepath.Join(f.dir, "pool", filepath.Base(p)))
	}
	f.publish(t)
}

// Remove removes a package from the pool and writes the indexes anew.
func (f *FTPArchive) Remove(t T, b Built) {
	t.Helper()
	if err := os.Remove(filepath.Join(f.dir, "pool", b.File())); err != nil {
		t.Fatalf("%v", err)
	}
	f.publish(t)
}

func (f *FTPArchive) publish(t T) {
	t.Helper()
	f.Run(t, "generate", f.config)
	dists := filepath.Join("dists", peerDistribution)
	release := f.Run(t, "-o", fmt.Sprint("APT::FTPArchive::DoByHash=", f.byHash),
		"-o", "APT::FTPArchive::Release::Suite="+peerDistribution,
		"-o", "APT::FTPArchive::Release::Components="+peerComponent,
		"-o", "APT::FTPArchive::Release::Architectures="+runtime.GOARCH, "release", dists)
	path := filepath.Join(f.dir, dists, "Release")
	if err := os.WriteFile(path, []byte(release), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	f.key.Clearsign(t, path, filepath.Join(f.dir, dists, "InRelease"))
}
