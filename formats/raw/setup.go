package raw

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
)

// Render returns an error that wraps [fs.ErrNotExist]: there are no documents.
func (f *Format) Render(_ format.Site, op format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("a repository of raw files has no document %.100q", op.Document)
}

// Setup returns a script that keeps the public keys and shows how a file is fetched and verified.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	if client != "curl" {
		return nil, format.NotFoundf("raw files are fetched with curl; there is no set-up for %.50q", client)
	}
	text := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository).Replace(curlSetup)
	return []byte(text), nil
}

// curlSetup ends in a document that the shell expands, so that the commands it shows can be copied as they are.
//
// The commands look for a good signature in what gpgv says: it fails if there is also one by a key that it does not have,
// and while the repository's keys change there is.
const curlSetup = `# Keeps the public keys of the raw repository @NAME@ in /usr/local/share/hallmark/@NAME@,
# and shows how files are fetched and verified. It changes nothing else.
(
  set -e
  url=@URL@
  from=@KEYS@
  keys=/usr/local/share/hallmark/@NAME@
  mkdir -p "$keys"
  for key in openpgp.gpg files.gpg files.pub; do
    curl -fsS -o "$keys/$key.new" "$from/$key"
    mv "$keys/$key.new" "$keys/$key"
  done
  cat <<END

To upload FILE:
  curl -T FILE '$url/FOLDER/'

To verify what you fetched of a folder, by its signed list:
  curl -fsSO '$url/FOLDER/FILE' -O '$url/FOLDER/SHA256SUMS' -O '$url/FOLDER/SHA256SUMS.asc'
  gpgv --status-fd 1 --keyring $keys/openpgp.gpg SHA256SUMS.asc SHA256SUMS | grep '^\[GNUPG:\] GOODSIG' &&
    sha256sum -c --ignore-missing SHA256SUMS

Or one file, by its own signature:
  curl -fsSO '$url/FOLDER/FILE' -O '$url/FOLDER/FILE.asc' -O '$url/FOLDER/FILE.sigstore.json'
  gpgv --status-fd 1 --keyring $keys/files.gpg FILE.asc FILE | grep '^\[GNUPG:\] GOODSIG'
  cosign verify-blob --private-infrastructure --key $keys/files.pub --bundle FILE.sigstore.json FILE
END
)
`
