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

// A gemTree is a folder of gems whose index "gem generate_index" makes.
type gemTree struct{ dir string }

func newGemTree(t *testing.T, gems ...world.Gem) gemTree {
	t.Helper()
	tree := gemTree{t.TempDir()}
	must(t, os.Mkdir(filepath.Join(tree.dir, "gems"), 0o755))
	tree.add(t, gems...)
	return tree
}

func (tree gemTree) add(t *testing.T, gems ...world.Gem) {
	t.Helper()
	for _, g := range gems {
		data, err := os.ReadFile(g.Build(t))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(tree.dir, "gems", g.File()), data, 0o644))
	}
	world.GenerateIndex(t, tree.dir)
}

// behindRuby starts a proxy in front of an upstream, which is asked each time.
func behindRuby(t *testing.T, url, trust string) *depot {
	t.Helper()
	r := rubyKeys()["ruby"]
	r.upstream = "{url: " + url + ", " + trust + ", refresh: 1ns}"
	return openDepotUnready(t, map[string]repository{"ruby": r})
}

// The upstream's index says nothing of the bytes of gems, and nobody has signed it.
func TestGemsOfAStaticTreeAreListedBesideThoseThatArePushed(t *testing.T) {
	t.Parallel()
	base := world.Gem{Name: "base", Version: "1.0"}
	tree := newGemTree(t, base, world.Gem{Name: "hello", Version: "1.0", Needs: []string{"base ~> 1.0"}}, world.Gem{Name: "hello", Version: "1.1.pre"},
		world.Gem{Name: "native", Version: "1.0", Platform: "x86_64-linux"})
	nginx := world.StartNginx(t, tree.dir, world.NginxOptions{})
	behind := world.Record(t, nginx.URL)
	d := behindRuby(t, behind.URL, "trust: unverified")
	g := d.trusting(t, "gem")
	anyPolicy := g.Gem("install", "--no-document")
	anyPolicy.Run(t, "hello", "native")
	hasGem(t, g, "hello", "1.0")
	hasGem(t, g, "base", "1.0")
	hasGem(t, g, "native", "1.0 x86_64-linux")
	same(t, base.Build(t), fetched(t, d.URL+"/ruby/gems/base-1.0.gem"))
	g.Install(high).Refuses(t, []string{"unsigned gems are not allowed"}, "base", "--force")

	d.pushes(t, g, world.Gem{Name: "ours", Version: "1.0", Needs: []string{"base ~> 1.0"}})
	g.Install(high).Run(t, "ours")
	hasGem(t, g, "ours", "1.0")
	if _, err := os.Stat(filepath.Join(tree.dir, "gems", "ours-1.0.gem")); err == nil {
		t.Error("what was pushed is in the upstream's tree")
	}
	if out, err := d.push(t, g, world.Gem{Name: "hello", Version: "1.0", Content: "puts 2\n"}); err == nil || !strings.Contains(out, "gems/hello-1.0.gem") {
		t.Errorf("other bytes of a gem that the upstream has: %v, gem push says\n%s", err, out)
	}
	d.pushes(t, g, world.Gem{Name: "gone", Version: "1.0"})
	if out := g.Gem("yank", "--host", d.URL+"/ruby", "-v", "1.0").Run(t, "gone"); !strings.Contains(out, "Successfully deleted gem: gone-1.0") {
		t.Errorf("gem yank says %q", out)
	}
	if out := g.Gem("yank", "--host", d.URL+"/ruby", "-v", "1.0").Run(t, "base"); strings.Contains(out, "Successfully") {
		t.Errorf("of a gem of the upstream, gem yank says %q", out)
	}

	tree.add(t, world.Gem{Name: "hello", Version: "1.2", Needs: []string{"base ~> 1.0"}}, world.Gem{Name: "evil", Version: "1.0"})
	anyPolicy.Run(t, "hello")
	hasGem(t, g, "hello", "1.2, 1.0")
	if out := g.Gem("list", "--remote", "--all").Run(t, "hello"); !strings.Contains(out, "hello (1.2, 1.0)") {
		t.Errorf("gem lists\n%s", out)
	}
	must(t, g.Setup(t, "printf 'source \""+d.URL+"/ruby/\"\\ngem \"ours\"\\ngem \"hello\"\\n' > /root/app/Gemfile"))
	g.Bundle("install").Run(t)
	if out := g.Bundle("list").Run(t); !strings.Contains(out, "hello (1.2)") || !strings.Contains(out, "ours (1.0)") {
		t.Errorf("bundler has\n%s", out)
	}

	// What stands where a gem should be, and is another one.
	behind.Intercept(world.Alter(regexp.MustCompile(`/evil-1\.0\.gem$`), func(string, []byte) []byte {
		data, err := os.ReadFile(base.Build(t))
		if err != nil {
			t.Error(err)
		}
		return data
	}))
	anyPolicy.Refuses(t, []string{"bad response Bad Gateway 502"}, "evil")
	hasGem(t, g, "evil", "")
	behind.Intercept(nil)
	anyPolicy.Run(t, "evil")
	hasGem(t, g, "evil", "1.0")
}

// A repository like this one is followed by the signatures of its index, and its gems keep their own.
func TestGemsOfAnotherRepositoryAreFollowedBySignatures(t *testing.T) {
	t.Parallel()
	up := openRuby(t)
	g := up.trusting(t, "gem")
	up.pushes(t, g, world.Gem{Name: "base", Version: "1.0"}, world.Gem{Name: "hello", Version: "1.0", Needs: []string{"base ~> 1.0"}})
	d := behindRuby(t, up.URL+"/ruby", "key: "+up.key(t, "ruby", "openpgp.asc"))
	install := g.Install(high)
	from := []string{"--clear-sources", "--source", d.URL + "/ruby/"}
	install.Run(t, append(from, "hello")...)
	hasGem(t, g, "hello", "1.0")
	hasGem(t, g, "base", "1.0")
	same(t, fetched(t, up.URL+"/ruby/gems/hello-1.0.gem"), fetched(t, d.URL+"/ruby/gems/hello-1.0.gem"))

	up.pushes(t, g, world.Gem{Name: "hello", Version: "1.1"}, world.Gem{Name: "hello", Version: "1.2"})
	up.Intercept(world.Alter(regexp.MustCompile(`^/ruby/gems/hello-1\.2\.gem$`), flipSignature))
	g.Gem("install", "--no-document").Refuses(t, []string{"bad response Bad Gateway 502"}, append(from, "hello")...) // the checksum of the signed index
	hasGem(t, g, "hello", "1.0")
	up.Intercept(world.Flip(regexp.MustCompile(`^/ruby/info/hello$`)))
	up.pushes(t, g, world.Gem{Name: "hello", Version: "1.3"})
	if status, body := world.Send(t, http.MethodGet, d.URL+"/ruby/info/hello", nil); strings.Contains(body, "1.3") {
		t.Errorf("an index that is not signed is taken: %d\n%s", status, body)
	}
	up.Intercept(nil)
	install.Run(t, append(from, "hello")...)
	hasGem(t, g, "hello", "1.3, 1.0")
}
