package helm

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
)

// Setup returns a script that adds the repository to helm's, keeps its public keys, and shows how a chart is verified.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	if client != "helm" {
		return nil, format.NotFoundf("charts are installed with helm; there is no set-up for %.50q", client)
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository)
	return []byte(values.Replace(helmSetup)), nil
}

// helm verifies nothing unless it is told to, and takes a chart whose digest is not that of the index. Its version 3 reads
// keyrings that are not armored alone.
const helmSetup = `# Adds the Helm repository @NAME@ to helm's, keeps its public keys in /usr/local/share/hallmark/@NAME@, and shows how charts
# are verified: helm does so only with --verify.
(
  set -e
  url=@URL@
  from=@KEYS@
  keys=/usr/local/share/hallmark/@NAME@
  mkdir -p "$keys"
  for key in openpgp.gpg openpgp.asc files.gpg; do
    curl -fsS -o "$keys/$key.new" "$from/$key"
    mv "$keys/$key.new" "$keys/$key"
  done
  helm repo add --force-update @NAME@ "$url"
  cat <<END

To upload a chart:
  helm package CHART && curl -fsS -T CHART-VERSION.tgz '$url/'

To install one after its provenance was verified:
  helm repo update @NAME@
  helm install --verify --keyring $keys/openpgp.gpg RELEASE @NAME@/CHART

To verify the index:
  curl -fsSO '$url/index.yaml' -O '$url/index.yaml.asc'
  gpgv --status-fd 1 --keyring $keys/openpgp.gpg index.yaml.asc index.yaml | grep '^\[GNUPG:\] GOODSIG'
END
)
`
