package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

const high = "HighSecurity"

// openRuby starts a proxy with one repository of gems, whose gems are signed by keys in these files, or by one that is made.
func openRuby(t *testing.T, keys ...string) *depot {
	t.Helper()
	return openDepot(t, rubyKeys(keys...))
}

func rubyKeys(files ...string) map[string]repository {
	keys := indexKey("generate: ed25519")
	for _, file := range files {
		keys += "    - {purpose: package, key: \"file:" + file + "\"}\n"
	}
	if len(files) == 0 {
		keys += "    - {purpose: package, generate: rsa2048}\n"
	}
	return map[string]repository{"ruby": {keys: keys}}
}

// push pushes a gem with gem push, and returns what that says.
func (d *depot) push(t *testing.T, client *world.RubyGems, g world.Gem) (string, error) {
	t.Helper()
	return d.pushFile(t, client, g.Build(t))
}

func (d *depot) pushFile(t *testing.T, client *world.RubyGems, file string) (string, error) {
	t.Helper()
	client.Command("mkdir", "-p", "/root/push").Run(t)
	at := "/root/push/" + filepath.Base(file)
	client.Copy(t, file, at)
	return client.Gem("push", "--host", d.URL+"/ruby").Try(t, at)
}

func (d *depot) pushes(t *testing.T, client *world.RubyGems, gems ...world.Gem) {
	t.Helper()
	for _, g := range gems {
		out, err := d.push(t, client, g)
		must(t, err)
		if want := "Successfully registered gem: " + strings.TrimSuffix(g.File(), ".gem"); !strings.Contains(out, want) {
			t.Errorf("gem push says %q, and should say %q", out, want)
		}
	}
}

// trusting returns a client that was set up by the text that the repository serves.
func (d *depot) trusting(t *testing.T, client string) *world.RubyGems {
	t.Helper()
	g := world.NewRubyGems(t)
	must(t, g.Setup(t, d.setupText(t, "ruby", client)))
	return g
}

// hasGem fails the test unless these versions of a gem are installed.
func hasGem(t *testing.T, g *world.RubyGems, name, versions string) {
	t.Helper()
	if has := g.Installed(t, name); has != versions {
		t.Errorf("of %s there is %q, want %q", name, has, versions)
	}
}

func TestGemsAreInstalledUnderTheHighestPolicy(t *testing.T) {
	t.Parallel()
	d := openRuby(t)
	g := d.trusting(t, "gem")
	d.pushes(t, g, world.Gem{Name: "base", Version: "1.2.0"}, world.Gem{Name: "hello", Version: "1.9.0", Needs: []string{"base ~> 1.0"}})
	g.Install(high).Run(t, "hello")
	hasGem(t, g, "hello", "1.9.0")
	hasGem(t, g, "base", "1.2.0")

	d.pushes(t, g, world.Gem{Name: "hello", Version: "1.10.0", Needs: []string{"base ~> 1.0"}}, world.Gem{Name: "hello", Version: "2.0.0.rc1"},
		world.Gem{Name: "hello", Version: "1.10.0", Platform: "java"})
	g.Gem("update", "--no-document", "--trust-policy", high).Run(t, "hello")
	hasGem(t, g, "hello", "1.10.0, 1.9.0")
	g.Install(high).Run(t, "hello", "--pre")
	hasGem(t, g, "hello", "2.0.0.rc1, 1.10.0, 1.9.0")
	if out := g.Gem("list", "--remote", "--all", "--prerelease").Run(t, "hello"); !strings.Contains(out, "2.0.0.rc1") {
		t.Errorf("gem lists\n%s", out)
	}
	if out := g.Gem("list", "--remote", "--all").Run(t, "hello"); !strings.Contains(out, "hello (1.10.0 ruby java, 1.9.0)") {
		t.Errorf("gem lists\n%s", out)
	}
	if out := g.Gem("search").Run(t, "."); !strings.Contains(out, "base (1.2.0)") || !strings.Contains(out, "hello (1.10.0") {
		t.Errorf("gem finds\n%s", out)
	}
	if out := g.Gem("specification", "--remote").Run(t, "hello", "summary"); !strings.Contains(out, "A gem — hello") {
		t.Errorf("the gemspec in the index says %q", out)
	}

	if out := g.Gem("yank", "--host", d.URL+"/ruby", "-v", "1.10.0").Run(t, "hello"); !strings.Contains(out, "Successfully deleted gem: hello-1.10.0") {
		t.Errorf("gem yank says %q", out)
	}
	world.Delete(t, d.URL+"/ruby/gems/hello-1.10.0-java.gem", http.StatusNoContent)
	if out := g.Gem("yank", "--host", d.URL+"/ruby", "-v", "1.10.0").Run(t, "hello"); !strings.Contains(out, "hello-1.10.0") ||
		strings.Contains(out, "Successfully") {
		t.Errorf("of a gem that is gone, gem yank says %q", out)
	}
	g.Gem("uninstall", "--all", "--executables").Run(t, "hello")
	g.Install(high).Run(t, "hello")
	hasGem(t, g, "hello", "1.9.0")
	g.Install(high).Refuses(t, []string{"Could not find a valid gem 'hello' (= 1.10.0)"}, "hello", "-v", "1.10.0")
}

// Clients that do not find the compact index go by the older one.
func TestGemsAreInstalledByTheOlderIndex(t *testing.T) {
	t.Parallel()
	d := openRuby(t)
	g := d.trusting(t, "gem")
	d.pushes(t, g, world.Gem{Name: "base", Version: "1.0"}, world.Gem{Name: "base", Version: "1.1"},
		world.Gem{Name: "hello", Version: "1.0", Needs: []string{"base ~> 1.0"}}, world.Gem{Name: "hello", Version: "1.1.pre"})
	d.Intercept(missing(regexp.MustCompile(`^/ruby/(versions|names|info/.*|)$`)))
	d.Reset()
	g.Install(high).Run(t, "hello")
	hasGem(t, g, "hello", "1.0")
	hasGem(t, g, "base", "1.1")
	g.Install(high).Run(t, "hello", "--pre")
	hasGem(t, g, "hello", "1.1.pre, 1.0")
	asked := map[string]bool{}
	for _, r := range d.Requests() {
		asked[r.Path] = true
	}
	for _, p := range []string{"specs.4.8.gz", "prerelease_specs.4.8.gz", "quick/Marshal.4.8/hello-1.1.pre.gemspec.rz"} {
		if !asked["/ruby/"+p] {
			t.Errorf("gem did not ask for %s", p)
		}
	}
}

func TestGemRefusesWhatIsNotSignedByAKeyThatItTrusts(t *testing.T) {
	t.Parallel()
	d, other := openRuby(t), openRuby(t)
	g, stranger := d.trusting(t, "gem"), world.NewRubyGems(t)
	hello := world.Gem{Name: "hello", Version: "1.0"}
	d.pushes(t, g, hello)
	other.pushes(t, g, hello)
	plain, err := os.ReadFile(hello.Build(t))
	must(t, err)
	file := regexp.MustCompile(`^/ruby/gems/hello-1\.0\.gem$`)
	for _, c := range []struct {
		what, policy string
		intercept    world.Interceptor
		why          string // empty: it is installed
	}{
		{"data with a flipped bit", high, world.Alter(file, flipData), "checksum mismatch for data.tar.gz"},
		{"a signature with a flipped bit", high, world.Alter(file, flipSignature), "invalid signature"},
		{"a signature with a flipped bit", "MediumSecurity", world.Alter(file, flipSignature), "invalid signature"},
		{"a gem by another repository", high, instead(t, other.URL, file), "is not trusted"},
		{"a gem by another repository", "MediumSecurity", instead(t, other.URL, file), "is not trusted"},
		{"a gem without a signature", high, world.Alter(file, func(string, []byte) []byte { return plain }), "unsigned gems are not allowed"},
		{"a gem without a signature", "MediumSecurity", world.Alter(file, func(string, []byte) []byte { return plain }), ""},
		{"the gem as it is", high, nil, ""},
		{"the gem as it is", "MediumSecurity", nil, ""},
	} {
		d.Intercept(c.intercept)
		g.Command("sh").Run(t, "-c", "rm -rf /var/lib/gems /root/.local/share/gem/ruby")
		if c.why == "" {
			if out, err := g.Install(c.policy).Try(t, "hello"); err != nil {
				t.Errorf("%s under %s: %v\n%s", c.what, c.policy, err, out)
			}
			hasGem(t, g, "hello", "1.0")
			continue
		}
		g.Install(c.policy).Refuses(t, []string{c.why}, "hello")
		hasGem(t, g, "hello", "")
	}
	d.Intercept(nil)
	stranger.Install(high).Refuses(t, []string{"is not trusted"}, "hello", "--source", d.URL+"/ruby/")
	hasGem(t, stranger, "hello", "")
}

// flipData flips a bit of the data in a gem, in the date of its compression, and flipSignature one of its signature.
func flipData(_ string, gem []byte) []byte      { return flipBehind(gem, "data.tar.gz\x00", 5) }
func flipSignature(_ string, gem []byte) []byte { return flipBehind(gem, "data.tar.gz.sig\x00", 40) }

// flipBehind flips a bit of a file in a gem.
func flipBehind(gem []byte, name string, at int) []byte {
	const header = 512
	gem[strings.Index(string(gem), name)+header+at] ^= 1
	return gem
}

func TestBundlerInstallsUnderTheHighestPolicy(t *testing.T) {
	t.Parallel()
	d, other := openRuby(t), openRuby(t)
	g := d.trusting(t, "bundler")
	d.pushes(t, g, world.Gem{Name: "base", Version: "1.0"}, world.Gem{Name: "hello", Version: "1.0", Needs: []string{"base ~> 1.0"}})
	other.pushes(t, g, world.Gem{Name: "hello", Version: "1.1", Needs: []string{"base ~> 1.0"}})
	must(t, g.Setup(t, "printf 'source \""+d.URL+"/ruby/\"\\ngem \"hello\"\\n' > /root/app/Gemfile"))
	g.Bundle("install").Run(t, "--trust-policy", high)
	has := func(version string) {
		t.Helper()
		if out := g.Bundle("list").Run(t); !strings.Contains(out, "hello ("+version+")") || !strings.Contains(out, "base (1.0)") {
			t.Errorf("bundler has not hello %s:\n%s", version, out)
		}
	}
	has("1.0")

	d.Reset()
	g.Bundle("update").Run(t)
	for _, r := range d.Requests() {
		if r.Path == "/ruby/versions" && r.Status != http.StatusNotModified {
			t.Errorf("bundler asks for what it has already: %s", r.Line())
		}
	}
	d.pushes(t, g, world.Gem{Name: "hello", Version: "1.1", Needs: []string{"base ~> 1.0"}})
	file := regexp.MustCompile(`^/ruby/gems/hello-1\.1\.gem$`)
	for _, c := range []struct {
		intercept world.Interceptor
		why       string
	}{
		{world.Alter(file, flipSignature), "invalid signature"},
		{instead(t, other.URL, file), "not trusted"},
	} {
		d.Intercept(c.intercept)
		g.Command("sh").Run(t, "-c", "rm -f /root/app/vendor/ruby/*/cache/hello-1.1.gem") // bundler keeps what it refuses
		if out := g.Bundle("update").Refuses(t, nil, "hello"); !strings.Contains(strings.Join(strings.Fields(out), " "), c.why) {
			t.Errorf("bundler refuses for another reason than %q:\n%s", c.why, out)
		}
	}
	d.Intercept(nil)
	d.Reset()
	g.Command("sh").Run(t, "-c", "rm -f /root/app/vendor/ruby/*/cache/hello-1.1.gem")
	g.Bundle("update").Run(t, "hello")
	has("1.1")
	for _, r := range d.Requests() {
		if strings.HasSuffix(r.Path, "specs.4.8.gz") || strings.Contains(r.Path, "/dependencies") {
			t.Errorf("bundler did without the compact index: %s", r.Line())
		}
	}
}

// What is wrong with a gem stands in the terminal of whoever pushes it.
func TestGemPushShowsWhyAGemIsRefused(t *testing.T) {
	t.Parallel()
	d := openRuby(t)
	g := world.NewRubyGems(t)
	hello := world.Gem{Name: "hello", Version: "1.0"}
	d.pushes(t, g, hello, hello) // the same again is not refused
	author := newAuthor(t)
	signed, err := os.ReadFile(world.Gem{Name: "signed", Version: "1.0", Key: author.key, Certificate: author.certificate}.Build(t))
	must(t, err)
	asc := world.Gem{Name: "hello.asc", Version: "1.0"}.Build(t)
	for _, c := range []struct{ what, file, why string }{
		{"other bytes of a version", world.Gem{Name: "hello", Version: "1.0", Content: "puts 2\n"}.Build(t), "gems/hello-1.0.gem"},
		{"a broken signature", write(t, "signed-1.0.gem", string(flipSignature("", signed))), "the signature of data.tar.gz in the gem is not one over SHA-256"},
		{"a name that cannot be", asc, "cannot be the name of a gem here"},
	} {
		if out, err := d.pushFile(t, g, c.file); err == nil || !strings.Contains(out, c.why) {
			t.Errorf("%s: gem push says\n%s\nand should say %q (%v)", c.what, out, c.why, err)
		}
	}
	if versions := world.Get(t, d.URL+"/ruby/versions"); strings.Count(versions, "\n") != 3 {
		t.Errorf("something of that is listed:\n%s", versions)
	}
}

// A user's name and password, with a colon between them, are an API key.
func TestGemPushTakesAPasswordAsItsKey(t *testing.T) {
	t.Parallel()
	ci := world.User{Name: "user", Password: "password"}
	d := openDepotOn(t, "auth:\n  htpasswd: "+passwords(t, ci)+"\n  rules:\n    - {users: [user], repositories: [ruby], allow: [push, delete]}\n"+
		"    - {users: [anonymous], repositories: [ruby], allow: [read]}\n", rubyKeys())
	g := world.NewRubyGems(t)
	d.pushes(t, g, world.Gem{Name: "hello", Version: "1.0"})
	g.Command("env", "--chdir=/root/app", "GEM_HOST_API_KEY=user:wrong", "gem", "push", "--host", d.URL+"/ruby").
		Refuses(t, []string{"password"}, "/root/push/hello-1.0.gem")
	if out := g.Command("env", "--chdir=/root/app", "GEM_HOST_API_KEY=user:wrong", "gem", "yank", "--host", d.URL+"/ruby", "-v", "1.0").
		Run(t, "hello"); strings.Contains(out, "Successfully") {
		t.Errorf("with a wrong key, gem yank says %q", out)
	}
	g.Gem("install", "--no-document").Run(t, "hello", "--source", d.URL+"/ruby/")
	hasGem(t, g, "hello", "1.0")
}
