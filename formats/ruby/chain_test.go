package ruby

import (
	"errors"
	"strings"
	"testing"

	"hallmark/formats/format"
)

const gemspecHead = "--- !ruby/object:Gem::Specification\nname: a\nversion: !ruby/object:Gem::Version\n  version: '1'\n"

func TestOnlyTheLinesOfTheChainChange(t *testing.T) {
	const chain = "cert_chain:\n- |\n  -----BEGIN CERTIFICATE-----\n  Y2VydGlmaWNhdGU=\n  -----END CERTIFICATE-----\n"
	for _, tt := range []struct{ what, before, after string }{
		{"an empty chain", "cert_chain: []\nsummary: x\n", chain + "summary: x\n"},
		{"none", "cert_chain:\nsummary: x\n", chain + "summary: x\n"},
		{"one at the end", "summary: x\ncert_chain: []\n", "summary: x\n" + chain},
		{"one of a file", "cert_chain:\n- certs/me.pem\nsummary: x\n", chain + "summary: x\n"},
		{"a long one", "cert_chain:\n- |\n  a\n  b\n\n- c\nsummary: x\n", chain + "summary: x\n"},
		{"a text that looks like it", "summary: |\n  cert_chain: []\ncert_chain: []\nx: y\n", "summary: |\n  cert_chain: []\n" + chain + "x: y\n"},
		{"a break of lines that few know", "summary: \"a\u2028b\u0085c\"\ncert_chain: []\nx: y\n", "summary: \"a\u2028b\u0085c\"\n" + chain + "x: y\n"},
		{"aliases", "x: &a [1]\ncert_chain: []\ny: *a\n", "x: &a [1]\n" + chain + "y: *a\n"},
	} {
		got, err := withChain([]byte(gemspecHead+tt.before), []byte("certificate"))
		if err != nil || string(got) != gemspecHead+tt.after {
			t.Errorf("%s: %v\n%s", tt.what, err, got)
			continue
		}
		if s, err := readGemspec(got); err != nil || len(s.chain) != 1 || !strings.HasPrefix(s.chain[0], "-----BEGIN CERTIFICATE-----\nY2") {
			t.Errorf("%s: the chain is %q, %v", tt.what, s.chain, err)
		}
	}
	got, err := withChain([]byte(gemspecHead), []byte("certificate"))
	if want := strings.Replace(gemspecHead, "name: a\n", chain+"name: a\n", 1); err != nil || string(got) != want {
		t.Errorf("without a chain: %v\n%s", err, got)
	}
}

func TestAGemspecInWhichTheChainCannotBeReplacedIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"in one line":                 "--- !ruby/object:Gem::Specification {name: a, cert_chain: []}\n",
		"with keys in quotes":         gemspecHead + "\"cert_chain\": []\n",
		"with keys that are marked":   gemspecHead + "? cert_chain\n: []\n",
		"farther to the right":        strings.ReplaceAll(gemspecHead+"cert_chain: []\n", "\n", "\n  "),
		"with a name in the chain":    gemspecHead + "cert_chain: &c []\nx: *c\n",
		"with a name inside of it":    gemspecHead + "cert_chain:\n- &c a\nx: *c\n",
		"with an end of its document": gemspecHead + "summary: x\ncert_chain: []\n...\n---\nname: b\n",
	} {
		if got, err := withChain([]byte(text), []byte("certificate")); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v\n%s", what, err, got)
		}
	}
}
