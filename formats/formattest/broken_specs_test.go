package formattest

import (
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

func brokenSpecs() []broken {
	return []broken{
		{"its versions have another order", "versions have a total order", "Compare(", tiny{
			spec: func(s format.Spec) format.Spec {
				s.Compare = func(a, b string) int { return strings.Compare(b, a) }
				return s
			},
		}},
		{"its packages are never replaced", "a package is taken, served and removed", "is not newer", tiny{
			spec: func(s format.Spec) format.Spec { s.Compare = nil; return s },
		}},
		{"it has no clients", "the spec is sane", "names no client", tiny{
			spec: func(s format.Spec) format.Spec { s.Clients = nil; return s },
		}},
		{"it wants the keys of sidecars", "the spec is sane", "not a format's to ask for", tiny{
			spec: func(s format.Spec) format.Spec {
				s.Keys = append(slices.Clone(s.Keys), format.KeyUse{Purpose: scheme.File, Family: scheme.OpenPGP})
				return s
			},
		}},
		{"it generates a key that its clients refuse", "the spec is sane", "which the clients do not take", tiny{
			spec: func(s format.Spec) format.Spec {
				s.Keys = slices.Clone(s.Keys)
				s.Keys[0].Generate = "p521"
				return s
			},
		}},
		{"it wants a certificate for a key of OpenPGP", "the spec is sane", "no RSA key of its own", tiny{
			spec: func(s format.Spec) format.Spec {
				s.Keys = slices.Clone(s.Keys)
				s.Keys[0].Certificate = true
				return s
			},
		}},
		{"its files that belong together are alone", "the spec is sane", "for one index file alone", tiny{
			spec: func(s format.Spec) format.Spec { s.Together = func(p string) string { return p }; return s },
		}},
		{"its set-up text is no shell script", "a set-up text is a shell script that names repository and keys", "no shell script", tiny{
			setup: func(s format.Site, _ string) ([]byte, error) {
				return []byte("# Uses the repository.\nif tiny add " + s.URL + " " + s.KeysURL + "\n"), nil
			},
		}},
		{"its set-up text names no keys", "a set-up text is a shell script that names repository and keys", "repository's keys", tiny{
			setup: func(s format.Site, _ string) ([]byte, error) {
				return []byte("# Uses the repository.\ntiny add " + s.URL + "\n"), nil
			},
		}},
	}
}
