package formattest

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
)

func TestAFormatThatKeepsItsContractPasses(t *testing.T) {
	for name, text := range failures(t, tinySubject(&tiny{}), checks()...) {
		t.Errorf("%s: %s", name, text)
	}
	for signatures, client := range map[string]tinyClient{"detached": {detached: true}, "the oldest key's": {knowsAll: true}} {
		s := tinySubject(&tiny{})
		s.Client = client.run
		for name, text := range failures(t, s, checks()...) {
			t.Errorf("with signatures that are %s, %s: %s", signatures, name, text)
		}
	}
}

// A broken is a format that breaks the contract in one place, with the check that must say so, and a part of what it says.
type broken struct {
	name, check, text string
	format            tiny
}

func TestAFormatThatBreaksItsContractIsCaught(t *testing.T) {
	for name, formats := range map[string][]broken{
		"its addresses": brokenAddresses(), "its packages": brokenPackages(), "its seals": brokenSeals(),
		"its indexes": brokenIndexes(), "its spec": brokenSpecs(),
	} {
		t.Run(name, func(t *testing.T) { runBroken(t, formats) })
	}
}

func runBroken(t *testing.T, formats []broken) {
	for _, b := range formats {
		t.Run(b.name, func(t *testing.T) {
			s := tinySubject(&b.format)
			if b.check == "no signature is taken for an index's" {
				s.Client = tinyClient{detached: true}.run
			}
			caught(t, s, b.check, b.text)
		})
	}
}

// Each client here leaves something out, so that the tests would show nothing.
func TestACarelessClientIsCaught(t *testing.T) {
	for _, tt := range []struct {
		name, check string
		client      tinyClient
	}{
		{"it takes an unsigned index", "a client refuses a repository that is not signed by a key it trusts", tinyClient{takesUnsigned: true}},
		{"it takes any list", "a client refuses what was tampered with", tinyClient{takesAnyIndex: true}},
		{"it takes any package", "a client refuses what was tampered with", tinyClient{takesAnyPackage: true}},
		{"it does not look everywhere", "a client follows the index with either key", tinyClient{seesOneFolder: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tinySubject(&tiny{})
			s.Client = tt.client.run
			caught(t, s, tt.check, "")
		})
	}
}

// Where no signature is by the oldest key alone, a client that has the newer one must be content.
func TestAClientThatCannotUseTheNewerKeyIsCaught(t *testing.T) {
	s := tinySubject(&tiny{})
	s.Client = func(r Repository) (map[string][sha256.Size]byte, error) {
		if keys := r.Trusted.Keys(); len(keys) == 1 && keys[0].Kind == "rsa2048" {
			return nil, ErrSignature
		}
		return tinyClient{detached: true}.run(r)
	}
	caught(t, s, "a client follows the index with either key", "trusts the key sets [1]")
}

func TestAFormatWhoseClientsKnowNotAllKeysIsCaught(t *testing.T) {
	s := tinySubject(&tiny{emit: func(f format.File) format.File {
		f.Seals = slices.Clone(f.Seals)
		for i := range f.Seals {
			f.Seals[i].Single = false
		}
		return f
	}})
	s.Client = tinyClient{knowsAll: true}.run
	caught(t, s, "a client follows the index with either key", "trusts the key sets [0]")
}

func TestSealsWithoutAVerifierAreCaught(t *testing.T) {
	s := tinySubject(&tiny{})
	s.Verify = nil
	caught(t, s, "a package's own signature holds", "has no Verify")
	s.Verify = func(Repository, string) error { return nil }
	caught(t, s, "a package's own signature holds", "somebody else")
}

// caught reports an error unless a check fails for a reason.
func caught(t *testing.T, s Subject, check, text string) {
	t.Helper()
	all := checks()
	i := slices.IndexFunc(all, func(r rule) bool { return r.name == check })
	if i < 0 {
		t.Fatalf("there is no check %q", check)
	}
	got, failed := failures(t, s, all[i])[check]
	if !failed {
		t.Errorf("%q passes", check)
	} else if !strings.Contains(got, text) {
		t.Errorf("%q fails for another reason: %s", check, got)
	}
}
