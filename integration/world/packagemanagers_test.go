package world

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// A shop is a package repository of a peer's, for some package managers. The last three are patterns of paths.
type shop struct {
	name      string
	peer      func(T, *OpenPGP) Peer
	sign      bool   // packages are signed before the peer has them
	setup     string // a script; %[1]s is the address, and the key is at %[1]s/key.asc
	index     string // what is signed, or what that names
	signature string
	file      string // a package
}

const setupAPT = `curl -fsS %[1]s/key.asc -o /etc/apt/keyrings/test.asc
cat > /etc/apt/sources.list.d/test.sources <<end
Types: deb
URIs: %[1]s
Suites: stable
Components: main
Signed-By: /etc/apt/keyrings/test.asc
end
`

const setupDNF = `mkdir -p /etc/yum.repos.d
cat > /etc/yum.repos.d/test.repo <<end
[test]
name=test
baseurl=%[1]s
gpgcheck=1
repo_gpgcheck=1
gpgkey=%[1]s/key.asc
end
`

const setupZypper = `rpm --import %[1]s/key.asc
mkdir -p /etc/zypp/repos.d
cat > /etc/zypp/repos.d/test.repo <<end
[test]
name=test
baseurl=%[1]s
enabled=1
gpgcheck=1
repo_gpgcheck=1
pkg_gpgcheck=1
end
`

const setupPacman = `set -e
curl -fsS %[1]s/key.asc -o /tmp/key.asc
pacman-key --add /tmp/key.asc
pacman-key --lsign-key "$(gpg --batch --with-colons --show-keys /tmp/key.asc | awk -F: '$1 == "fpr" { print $10; exit }')"
printf '[test]\nSigLevel = Required TrustedOnly\nServer = %[1]s\n' >> /etc/pacman.conf
`

var shops = map[string][]shop{
	"apt": {
		{name: "reprepro", peer: func(t T, k *OpenPGP) Peer { return NewReprepro(t, k) }, setup: setupAPT,
			index: `/InRelease$`, signature: `/(InRelease|Release\.gpg)$`, file: `\.deb$`},
		{name: "aptly", peer: func(t T, k *OpenPGP) Peer { return NewAptly(t, k) }, setup: setupAPT,
			index: `/Packages`, signature: `/(InRelease|Release\.gpg)$`, file: `\.deb$`},
		{name: "apt-ftparchive", peer: func(t T, k *OpenPGP) Peer { return NewFTPArchive(t, k) }, setup: setupAPT,
			index: `/InRelease$`, signature: `/(InRelease|Release\.gpg)$`, file: `\.deb$`},
	},
	"dnf": {{name: "createrepo_c", peer: createrepo, sign: true, setup: setupDNF,
		index: `/repomd\.xml$`, signature: `/repomd\.xml\.asc$`, file: `\.rpm$`}},
	"zypper": {{name: "createrepo_c", peer: createrepo, sign: true, setup: setupZypper,
		index: `/repomd\.xml$`, signature: `/repomd\.xml\.asc$`, file: `\.rpm$`}},
	"pacman": {{name: "repo-add", peer: func(t T, k *OpenPGP) Peer { return NewRepoAdd(t, k) }, setup: setupPacman,
		index: `/test\.db$`, signature: `/test\.db\.sig$`, file: `\.zst$`}},
}

func createrepo(t T, k *OpenPGP) Peer { return NewCreaterepo(t, k) }

// Every package manager takes what a peer has signed, and refuses the same with one bit flipped or with
// another key. So its driver can tell the one from the other, and says why.
func TestPackageManagersTakeWhatIsSignedAndNothingElse(t *testing.T) {
	for _, manager := range Managers() {
		for _, s := range shops[manager.Name] {
			t.Run(manager.Name+" from "+s.name, func(t *testing.T) {
				t.Parallel()
				key, other := NewOpenPGP(t, "rsa3072"), NewOpenPGP(t, "ed25519")
				peer := s.peer(t, key)
				rec := Record(t, static(t, peer.Dir(), key.Public(t)))
				build := func(version string, signed bool) Built {
					t.Helper()
					b := Package{Name: "hello", Version: version}.Build(t, manager.Kind)
					if s.sign && signed {
						key.SignRPM(t, b.Path)
					}
					peer.Add(t, b.Path)
					return b
				}
				index, file := regexp.MustCompile(s.index), regexp.MustCompile(s.file)
				script := fmt.Sprintf(s.setup, rec.URL)

				first := build("1.0.0", true)
				c := manager.New(t)
				must(t, c.Setup(t, script))
				must(t, c.Refresh(t))
				installs(t, c, "", first)
				installs(t, c, first.Version, first)

				second := build("2.0.0", true)
				must(t, c.Refresh(t))
				installs(t, c, "", second)
				removes(t, c, "hello")

				rec.Intercept(Flip(file))
				refuses(t, "a package with one bit flipped", c.Install(t, "hello", ""))
				if has := c.Installed(t, "hello"); has != "" {
					t.Errorf("a package with one bit flipped is installed: %s", has)
				}
				rec.Intercept(nil)
				installs(t, c, second.Version, second)
				if err := c.Install(t, "hello", "9.9.9-9"); err == nil || Distrusted(err) {
					t.Errorf("a version that is not there: %v", err)
				}

				third := build("3.0.0", true)
				rec.Intercept(Flip(index))
				refuses(t, "an index with one bit flipped", c.Refresh(t))
				if has := c.Installed(t, "hello"); has != second.Version {
					t.Errorf("%q is installed, and nothing has changed", has)
				}
				rec.Intercept(nil)
				must(t, c.Refresh(t))
				peer.Remove(t, third)
				must(t, c.Refresh(t))
				if err := c.Install(t, "hello", third.Version); err == nil || Distrusted(err) {
					t.Errorf("a version that %s has removed: %v", peer.Name(), err)
				}

				rec.Intercept(missing(regexp.MustCompile(s.signature)))
				build("4.0.0", false)
				refuses(t, "an index without a signature", c.Refresh(t))
				rec.Intercept(nil)
				must(t, c.Refresh(t))
				if s.sign {
					refuses(t, "a package without a signature", c.Install(t, "hello", ""))
				}

				wrong, err := os.ReadFile(other.Public(t))
				must(t, err)
				rec.Intercept(Alter(regexp.MustCompile(`^/key\.asc$`), func(string, []byte) []byte { return wrong }))
				c = manager.New(t)
				must(t, c.Setup(t, script))
				refuses(t, "an index by another key", c.Refresh(t))
				if err := c.Install(t, "hello", ""); err == nil {
					t.Error("a package of an index by another key is installed")
				}

				rec.Intercept(missing(regexp.MustCompile("")))
				if err := c.Refresh(t); err == nil {
					t.Error("a repository that is not there is fresh")
				}
			})
		}
	}
}

// static serves a folder, and a key at /key.asc. It sends no dates: pacman drops a database whose date is not
// after that of the one it has, and two may be of one second. And a file is always whole: apt keeps an
// InRelease with a bad signature, asks for what comes after its last byte, and believes a server that has
// nothing more.
func static(t *testing.T, dir, key string) string {
	t.Helper()
	return Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := filepath.Join(dir, filepath.FromSlash(r.URL.Path))
		if r.URL.Path == "/key.asc" {
			path = key
		}
		f, err := os.Open(path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		r.Header.Del("Range")
		http.ServeContent(w, r, path, time.Time{}, f)
	}))
}

// missing answers 404 for paths that match.
func missing(paths *regexp.Regexp) Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if paths.MatchString(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}
}

func installs(t *testing.T, c PackageManager, version string, want Built) {
	t.Helper()
	must(t, c.Install(t, want.Name, version))
	if has := c.Installed(t, want.Name); has != want.Version {
		t.Fatalf("%q is installed, want %s", has, want.Version)
	}
}

func removes(t *testing.T, c PackageManager, name string) {
	t.Helper()
	must(t, c.Remove(t, name))
	if has := c.Installed(t, name); has != "" {
		t.Fatalf("%s is still there after it was removed", has)
	}
}

func refuses(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s is taken", what)
	} else if !Distrusted(err) {
		t.Errorf("%s is refused for another reason: %v", what, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFailuresThatAreNoMistrust(t *testing.T) {
	for _, err := range []error{
		nil, errors.New("BADSIG"), os.ErrNotExist, &CommandError{Output: "E: Unable to locate package hello", Err: os.ErrInvalid},
	} {
		if Distrusted(err) {
			t.Errorf("%v is taken for mistrust", err)
		}
	}
}
