package world

import (
	"errors"
	"slices"
	"strings"
)

// A PackageManager is a client on a machine of its own, which knows no repository until Setup. Its methods
// belong to one test, one after another. Each takes the client's own commands and believes its exit status;
// where that says less than the client has found out, the client is told to be strict.
type PackageManager interface {
	// Setup runs a script by sh as root of the machine, such as the text that a repository serves.
	Setup(t T, script string) error

	// Refresh fetches the indexes of all repositories. It fails if one of them is not the newest that
	// was offered, signed by who the client trusts.
	Refresh(t T) error

	// Install installs a package, or brings an older one that is installed up to date. The version is as
	// Installed tells it; empty is the newest. Dependencies are not asked for.
	Install(t T, name, version string) error

	// Remove removes a package, and what was downloaded: the next Install fetches the package again.
	Remove(t T, name string) error

	// Installed returns the version of a package that is installed, in the words of its format, such as
	// 1.0.0-1, and is empty if none is.
	Installed(t T, name string) string
}

// A Manager is one kind of PackageManager.
type Manager struct {
	Name string // as in ?client= of a set-up text: apt, dnf, zypper, apk, pacman
	Kind Kind   // what it installs
	New  func(T) PackageManager
}

// Managers returns all kinds.
func Managers() []Manager {
	return []Manager{
		{"apt", Deb, func(t T) PackageManager { return NewAPT(t) }},
		{"dnf", RPM, func(t T) PackageManager { return NewDNF(t) }},
		{"zypper", RPM, func(t T) PackageManager { return NewZypper(t) }},
		{"apk", Alpine, func(t T) PackageManager { return NewAPK(t) }},
		{"pacman", Arch, func(t T) PackageManager { return NewPacman(t) }},
	}
}

// Distrusted tells whether err is a package manager's account of something that it does not believe: a
// signature is missing, broken or not by a key that it trusts, or bytes are not those that were signed. It
// is false for any other failure, so that a test of what is refused does not pass because something is
// broken.
func Distrusted(err error) bool {
	var own *distrustError
	if errors.As(err, &own) {
		return true
	}
	var failed *CommandError
	if !errors.As(err, &failed) {
		return false
	}
	return slices.ContainsFunc(distrust[:], func(words string) bool { return strings.Contains(failed.Output, words) })
}

// What package managers say of bytes that they do not believe.
var distrust = [...]string{
	// apt
	"BADSIG", "NO_PUBKEY", "EXPKEYSIG", "is not signed", "is no longer signed", "Hash Sum mismatch", "File has unexpected size",
	"Clearsigned file isn't valid", "is not valid yet", "is expired",
	// dnf
	"Bad GPG signature", "GPG signature is not available", "GPG signature verification error", "GPG check FAILED",
	"checksum doesn't match", "Inconsistent server data",
	// zypper
	"Signature verification failed", "has wrong checksum", "Digest verification failed",
	// pacman
	"(PGP signature)", ".sig' from", "Maximum file size exceeded", // which the signed database names
	// apk
	"UNTRUSTED signature", "BAD signature", "BAD archive", "v2 package integrity error",
	"file format is invalid or inconsistent",
}

// A distrustError is what a reader of ours says of bytes that it does not believe.
type distrustError struct{ why string }

func (e *distrustError) Error() string { return e.why }
