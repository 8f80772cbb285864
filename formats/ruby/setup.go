package ruby

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
	"hallmark/signing/scheme"
)

// Render returns an error that wraps [fs.ErrNotExist]: there are no documents.
func (f *Format) Render(_ format.Site, op format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("a repository of RubyGems has no document %.100q", op.Document)
}

// Setup returns a script that makes RubyGems trust the repository's certificates, which bundler goes by, too, and adds the
// repository to the sources of gem, or says what to write into a Gemfile.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	var text string
	switch client {
	case "gem":
		text = setupTrust + setupGem
	case "bundler":
		text = setupTrust + setupBundler
	default:
		return nil, format.NotFoundf("RubyGems are installed with gem or bundler; there is no set-up for %.50q", client)
	}
	var sums []string
	for _, key := range s.Keys.Of(scheme.Package, scheme.RSA) {
		sum := sha256.Sum256(key.Certificate)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL+"/"), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository,
		"@SUMS@", shell.Quote(strings.Join(sums, " ")), "@EACH@", strings.Join(sums, " "))
	return []byte(values.Replace(text)), nil
}

// setupTrust trusts certificates by their digests, which stand in the text itself. It runs in Ruby, since a machine that has
// gem need not have curl, and "gem cert --add" reads one certificate of a file.
const setupTrust = `# Makes gem and bundler of the user who runs this trust the certificates of the RubyGems repository @NAME@.
(
  set -e
  url=@URL@
  from=@KEYS@
  if ! command -v gem > /dev/null; then
    echo 'Run this where there is RubyGems.' >&2
    exit 1
  fi
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  ruby -ropen-uri -ropenssl -e '
    from, dir, sums = ARGV
    URI.parse(from + "/x509.pem").read.scan(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/m) do |pem|
      sum = OpenSSL::Digest::SHA256.hexdigest(OpenSSL::X509::Certificate.new(pem).to_der)
      File.write("#{dir}/#{sum}.pem", pem) if sums.split.include?(sum)
    end
  ' "$from" "$dir" @SUMS@
  for sum in @EACH@; do
    gem cert --add "$dir/$sum.pem"
  done
`

// setupGem writes the sources as "gem sources --add" does, but for asking the repository, which may be empty.
const setupGem = `  ruby -rrubygems -e '
    unless Gem.sources.include?(ARGV[0])
      Gem.sources << ARGV[0]
      Gem.configuration.write
    end
  ' "$url"
  cat <<END

To install a gem, which must be signed:
  gem install -P HighSecurity NAME
That refuses gems of other sources that nobody has signed. To use this one alone:
  gem install -P HighSecurity --clear-sources --source $url NAME

To publish a gem, and to take it back:
  GEM_HOST_API_KEY=USER:PASSWORD gem push --host ${url%/} NAME-VERSION.gem
  GEM_HOST_API_KEY=USER:PASSWORD gem yank --host ${url%/} NAME -v VERSION
END
)
`

const setupBundler = `  cat <<END

To write into a Gemfile:
  source "$url" do
    gem "NAME"
  end

To install what it names, where every gem must be signed:
  bundle install --trust-policy HighSecurity
MediumSecurity refuses signatures that do not verify, and lets unsigned gems of other sources in.
END
)
`
