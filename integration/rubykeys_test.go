package integration

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
	"hallmark/signing"
)

// An author's signature stays, and verifies for who trusts the author.
func TestAGemThatItsAuthorSignedStaysAsItIs(t *testing.T) {
	t.Parallel()
	d := openRuby(t)
	g := d.trusting(t, "gem")
	author := newAuthor(t)
	file := world.Gem{Name: "signed", Version: "1.0", Key: author.key, Certificate: author.certificate}.Build(t)
	out, err := d.pushFile(t, g, file)
	must(t, err)
	if !strings.Contains(out, "Successfully registered gem: signed-1.0") {
		t.Errorf("gem push says %q", out)
	}
	same(t, file, fetched(t, d.URL+"/ruby/gems/signed-1.0.gem"))
	g.Install(high).Refuses(t, []string{"is not trusted"}, "signed")
	g.Copy(t, author.certificate, "/root/author.pem")
	g.Gem("cert").Run(t, "--add", "/root/author.pem")
	g.Install(high).Run(t, "signed")
	hasGem(t, g, "signed", "1.0")
}

// Where ours replaces it, the author's signature is kept beside the gem, and with the gem's data it is the author's gem again.
func TestAnAuthorsSignatureOfAGemThatOursReplacesIsKept(t *testing.T) {
	t.Parallel()
	repositories := rubyKeys()
	ruby := repositories["ruby"]
	ruby.settings = "{sign_packages: always}"
	d := openDepot(t, map[string]repository{"ruby": ruby})
	g := d.trusting(t, "gem")
	author := newAuthor(t)
	file := world.Gem{Name: "signed", Version: "1.0", Key: author.key, Certificate: author.certificate}.Build(t)
	_, err := d.pushFile(t, g, file)
	must(t, err)
	g.Install(high).Run(t, "signed")
	hasGem(t, g, "signed", "1.0")

	const at = "/ruby/gems/signed-1.0.gem"
	friend := world.NewRubyGems(t)
	friend.Copy(t, fetched(t, d.URL+at), "/root/app/ours.gem")
	friend.Copy(t, fetched(t, d.URL+at+".author.tar"), "/root/app/author.tar")
	friend.Command("sh", "-ec", `cd /root/app; tar xf author.tar; tar xf ours.gem data.tar.gz
		tar --format=ustar -b1 -cf signed-1.0.gem metadata.gz metadata.gz.sig data.tar.gz data.tar.gz.sig checksums.yaml.gz checksums.yaml.gz.sig`).Run(t)
	friend.Install(high).Refuses(t, []string{"is not trusted"}, "--local", "signed-1.0.gem")
	friend.Copy(t, author.certificate, "/root/author.pem")
	friend.Gem("cert").Run(t, "--add", "/root/author.pem")
	friend.Install(high).Refuses(t, []string{"is not trusted"}, "--local", "ours.gem")
	friend.Install(high).Run(t, "--local", "signed-1.0.gem")
	hasGem(t, friend, "signed", "1.0")
}

// The oldest key signs until it goes. Who was set up while both were there trusts both.
func TestGemsMoveFromOneKeyToAnother(t *testing.T) {
	t.Parallel()
	older, newer := certifiedKey(t), certifiedKey(t)
	d := openRuby(t, older)
	before := d.trusting(t, "gem")
	d.pushes(t, before, world.Gem{Name: "hello", Version: "1.0"})
	before.Install(high).Run(t, "hello")

	d.reconfigure(t, rubyKeys(older, newer))
	during := d.trusting(t, "gem")
	d.pushes(t, during, world.Gem{Name: "hello", Version: "2.0"})
	for _, g := range []*world.RubyGems{before, during} {
		g.Install(high).Run(t, "hello")
		if has := g.Installed(t, "hello"); !strings.HasPrefix(has, "2.0") {
			t.Errorf("while both keys are there, %q is installed", has)
		}
	}
	d.reconfigure(t, rubyKeys(newer))
	after := d.trusting(t, "gem")
	d.pushes(t, after, world.Gem{Name: "hello", Version: "3.0"})
	for _, g := range []*world.RubyGems{during, after} {
		g.Install(high).Run(t, "hello")
		if has := g.Installed(t, "hello"); !strings.HasPrefix(has, "3.0") {
			t.Errorf("after the older key went, %q is installed", has)
		}
	}
	before.Install(high).Refuses(t, []string{"is not trusted"}, "hello")
	after.Install(high).Refuses(t, []string{"is not trusted"}, "hello", "-v", "1.0")
	during.Install(high).Run(t, "hello", "-v", "1.0")
}

// The files of the index have signatures beside them, though no client of Ruby asks for them.
func TestTheIndexesOfGemsAreSigned(t *testing.T) {
	t.Parallel()
	d, other := openRuby(t), openRuby(t)
	d.putAt(t, d.URL+"/ruby/gems/", world.Gem{Name: "hello", Version: "1.0"}.Build(t))
	for _, name := range []string{"versions", "names", "info/hello", "specs.4.8.gz", "latest_specs.4.8.gz", "prerelease_specs.4.8.gz"} {
		file, signature := fetched(t, d.URL+"/ruby/"+name), fetched(t, d.URL+"/ruby/"+name+".asc")
		for _, v := range world.Verifiers(t) {
			if err := v.Detached(t, d.key(t, "ruby", "openpgp.gpg"), file, signature); err != nil {
				t.Errorf("%s: %s: %v", v.Name(), name, err)
			}
			if v.Detached(t, d.key(t, "ruby", "openpgp.gpg"), altered(t, file), signature) == nil ||
				v.Detached(t, other.key(t, "ruby", "openpgp.gpg"), file, signature) == nil {
				t.Errorf("%s: %s is taken with one bit flipped, or by another key", v.Name(), name)
			}
		}
	}
}

// sameSpec compares the gemspecs of gems with those that stand for them in the quick index, as Ruby reads both.
const sameSpec = `ARGV.each_slice(2) do |gem, quick|
  want, got = Gem::Package.new(gem).spec.tap(&:sanitize), Marshal.load(Gem::Util.inflate(File.binread(quick)))
  %i[name version original_platform platform full_name date summary description homepage authors metadata required_ruby_version
     required_rubygems_version dependencies runtime_dependencies rubygems_version].each do |field|
    a, b = want.send(field), got.send(field)
    abort "#{gem}: #{field} is #{b.inspect}, and should be #{a.inspect}" unless a == b
  end
  abort "#{gem}: email" unless Array(want.email) == Array(got.email)
  puts "same #{got.full_name}"
end`

func TestTheQuickIndexHasTheGemspecsOfTheGems(t *testing.T) {
	t.Parallel()
	d := openRuby(t)
	gems := []world.Gem{
		{Name: "plain", Version: "1.0"},
		{Name: "needy", Version: "2.0.0.beta.3", Needs: []string{"plain ~> 1.0", "other >= 0", "pre >= 2.0.a"}},
	}
	for _, platform := range []string{
		"java", "x86_64-linux", "x86_64-linux-musl", "aarch64-linux-gnu", "arm-linux-gnueabihf", "i686-linux", "x86-mingw32", "x64-mingw-ucrt",
		"x86-mswin32-60", "x86_64-darwin-19", "x86_64-darwin19", "arm64-darwin", "universal-darwin-20", "amd64-freebsd-13", "sparc-solaris2.8",
		"x86_64-openbsd7.0", "x86_64-strange",
	} {
		gems = append(gems, world.Gem{Name: "native", Version: "1.0", Platform: platform})
	}
	var args, files []string
	for _, g := range gems {
		built := g.Build(t)
		address := d.putAt(t, d.URL+"/ruby/gems/", built)
		name := strings.TrimSuffix(address[strings.LastIndex(address, "/")+1:], ".gem")
		args = append(args, built, fetched(t, d.URL+"/ruby/quick/Marshal.4.8/"+name+".gemspec.rz"))
		files = append(files, name)
	}
	ruby := world.Command{Path: world.Installed(t, "ruby", "ruby"), Args: []string{"-rrubygems/package", "-e", sameSpec}}
	if out := ruby.Run(t, args...); strings.Count(out, "same ") != len(files) {
		t.Errorf("of %d gems, Ruby has compared\n%s", len(files), out)
	}
}

// same fails the test unless two files have the same bytes.
func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	must(t, err)
	y, err := os.ReadFile(b)
	must(t, err)
	if string(x) != string(y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// An author has a key and a certificate, as "gem cert --build" makes them.
type author struct{ key, certificate string }

func newAuthor(t *testing.T) author {
	t.Helper()
	dir := t.TempDir()
	gem := world.Command{Path: world.Installed(t, "ruby", "gem"), Dir: dir, Env: []string{"HOME=" + dir, "GEM_PRIVATE_KEY_PASSPHRASE="}}
	gem.Run(t, "cert", "--build", "author@example.org")
	return author{filepath.Join(dir, "gem-private_key.pem"), filepath.Join(dir, "gem-public_cert.pem")}
}

// certifiedKey returns a file with an RSA key and its certificate.
func certifiedKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certificate, err := signing.NewCertificate(key, "ruby", time.Now())
	must(t, err)
	return write(t, "package.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
}
