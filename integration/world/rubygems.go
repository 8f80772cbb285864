package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Gem is a gem of a test, which gem build makes.
type Gem struct {
	Name, Version string
	Platform      string   // empty: ruby
	Needs         []string // names of gems that it depends on, with constraints behind a blank
	// Key and Certificate are files of its author's, in PEM. Empty: nobody signs it.
	Key, Certificate string
	Content          string // of its one file; empty: a line with its name and version
}

// File returns the name of the gem's file.
func (g Gem) File() string {
	name := g.Name + "-" + g.Version
	if g.Platform != "" {
		name += "-" + g.Platform
	}
	return name + ".gem"
}

// Build makes the gem and returns its path. The same gem has the same bytes.
func (g Gem) Build(t T) string {
	t.Helper()
	dir := t.TempDir()
	if g.Content == "" {
		g.Content = fmt.Sprintf("puts %q\n", g.Name+" "+g.Version)
	}
	var more strings.Builder
	for _, need := range g.Needs {
		name, constraint, _ := strings.Cut(need, " ")
		fmt.Fprintf(&more, "  s.add_dependency %q, %q\n", name, constraint)
	}
	if g.Platform != "" {
		fmt.Fprintf(&more, "  s.platform = %q\n", g.Platform)
	}
	if g.Key != "" {
		fmt.Fprintf(&more, "  s.signing_key = %q\n  s.cert_chain = [%q]\n", g.Key, g.Certificate)
	}
	spec := fmt.Sprintf("Gem::Specification.new do |s|\n  s.name = %q\n  s.version = %q\n  s.summary = %q\n"+
		"  s.authors = [\"Hallmark\"]\n  s.date = \"2026-01-02\"\n  s.files = [%q]\n%s\nend\n", g.Name, g.Version, "A gem — "+g.Name, "lib/"+g.Name+".rb", more.String())
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	for name, content := range map[string]string{"lib/" + g.Name + ".rb": g.Content, g.Name + ".gemspec": spec} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	gem := Command{
		Path: Installed(t, "ruby", "gem"), Dir: dir,
		Env: []string{"HOME=" + dir, "GEM_HOME=" + dir, "SOURCE_DATE_EPOCH=1767225600", "LC_ALL=C.UTF-8"},
	}
	gem.Run(t, "build", "--force", "--output", g.File(), g.Name+".gemspec") // gem writes some platforms otherwise into the file's name
	return filepath.Join(dir, g.File())
}

// RubyGems is a machine with gem and bundler.
type RubyGems struct{ *Machine }

// The machine has no gems but Debian's, and no sources: rubygems.org cannot be reached.
const rubyMachine = `rm -rf /root/.gem /root/.gemrc /root/.bundle /root/.config/gem /root/.local/share/gem /root/.cache/gem /var/lib/gems
mkdir -p /root/app
printf -- '---\n:sources: []\n' > /root/.gemrc
`

// NewRubyGems returns a machine that trusts nobody and has no sources.
func NewRubyGems(t T) *RubyGems {
	t.Helper()
	Installed(t, "ruby", "gem")
	Installed(t, "bundler", "bundle")
	g := &RubyGems{NewMachine(t)}
	g.mustSetup(t, rubyMachine)
	return g
}

// Gem returns gem, with an API key.
func (g *RubyGems) Gem(args ...string) Command {
	return g.Command("env", append([]string{"--chdir=/root/app", "GEM_HOST_API_KEY=user:password", "gem"}, args...)...)
}

// Install returns "gem install" under a trust policy. NoSecurity refuses signed gems, by a fault of gem 3.3; without any policy they
// are taken.
func (g *RubyGems) Install(policy string) Command {
	return g.Gem("install", "--no-document", "--trust-policy", policy)
}

// Bundle returns bundler in the folder of an application, which keeps its gems to itself.
func (g *RubyGems) Bundle(args ...string) Command {
	env := []string{"--chdir=/root/app", "BUNDLE_PATH=/root/app/vendor", "BUNDLE_SILENCE_ROOT_WARNING=1", "bundle"}
	return g.Command("env", append(env, args...)...)
}

// Installed returns the versions of a gem that are installed, the newest first, with ", " between them.
func (g *RubyGems) Installed(t T, name string) string {
	t.Helper()
	out := g.Gem("list", "--local", "--exact").Run(t, name)
	for line := range strings.Lines(out) {
		if versions, ok := strings.CutPrefix(strings.TrimSpace(line), name+" ("); ok {
			return strings.TrimSuffix(versions, ")")
		}
	}
	return ""
}

// GenerateIndex makes the index of a folder whose gems are in its subfolder gems, as "gem generate_index" does.
func GenerateIndex(t T, dir string) {
	t.Helper()
	home := t.TempDir()
	gem := Command{Path: Installed(t, "ruby", "gem"), Env: []string{"HOME=" + home, "GEM_HOME=" + home, "LC_ALL=C.UTF-8"}}
	gem.Run(t, "generate_index", "-d", dir)
}
