package manifest_test

import (
	"strings"
	"testing"

	"hallmark/proxy/oci/manifest"
)

func TestTagSubject(t *testing.T) {
	const digest = "sha256:" + subjectHex
	for _, tt := range []struct {
		name, tag, digest, suffix string
		ok                        bool
	}{
		{"a fallback tag", "sha256-" + subjectHex, digest, "", true},
		{"a signature tag", "sha256-" + subjectHex + ".sig", digest, ".sig", true},
		{"an attestation tag", "sha256-" + subjectHex + ".att", digest, ".att", true},
		{"a tag of a bill of materials", "sha256-" + subjectHex + ".sbom", digest, ".sbom", true},
		{"no tag", "", "", "", false},
		{"an ordinary tag", "latest", "", "", false},
		{"another suffix", "sha256-" + subjectHex + ".sigs", "", "", false},
		{"two suffixes", "sha256-" + subjectHex + ".sig.sig", "", "", false},
		{"a dot and nothing", "sha256-" + subjectHex + ".", "", "", false},
		{"a suffix in upper case", "sha256-" + subjectHex + ".SIG", "", "", false},
		{"upper-case digits", "sha256-" + strings.ToUpper(subjectHex) + ".sig", "", "", false},
		{"a digit too few", "sha256-" + subjectHex[1:] + ".sig", "", "", false},
		{"a digit too many", "sha256-" + subjectHex + "a.sig", "", "", false},
		{"a digest instead of a tag", digest, "", "", false},
		{"another algorithm", "sha512-" + subjectHex, "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, suffix, ok := manifest.TagSubject(tt.tag)
			if d != tt.digest || suffix != tt.suffix || ok != tt.ok {
				t.Errorf("TagSubject(%q) = %q, %q, %t; want %q, %q, %t", tt.tag, d, suffix, ok, tt.digest, tt.suffix, tt.ok)
			}
		})
	}
}

func TestTagsOfADigestReadBackAsThatDigest(t *testing.T) {
	const digest = "sha256:" + subjectHex
	for suffix, tagOf := range map[string]func(string) (string, error){".sig": manifest.SignatureTag, "": manifest.FallbackTag} {
		tag, err := tagOf(digest)
		if err != nil {
			t.Fatal(err)
		}
		if d, s, ok := manifest.TagSubject(tag); !ok || d != digest || s != suffix {
			t.Errorf("TagSubject(%q) = %q, %q, %t", tag, d, s, ok)
		}
	}
}

func TestTagsOfOtherDigests(t *testing.T) {
	sha512 := "sha512:" + strings.Repeat("b", 128)
	if tag, err := manifest.SignatureTag(sha512); err == nil {
		t.Errorf("a SHA-512 digest has the signature tag %s, which is too long for registries", tag)
	}
	if tag, err := manifest.FallbackTag(sha512); err != nil || tag != "sha512-"+strings.Repeat("b", 64) {
		t.Errorf("the fallback tag of a SHA-512 digest is %q, %v", tag, err)
	}
	for _, bad := range []string{"", "latest", "sha256:", "sha256:abc", "md5:" + subjectHex, subjectHex, "sha256-" + subjectHex} {
		if tag, err := manifest.SignatureTag(bad); err == nil {
			t.Errorf("SignatureTag(%q) = %s, want an error", bad, tag)
		}
		if tag, err := manifest.FallbackTag(bad); err == nil {
			t.Errorf("FallbackTag(%q) = %s, want an error", bad, tag)
		}
	}
}
