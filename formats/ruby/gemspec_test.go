package ruby

import (
	"errors"
	"strings"
	"testing"

	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

// As RubyGems 1.8 wrote gemspecs with Syck, and Ruby 1.9.3 and 2.0 with Psych.
func TestGemspecsOfOlderRubiesAreRead(t *testing.T) {
	const text = `--- !ruby/object:Gem::Specification
name: !binary |-
  b2xk
version: !ruby/object:Gem::Version
  prerelease: false
  segments:
  - 1
  - 2
  version: "1.2"
platform:
authors:
- ! 'Me'
- !binary |-
  w5xi
cert_chain: []
date: 2011-05-06 00:00:00 +02:00
dependencies:
- !ruby/object:Gem::Dependency
  name: dep
  requirement: &id001 !ruby/object:Gem::Requirement
    none: false
    requirements:
    - - ! '>='
      - !ruby/object:Gem::Version
        version: 1.0.a
  type: :runtime
  prerelease: false
  version_requirements: *id001
- !ruby/object:Gem::Dependency
  name: older
  type: :development
  version_requirement:
  version_requirements: !ruby/object:Gem::Version::Requirement
    requirements:
    - - ~>
      - !ruby/object:Gem::Version
        version: "3"
email: me@example.org
homepage:
licenses: []
required_ruby_version: !ruby/object:Gem::Requirement
  requirements: []
required_rubygems_version:
rubygems_version: 1.8.11
signing_key:
specification_version: 3
summary: An old gem
description: 2011
`
	s, err := readGemspec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s.date = s.date.UTC()
	want := gemspec{
		identity: identity{"old", "1.2", "ruby"}, rubygems: "1.8.11", summary: "An old gem", description: "2011",
		email: []string{"me@example.org"}, authors: []string{"Me", "Üb"}, ruby: anyVersion, rubygemsVersion: anyVersion, date: s.date,
		dependencies: []dependency{
			{"dep", requirement{{">=", "1.0.a"}}, kindRuntime, false}, {"older", requirement{{"~>", "3"}}, kindDevelopment, false},
		},
	}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(gemspec{}, identity{}, dependency{}, constraint{})); diff != "" {
		t.Error(diff)
	}
	if day := s.date.Format("2006-01-02"); day != "2011-05-06" {
		t.Errorf("the date is %s", day)
	}
	if line := string(s.info(make([]byte, 32))); line != "1.2 dep:>= 1.0.a|checksum:"+strings.Repeat("0", 64)+"\n" {
		t.Errorf("its line of info is %q", line)
	}
}

// A list of a list of a list is read once, whatever it would come to.
func TestAliasesAreNotWrittenOut(t *testing.T) {
	var b strings.Builder
	b.WriteString(gemspecHead + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		from := string(rune('0' + i))
		b.WriteString("a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+", ", 10), ", ") + "]\n")
	}
	b.WriteString("authors: *a9\n")
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := readGemspec([]byte(b.String())); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 20_000 {
		t.Errorf("it takes %v allocations", allocated)
	}
}

// A gemspec that is read is the same one after its chain was replaced, or that is refused.
func FuzzGemspec(f *testing.F) {
	f.Add([]byte(gemspecHead + "cert_chain: []\nsummary: x\n"))
	f.Add([]byte(gemspecHead + "authors: &a [! 'x', !binary |-\n  w5xi\n]\nemail: *a\ncert_chain:\n- |\n  x\ndependencies:\n- !ruby/object:Gem::Dependency\n  name: b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, err := readGemspec(text)
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%v", err)
			}
			return
		}
		changed, err := withChain(text, []byte("certificate"))
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%v", err)
			}
			return
		}
		after, err := readGemspec(changed)
		if err != nil || len(after.chain) != 1 {
			t.Fatalf("after its chain was replaced: %q, %v\n%s", after.chain, err, changed)
		}
		before.chain, after.chain = nil, nil
		if diff := cmp.Diff(before, after, cmp.AllowUnexported(gemspec{}, identity{}, dependency{}, constraint{})); diff != "" {
			t.Errorf("the gemspec is another:\n%s", diff)
		}
	})
}
