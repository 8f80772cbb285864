package rpm

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
)

// Setup returns a script that adds the repository to dnf or zypper, with its keys.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	text, repos := "", []byte(nil)
	switch client {
	case "dnf":
		text = dnfSetup
	case "zypper":
		dirs, err := directories(s)
		if err != nil {
			return nil, err
		}
		text, repos = zypperSetup, f.repoFile(s, dirs, direct)
	default:
		return nil, format.NotFoundf("RPM packages are installed with dnf or zypper; there is no set-up for %.50q", client)
	}
	imports := ""
	for _, file := range keyFiles(s) {
		imports += "  rpmkeys --import \"$keys/" + file + "\"\n"
	}
	text = strings.NewReplacer(
		"@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository, "@REPOS@", string(repos),
		"@IMPORT@", imports,
	).Replace(text)
	return []byte(text), nil
}

const dnfSetup = `# Adds the RPM repository @NAME@ to dnf, in /etc/yum.repos.d/hallmark-@NAME@.repo,
# and its public keys to those that rpm trusts. It changes nothing else.
(
  set -e
  url=@URL@
  keys=@KEYS@
  repos=/etc/yum.repos.d
  mkdir -p "$repos"
  curl -fsS -o "$repos/hallmark-@NAME@.repo.new" "$url/@NAME@.repo"
@IMPORT@  mv "$repos/hallmark-@NAME@.repo.new" "$repos/hallmark-@NAME@.repo"
)
`

const zypperSetup = `# Adds the RPM repository @NAME@ to zypper, in /etc/zypp/repos.d/hallmark-@NAME@.repo,
# and its public keys to those that rpm and zypper trust. It changes nothing else.
(
  set -e
  keys=@KEYS@
  repos=/etc/zypp/repos.d
  mkdir -p "$repos"
@IMPORT@  cat >"$repos/hallmark-@NAME@.repo" <<'END'
@REPOS@END
)
`
