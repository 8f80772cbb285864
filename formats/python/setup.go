package python

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
)

// Render returns an error that wraps [fs.ErrNotExist]: there are no documents.
func (f *Format) Render(_ format.Site, op format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("a repository of Python distributions has no document %.100q", op.Document)
}

// Setup returns a script that points an installer at the repository, or shows how distributions are uploaded to it.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	text, ok := map[string]string{"pip": pipSetup, "uv": uvSetup, "twine": twineSetup}[client]
	if !ok {
		return nil, format.NotFoundf("Python distributions are installed with pip and uv and uploaded with twine; there is no set-up for %.50q", client)
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository)
	return []byte(values.Replace(text)), nil
}

// Both installers look for newer versions in every index that they know, so that whoever registers a name elsewhere could take
// its place: the repository is the only one.
const pipSetup = `# Makes pip install from the Python repository @NAME@ and from nowhere else: writes /etc/pip.conf, of which a copy is kept,
# and keeps the repository's public keys in /usr/local/share/hallmark/@NAME@.
(
  set -e
  url=@URL@/simple/
` + keepKeys + `  conf=/etc/pip.conf
  printf '[global]\nindex-url = %s\n' "$url" > "$conf.new"
  if [ -e "$conf" ] && ! cmp -s "$conf" "$conf.new"; then
    cp "$conf" "$conf.before-@NAME@"
  fi
  mv "$conf.new" "$conf"
` + showVerify + `)
`

const uvSetup = `# Makes uv install from the Python repository @NAME@ and from nowhere else: writes /etc/uv/uv.toml, of which a copy is kept,
# and keeps the repository's public keys in /usr/local/share/hallmark/@NAME@.
(
  set -e
  url=@URL@/simple/
` + keepKeys + `  conf=/etc/uv/uv.toml
  mkdir -p /etc/uv
  printf '[[index]]\nname = "@NAME@"\nurl = "%s"\npublish-url = "%s"\ndefault = true\n' "$url" "${url%simple/}" > "$conf.new"
  if [ -e "$conf" ] && ! cmp -s "$conf" "$conf.new"; then
    cp "$conf" "$conf.before-@NAME@"
  fi
  mv "$conf.new" "$conf"
  echo "To upload: uv publish --publish-url '${url%simple/}' dist/*"
` + showVerify + `)
`

const twineSetup = `# Keeps the public keys of the Python repository @NAME@ in /usr/local/share/hallmark/@NAME@ and shows how distributions are
# uploaded. It changes nothing else.
(
  set -e
  url=@URL@/simple/
` + keepKeys + `  echo "To upload: twine upload --verbose --repository-url '${url%simple/}' dist/*"
` + showVerify + `)
`

const keepKeys = `  from=@KEYS@
  keys=/usr/local/share/hallmark/@NAME@
  mkdir -p "$keys"
  for key in openpgp.gpg files.gpg files.pub; do
    curl -fsS -o "$keys/$key.new" "$from/$key"
    mv "$keys/$key.new" "$keys/$key"
  done
`

// pip and uv know no signatures. What they check is the SHA-256 of each file that the page names, and the page is signed.
const showVerify = `  cat <<END

To verify the page of PROJECT, with the SHA-256 of each of its files:
  curl -fsSO '${url}PROJECT/index.html' -O '${url}PROJECT/index.html.asc'
  gpgv --status-fd 1 --keyring $keys/openpgp.gpg index.html.asc index.html | grep '^\[GNUPG:\] GOODSIG'

Or a file of it, by its own signature:
  curl -fsSO '${url}PROJECT/FILE' -O '${url}PROJECT/FILE.asc'
  gpgv --status-fd 1 --keyring $keys/files.gpg FILE.asc FILE | grep '^\[GNUPG:\] GOODSIG'
END
`
