package world

import (
	"fmt"
	"os/exec"
	"strings"
)

// NewAPK returns Alpine's apk where the host has one, else an APKReader, with no repositories and no keys.
// Debian has no package of apk.
func NewAPK(t T) PackageManager {
	t.Helper()
	if _, err := exec.LookPath("apk"); err != nil {
		return NewAPKReader(t)
	}
	a := &APK{NewMachine(t)}
	a.mustSetup(t, apkMachine+"apk add --initdb\n")
	return a
}

const apkMachine = `rm -rf /etc/apk /lib/apk /var/cache/apk
mkdir -p /etc/apk/keys /var/cache/apk
: > /etc/apk/repositories
`

// APK is Alpine's apk, version 2 or 3. Nothing but its own packages is installed.
type APK struct{ *Machine }

// Refresh runs apk update. By itself it ends with 0 where it has to do without an index that it does not
// trust, in version 2.
func (a *APK) Refresh(t T) error {
	t.Helper()
	out, err := a.Command("apk").Try(t, "update", "--force-refresh")
	if err == nil && strings.Contains(out, "WARNING: ") {
		return &CommandError{Line: "apk update", Output: out, Err: fmt.Errorf("it has warnings")}
	}
	return err
}

// Install runs apk add.
func (a *APK) Install(t T, name, version string) error {
	t.Helper()
	if version != "" {
		name += "=" + version
	}
	_, err := a.Command("apk").Try(t, "add", "--upgrade", name)
	return err
}

// Remove runs apk del. apk keeps no package that it has installed.
func (a *APK) Remove(t T, name string) error {
	t.Helper()
	_, err := a.Command("apk").Try(t, "del", name)
	return err
}

// Installed reads apk's list of what is installed.
func (a *APK) Installed(t T, name string) string {
	t.Helper()
	out, err := a.Command("cat").Try(t, "/lib/apk/db/installed")
	if err != nil {
		return ""
	}
	for stanza := range strings.SplitSeq(out, "\n\n") {
		fields := apkFields(stanza)
		if fields["P"] == name {
			return fields["V"]
		}
	}
	return ""
}
