package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// validRepositoryName reports whether a repository may have this name, which
// is also the first element of paths.
func validRepositoryName(name string) bool {
	ok, _ := regexp.MatchString(`^[a-z0-9][a-z0-9._-]*$`, name)
	return ok
}

// reserved reports whether a name is the first element of a path of the proxy's
// own.
func reserved(name string) bool {
	return slices.Contains([]string{"-", "v2", "healthz", "readyz", "metrics"}, name)
}

// repositoryNames returns the names of the repositories in the alphabet's order.
func (k *checker) repositoryNames() []string {
	return slices.Sorted(maps.Keys(k.Repositories))
}

func (k *checker) checkRepositories() {
	for _, name := range k.repositoryNames() {
		at, repo := place("repositories").key(name), k.Repositories[name]
		switch {
		case reserved(name):
			k.fault(at, "has a name that is a path of the proxy itself: choose another")
		case !validRepositoryName(name):
			k.fault(at, "has a name that does not work in paths: write small letters, digits and . _ -, a letter or a digit first")
		}
		if f, ok := formatOf(k.formats, repo.Format); ok {
			k.checkPackages(at, repo, f)
			continue
		}
		switch repo.Format {
		case FormatOCI:
		case "":
			k.fault(at.key("format"), "is missing: write format: oci, or %s", oneOfThese(k.formatNames()))
			continue
		default:
			k.fault(at.key("format"), "is %q, which this version does not have%s: write %s", repo.Format, guess(repo.Format, k.formatNames()), oneOfThese(k.formatNames()))
			continue
		}
		k.checkSignatures(at.key("signatures"), repo.Signatures)
		k.checkUpstream(at, repo)
	}
}

func (k *checker) checkSignatures(at place, layouts []string) {
	for i, layout := range layouts {
		k.oneOf(at.item(i), layout, SignatureCosign, SignatureBundle)
		if slices.Contains(layouts[:i], layout) {
			k.fault(at.item(i), "is %q for the second time: remove it", layout)
		}
	}
	if !slices.Contains(layouts, SignatureCosign) {
		k.fault(at, "lacks cosign, the layout that every version of cosign verifies: write [cosign] or [cosign, bundle]")
	}
}

func (k *checker) checkUpstream(at place, repo Repository) {
	switch {
	case repo.Auth != "" && repo.Auth != AuthUpstream:
		k.fault(at.key("auth"), "is %q: write upstream, or remove it and write rules under auth at the top", repo.Auth)
	case repo.Auth == AuthUpstream && repo.Upstream == nil:
		k.fault(at.key("auth"), "is upstream, and there is none: remove it, or add upstream: {url: https://registry.example.com}")
	}
	if repo.Upstream == nil {
		return
	}
	at = at.key("upstream")
	if repo.Upstream.URL == "" {
		k.fault(at.key("url"), "is missing: write url: https://registry.example.com")
	} else if _, err := parseOrigin(repo.Upstream.URL); err != nil {
		k.fault(at.key("url"), "%w", err)
	}
	for _, s := range []struct {
		key string
		set bool
	}{
		{"user", repo.Upstream.User != ""},
		{"password_file", repo.Upstream.PasswordFile != ""},
		{"key", repo.Upstream.Key != ""},
		{"trust", repo.Upstream.Trust != ""},
		{"package_key", repo.Upstream.PackageKey != ""},
		{"refresh", repo.Upstream.Refresh != 0},
		{"redirect_origins", repo.Upstream.RedirectOrigins != nil},
		{"cache", repo.Upstream.Cache != nil},
	} {
		if s.set {
			k.fault(at.key(s.key), "is for packages, and a repository of format oci has none: remove it")
		}
	}
	k.oneOf(at.key("order"), repo.Upstream.Order, OrderAuto, OrderSignatureFirst, OrderImageFirst)
	if repo.Upstream.Timeout <= 0 {
		k.fault(at.key("timeout"), "is %v: write a duration above 0, such as 30s", repo.Upstream.Timeout)
	}
	for i, origin := range repo.Upstream.TokenOrigins {
		if _, err := parseOrigin(origin); err != nil {
			k.fault(at.key("token_origins").item(i), "%w", err)
		}
	}
}

// checkImages checks the patterns of all repositories, of which no two may be
// the same: a name would have two keys.
func (k *checker) checkImages() {
	first := map[string]place{}
	for _, name := range k.repositoryNames() {
		at := place("repositories").key(name).key("images")
		if k.Repositories[name].Format != FormatOCI {
			continue
		}
		images := k.Repositories[name].Images
		if len(images) == 0 {
			k.fault(at, "is empty, so that no image belongs to the repository: add a pattern such as %s/*, or remove images", name)
		}
		for i, pattern := range images {
			k.checkImagePattern(at.item(i), pattern)
			if earlier, ok := first[pattern]; ok {
				k.fault(at.item(i), "is %q like %v (%s): let a pattern belong to one repository", pattern, earlier, k.origins.of(earlier))
				continue
			}
			first[pattern] = at.item(i)
		}
	}
}

// checkImagePattern checks a pattern of names under /v2/.
func (k *checker) checkImagePattern(at place, pattern string) {
	if fault := imagePatternFault(pattern); fault != "" {
		k.fault(at, "is %q, which %s", pattern, fault)
	}
}

// imagePatternFault says what is wrong with a pattern of names of images.
func imagePatternFault(pattern string) string {
	ok, _ := regexp.MatchString(`^[a-z0-9._/*-]+$`, pattern)
	switch {
	case !ok:
		return "no image's name matches: write small letters, digits, / . _ - and *, without registry and tag"
	case strings.HasPrefix(pattern, "/") || strings.HasSuffix(pattern, "/") || strings.Contains(pattern, "//"):
		return "no image's name matches: names have no / at an end and no two in a row"
	case strings.Contains(pattern, "**"):
		return "has ** in it: write one *, which matches slashes too"
	}
	return ""
}

// checkKeys checks the key rings: a key serves one repository and one purpose.
func (k *checker) checkKeys() {
	first := map[string]place{}
	for _, name := range slices.Sorted(maps.Keys(k.Keys)) {
		at, ring := place("keys").key(name), k.Keys[name]
		if _, ok := k.Repositories[name]; !ok {
			k.fault(at, "belongs to no repository%s: name one of repositories, or remove it", meant(name, k.repositoryNames()))
		}
		if len(ring) == 0 {
			k.fault(at, "is empty: add {purpose: image, generate: p256}, or remove it, which means the same")
		}
		for i, key := range ring {
			if f, ok := formatOf(k.formats, k.Repositories[name].Format); ok {
				k.checkPackageKey(at.item(i), key, k.Repositories[name], f)
			} else {
				k.checkKey(at.item(i), key)
			}
			earlier, ok := first[key.Key]
			if ok {
				k.fault(at.item(i).key("key"), "is the same file as %v (%s): a key serves one repository and one purpose", earlier, k.origins.of(earlier))
			} else if key.Key != "" {
				first[key.Key] = at.item(i).key("key")
			}
		}
	}
}

// checkKey checks one key of a ring.
func (k *checker) checkKey(at place, key Key) {
	switch key.Purpose {
	case PurposeImage:
	case "":
		k.fault(at.key("purpose"), "is missing: write purpose: image")
	case "index", "package", "file", "npm", "note":
		k.fault(at.key("purpose"), "is %s, and repositories of format oci sign nothing for it: write image", key.Purpose)
	default:
		k.oneOf(at.key("purpose"), key.Purpose, PurposeImage)
	}
	if key.Scheme != "" {
		k.fault(at.key("scheme"), "is %q, and the purpose image has one kind of signature: remove it", key.Scheme)
	}
	if key.UID != "" {
		k.fault(at.key("uid"), "is for OpenPGP keys, and a key of purpose image is none: remove it")
	}
	k.checkSource(at, key, "p256", "p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519")
}

// checkSource checks where a key comes from.
func (k *checker) checkSource(at place, key Key, usual string, kinds ...string) {
	switch {
	case key.Generate != "" && key.Key != "":
		k.fault(at, "has both generate and key: keep generate for a new key, or key for your own")
	case key.Generate == "" && key.Key == "":
		k.fault(at, "has neither generate nor key: write generate: %s, or key: file:PATH", usual)
	case key.Generate != "":
		k.oneOf(at.key("generate"), key.Generate, kinds...)
	default:
		// The value is not repeated: somebody may have pasted the key itself.
		if name, ok := strings.CutPrefix(key.Key, keyFilePrefix); !ok || name == "" {
			k.fault(at.key("key"), "is not file: and the name of a file: write it like file:cosign.key")
		}
	}
}
