package world

import "strings"

// APT is Debian's apt and dpkg.
type APT struct{ *Machine }

// The dates of a repository count, whatever the host's configuration says of them. man-db does not index its pages anew
// after each package, which takes seconds.
const aptMachine = `rm -rf /etc/apt/* /var/lib/apt/lists/* /var/cache/apt/* /var/lib/man-db/auto-update
mkdir -p /etc/apt/apt.conf.d /etc/apt/keyrings /etc/apt/preferences.d /etc/apt/sources.list.d /etc/apt/trusted.gpg.d
cat > /etc/apt/apt.conf.d/99strict <<'end'
Acquire::Check-Date "true";
Acquire::Check-Valid-Until "true";
Acquire::Retries "0";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
end
`

// NewAPT returns an apt without sources. What the host has installed is installed there.
func NewAPT(t T) *APT {
	t.Helper()
	Installed(t, "apt", "apt-get")
	a := &APT{NewMachine(t)}
	a.mustSetup(t, aptMachine)
	return a
}

// Refresh runs apt-get update. By itself it ends with 0 where it has to stay with an older index because
// the newer one is broken or has no good signature.
func (a *APT) Refresh(t T) error {
	t.Helper()
	_, err := a.Command("apt-get").Try(t, "update", "--error-on=any")
	return err
}

// Install runs apt-get install.
func (a *APT) Install(t T, name, version string) error {
	t.Helper()
	if version != "" {
		name += "=" + version
	}
	_, err := a.Command("apt-get").Try(t, "-qq", "install", "-y", "--allow-downgrades", name)
	return err
}

// Remove runs apt-get remove and clean.
func (a *APT) Remove(t T, name string) error {
	t.Helper()
	if _, err := a.Command("apt-get").Try(t, "-qq", "remove", "-y", name); err != nil {
		return err
	}
	_, err := a.Command("apt-get").Try(t, "clean")
	return err
}

// Installed asks dpkg.
func (a *APT) Installed(t T, name string) string {
	t.Helper()
	// dpkg-query fails for what it has never heard of, and knows what is removed.
	out, err := a.Command("dpkg-query").Try(t, "--show", "--showformat=${db:Status-Status} ${Version}", name)
	version, ok := strings.CutPrefix(out, "installed ")
	if err != nil || !ok {
		return ""
	}
	return version
}
