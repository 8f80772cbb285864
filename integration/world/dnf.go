package world

// DNF is dnf 4 and rpm.
type DNF struct{ *Machine }

// NewDNF returns a dnf without repositories. Nothing is installed, save packages that are not rpms.
func NewDNF(t T) *DNF {
	t.Helper()
	Installed(t, "dnf", "dnf")
	Installed(t, "rpm", "rpm")
	d := &DNF{NewMachine(t)}
	d.mustSetup(t, rpmMachine+rpmStrict+"rm -rf /var/cache/dnf /var/lib/dnf /etc/dnf/dnf.conf\n: > /etc/dnf/dnf.conf\n")
	return d
}

// dnf trusts the key that a .repo file names, at its first use, when it is told yes.
func (d *DNF) dnf() Command {
	return d.Command("dnf", "-y", "--setopt=skip_if_unavailable=0", "--setopt=retries=1")
}

// Refresh runs dnf makecache. By itself dnf would skip a repository that it cannot use.
func (d *DNF) Refresh(t T) error {
	t.Helper()
	_, err := d.dnf().Try(t, "makecache", "--refresh")
	return err
}

// Install runs dnf install, or dnf upgrade: to install what is installed is nothing to dnf.
func (d *DNF) Install(t T, name, version string) error {
	t.Helper()
	if version == "" && d.Installed(t, name) != "" {
		_, err := d.dnf().Try(t, "upgrade", name)
		return err
	}
	_, err := d.dnf().Try(t, "install", rpmName(name, "-", version))
	return err
}

// Remove runs dnf remove. dnf keeps no package that it has installed.
func (d *DNF) Remove(t T, name string) error {
	t.Helper()
	if _, err := d.dnf().Try(t, "remove", name); err != nil {
		return err
	}
	_, err := d.dnf().Try(t, "clean", "packages")
	return err
}

// Installed asks rpm.
func (d *DNF) Installed(t T, name string) string {
	t.Helper()
	return rpmInstalled(t, d.Machine, name)
}
