package world

import "strings"

// What dnf and zypper have in common: the database of rpm, which Debian's rpm keeps in the home folder
// and zypper does not, and rpm's own check of signatures, which is off by default.
const rpmMachine = `rm -rf /root/.rpmdb /var/lib/rpm /etc/rpm /root/.rpmmacros /etc/yum.repos.d /etc/zypp/repos.d
mkdir -p /var/lib/rpm /etc/rpm
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
rpm --initdb
`

const rpmStrict = `echo '%_pkgverify_level all' >> /etc/rpm/macros
`

// rpmInstalled asks rpm.
func rpmInstalled(t T, m *Machine, name string) string {
	t.Helper()
	out, err := m.Command("rpm").Try(t, "--query", "--queryformat=%{VERSION}-%{RELEASE}", name)
	if err != nil {
		return ""
	}
	return out
}

// rpmName is a package and its version in one word, as both managers take it.
func rpmName(name, separator, version string) string {
	if version == "" {
		return name
	}
	return name + separator + version
}

// RPMKeys is rpmkeys with a database of keys of its own.
type RPMKeys struct{ Command }

// NewRPMKeys returns an rpmkeys that knows the keys in these files, armored or not, and takes packages only
// with a signature: by itself it takes those without one.
func NewRPMKeys(t T, keys ...string) *RPMKeys {
	t.Helper()
	k := &RPMKeys{Command{
		Path: Installed(t, "rpm", "rpmkeys"),
		Args: []string{"--dbpath", t.TempDir(), "--define", "_pkgverify_level all"},
		Env:  []string{"HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"},
	}}
	for _, key := range keys {
		k.Run(t, "--import", key)
	}
	return k
}

// Check verifies the digests and the signatures of a package, its header's and its payload's.
func (k *RPMKeys) Check(t T, file string) error {
	t.Helper()
	out, err := k.Try(t, "--checksig", file)
	if err == nil && !strings.Contains(out, "signatures OK") {
		return &distrustError{"rpmkeys checked no signature: " + out}
	}
	return err
}
