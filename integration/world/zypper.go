package world

// Zypper is zypper and rpm.
type Zypper struct{ *Machine }

// NewZypper returns a zypper without repositories and one rpm that is installed: when the last one is
// removed, zypper fails to write its cache.
func NewZypper(t T) *Zypper {
	t.Helper()
	Installed(t, "zypper", "zypper")
	Installed(t, "rpm", "rpm")
	z := &Zypper{NewMachine(t)}
	z.mustSetup(t, rpmMachine+"rm -rf /var/cache/zypp /var/lib/zypp\n")
	base := Package{Name: "base", Version: "1.0.0", Arch: "all"}.Build(t, RPM)
	z.Copy(t, base.Path, "/tmp/base.rpm")
	z.mustSetup(t, "rpm --install --nosignature /tmp/base.rpm\n"+rpmStrict)
	return z
}

// zypper rejects a key that it does not know. Keys get there by rpm --import.
func (z *Zypper) zypper() Command { return z.Command("zypper", "--non-interactive") }

// Refresh runs zypper refresh.
func (z *Zypper) Refresh(t T) error {
	t.Helper()
	_, err := z.zypper().Try(t, "refresh")
	return err
}

// Install runs zypper install.
func (z *Zypper) Install(t T, name, version string) error {
	t.Helper()
	_, err := z.zypper().Try(t, "--no-refresh", "install", "--oldpackage", rpmName(name, "=", version))
	return err
}

// Remove runs zypper remove and clean.
func (z *Zypper) Remove(t T, name string) error {
	t.Helper()
	if _, err := z.zypper().Try(t, "--no-refresh", "remove", name); err != nil {
		return err
	}
	_, err := z.zypper().Try(t, "clean")
	return err
}

// Installed asks rpm.
func (z *Zypper) Installed(t T, name string) string {
	t.Helper()
	return rpmInstalled(t, z.Machine, name)
}
