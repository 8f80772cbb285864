package world

import (
	"fmt"
	"strings"
)

// Pacman is Arch's pacman.
type Pacman struct{ *Machine }

// The configuration is what pacman brings along, and wants signatures of everything. A keyring, and a master
// key to sign others with, are the machine's own, as on any Arch.
const pacmanMachine = `rm -rf /etc/pacman.conf /etc/pacman.d /var/lib/pacman /var/cache/pacman
mkdir -p /etc/pacman.d/gnupg /var/lib/pacman /var/cache/pacman/pkg
cat > /etc/pacman.conf <<'end'
[options]
Architecture = auto
CheckSpace
ParallelDownloads = 5
SigLevel = Required TrustedOnly
LocalFileSigLevel = Required TrustedOnly
end
pacman-key --init
`

// NewPacman returns a pacman without repositories, whose keyring has the machine's own key alone.
func NewPacman(t T) *Pacman {
	t.Helper()
	Installed(t, "pacman-package-manager", "pacman")
	Installed(t, "gnupg", "gpg")
	p := &Pacman{NewMachine(t)}
	p.mustSetup(t, pacmanMachine)
	return p
}

func (p *Pacman) pacman() Command { return p.Command("pacman", "--noconfirm", "--noprogressbar") }

// Refresh runs pacman -Sy.
func (p *Pacman) Refresh(t T) error {
	t.Helper()
	_, err := p.pacman().Try(t, "-Sy")
	return err
}

// Install runs pacman -S. A repository has one version of a package, so that the version is not a choice:
// any other than the repository's fails.
func (p *Pacman) Install(t T, name, version string) error {
	t.Helper()
	if version != "" {
		out, err := p.pacman().Try(t, "-S", "--print", "--print-format=%v", name)
		if err != nil {
			return err
		}
		if has := strings.TrimSpace(out); has != version {
			return fmt.Errorf("the repository has %s %s, not %s", name, has, version)
		}
	}
	_, err := p.pacman().Try(t, "-S", name)
	return err
}

// Remove runs pacman -R, and -Scc for what it has downloaded.
func (p *Pacman) Remove(t T, name string) error {
	t.Helper()
	if _, err := p.pacman().Try(t, "-R", name); err != nil {
		return err
	}
	// --noconfirm takes the default answer, which is to keep.
	_, err := p.Command("sh").Try(t, "-c", "rm -rf /var/cache/pacman/pkg/*")
	return err
}

// Installed asks pacman.
func (p *Pacman) Installed(t T, name string) string {
	t.Helper()
	out, err := p.Command("pacman").Try(t, "-Q", name)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(out) { // among complaints about a database that is not valid
		if version, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}
