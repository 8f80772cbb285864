package arch

import (
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
	"hallmark/signing/scheme"
)

// Render returns an error that wraps [fs.ErrNotExist]: there are no documents.
func (f *Format) Render(_ format.Site, op format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("a repository of Arch packages has no document %.100q", op.Document)
}

// Setup returns a script that makes pacman trust the repository's keys and use one of its databases: that of the root if
// there are packages in it, or else the first, unless whoever runs it sets DIRECTORY.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	if client != "pacman" {
		return nil, format.NotFoundf("Arch packages are installed with pacman; there is no set-up for %.50q", client)
	}
	folder, others, err := shell.Folders(s)
	if err != nil {
		return nil, err
	}
	var fingerprints []string
	for _, purpose := range []scheme.Purpose{scheme.Index, scheme.Package} {
		for _, key := range s.Keys.Of(purpose, scheme.OpenPGP) {
			if quoted := shell.Quote(key.Fingerprint); !slices.Contains(fingerprints, quoted) {
				fingerprints = append(fingerprints, quoted)
			}
		}
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository,
		"@FINGERPRINTS@", strings.Join(fingerprints, " "), "@FOLDER@", shell.Quote(folder), "@OTHERS@", others)
	return []byte(values.Replace(pacmanSetup)), nil
}

// pacmanSetup trusts keys by their fingerprints, which stand in the text itself: a key that was exchanged on the way is
// added and not trusted.
const pacmanSetup = `# Makes pacman trust the Arch repository @NAME@: adds its public keys to pacman's keyring and signs them locally,
# adds a section to /etc/pacman.conf if there is none of its name yet, and runs pacman -Sy.
@OTHERS@(
  set -eu
  if [ "$(id -u)" -ne 0 ] || ! command -v pacman > /dev/null; then
    echo 'Run this as root, where there is pacman.' >&2
    exit 1
  fi
  url=@URL@
  from=@KEYS@
  folder=${DIRECTORY-@FOLDER@}
  name=@NAME@
  if [ -n "$folder" ]; then
    name=${folder##*/}
  fi
  if [ ! -e /etc/pacman.d/gnupg/trustdb.gpg ]; then
    pacman-key --init
  fi
  key=$(mktemp)
  trap 'rm -f "$key"' EXIT
  curl -fsS -o "$key" "$from/openpgp.asc"
  pacman-key --add "$key"
  for print in @FINGERPRINTS@; do
    pacman-key --lsign-key "$print"
  done
  if ! grep -qxF "[$name]" /etc/pacman.conf; then
    printf '\n[%s]\nSigLevel = Required TrustedOnly\nServer = %s/$arch\n' "$name" "$url${folder:+/$folder}" >> /etc/pacman.conf
  fi
  pacman -Sy
)
`
