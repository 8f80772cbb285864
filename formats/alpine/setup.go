package alpine

import (
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
	"hallmark/signing/scheme"
)

// Render returns an error that wraps [fs.ErrNotExist]: there are no documents.
func (f *Format) Render(_ format.Site, op format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("a repository of Alpine packages has no document %.100q", op.Document)
}

// Setup returns a script that makes apk trust the repository's keys and use one of its folders: the root if there are
// packages in it, or else the first, unless whoever runs it sets DIRECTORY.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	if client != "apk" {
		return nil, format.NotFoundf("Alpine packages are installed with apk; there is no set-up for %.50q", client)
	}
	folder, others, err := shell.Folders(s)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, key := range s.Keys.Of(scheme.Index, scheme.RSA) {
		files = append(files, shell.Quote(key.File))
	}
	for _, key := range s.Keys.Of(scheme.Package, scheme.RSA) {
		if name := shell.Quote(key.File); !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository,
		"@FILES@", strings.Join(files, " "), "@FOLDER@", shell.Quote(folder), "@OTHERS@", others)
	return []byte(values.Replace(apkSetup)), nil
}

// apkSetup uses wget, which every Alpine system has. A key is moved to its place when it is there as a whole.
const apkSetup = `# Makes apk trust the Alpine repository @NAME@: puts its public keys into /etc/apk/keys,
# adds one line to /etc/apk/repositories if it is not there yet, and runs apk update.
@OTHERS@(
  set -eu
  if [ "$(id -u)" -ne 0 ] || ! command -v apk > /dev/null; then
    echo 'Run this as root, where there is apk.' >&2
    exit 1
  fi
  url=@URL@
  from=@KEYS@
  folder=${DIRECTORY-@FOLDER@}
  mkdir -p /etc/apk/keys
  for key in @FILES@; do
    wget -q -O "/etc/apk/keys/.$key.new" "$from/$key"
    mv "/etc/apk/keys/.$key.new" "/etc/apk/keys/$key"
  done
  line=$url${folder:+/$folder}
  touch /etc/apk/repositories
  if ! grep -qxF "$line" /etc/apk/repositories; then
    if [ -n "$(tail -c 1 /etc/apk/repositories)" ]; then
      echo >> /etc/apk/repositories
    fi
    echo "$line" >> /etc/apk/repositories
  fi
  apk update
)
`
