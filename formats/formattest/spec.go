package formattest

import (
	"crypto"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func checkSpec(tb testing.TB, s Subject) {
	g := newGuard(tb, s.Format)
	spec := g.spec
	if spec.Title == "" {
		g.breach("Spec has no title")
	}
	if len(spec.Keys) == 0 {
		g.breach("Spec names no keys, so that nothing could be signed")
	}
	for i, u := range spec.Keys {
		g.checkKeyUse(u, spec.Keys[:i])
	}
	for _, h := range spec.Digests {
		if !h.Available() || h == crypto.SHA256 {
			g.breach("Spec.Digests has %v, which is always there or never", h)
		}
	}
	if len(spec.Clients) == 0 {
		g.breach("Spec names no client that could be set up")
	}
	for i, name := range spec.Clients {
		if !clientName.MatchString(name) || slices.Contains(spec.Clients[:i], name) {
			g.breach("Spec names the client %q, which is twice there or no plain name", name)
		}
	}
	if _, ok := s.Format.(format.Renderer); !ok {
		g.breach("it is no format.Renderer, so that no client can be set up")
	}
	if spec.Aside != "" && (!strings.HasPrefix(spec.Aside, ".") || !strings.HasSuffix(spec.Aside, ".asc") || spec.Aside == ".asc") {
		g.breach("Spec.Aside is %q, which is no end of a signature's name, or is that of the first", spec.Aside)
	}
	if spec.Valid < 0 || spec.Resign < 0 || spec.Resign > 0 && spec.Resign >= spec.Valid {
		g.breach("an index that is valid for %v is rendered again %v before its end", spec.Valid, spec.Resign)
	}
	g.checkTogether(s)
}

func (g *guard) checkKeyUse(u format.KeyUse, before []format.KeyUse) {
	g.tb.Helper()
	switch {
	case !u.Purpose.Valid() || !u.Family.Valid():
		g.breach("a key has the purpose %q and the family %q", u.Purpose, u.Family)
	case u.Purpose == scheme.File || u.Purpose == scheme.Image:
		g.breach("a key of purpose %q is not a format's to ask for", u.Purpose)
	case u.Refused == "" || len(u.Kinds) == 0:
		g.breach("the key of purpose %q does not say which kinds the clients take, or why no others", u.Purpose)
	case u.Certificate && (u.Family != scheme.RSA || u.Shared):
		g.breach("the key of purpose %q stands in a certificate, and is no RSA key of its own", u.Purpose)
	case !u.Shared && !slices.Contains(u.Kinds, u.Generate):
		g.breach("the key of purpose %q is generated as %q, which the clients do not take", u.Purpose, u.Generate)
	case u.Shared && (u.Purpose != scheme.Package || !slices.ContainsFunc(g.spec.Keys, func(other format.KeyUse) bool {
		return other.Purpose == scheme.Index && other.Family == u.Family
	})):
		g.breach("the key of purpose %q is shared with an index that has no %s key, or it is not a package's", u.Purpose, u.Family)
	}
	for _, other := range before {
		if other.Purpose == u.Purpose && other.Family == u.Family {
			g.breach("Spec names two keys of purpose %q and family %q", u.Purpose, u.Family)
		}
	}
}

// checkTogether looks at the sets that a filled repository has.
func (g *guard) checkTogether(s Subject) {
	g.tb.Helper()
	if g.spec.Together == nil {
		return
	}
	sets := map[string]int{}
	for p := range s.filled(g.tb).Indexes() {
		g.calling("Together", func() { sets[g.spec.Together(p)]++ })
	}
	for name, size := range sets {
		if name != "" && size < 2 {
			g.breach("Together names the set %q for one index file alone", name)
		}
	}
	if sets[""] == len(s.filled(g.tb).Indexes()) {
		g.breach("Together names no set for any index file: leave it nil")
	}
}

func checkOrder(tb testing.TB, s Subject) {
	g := newGuard(tb, s.Format)
	if g.spec.Compare == nil {
		return
	}
	compare := func(a, b string) (sign int) {
		g.calling("Compare", func() { sign = min(1, max(-1, g.spec.Compare(a, b))) })
		return sign
	}
	for i, a := range s.Versions {
		for j, b := range s.Versions {
			want := min(1, max(-1, i-j))
			if got := compare(a, b); got != want {
				g.breach("Compare(%q, %q) is %d, want %d", a, b, got, want)
			}
		}
	}
	for _, a := range nasty() {
		if got := compare(a, a); got != 0 {
			g.breach("Compare(%q, %q) is %d, want 0", a, a, got)
		}
		for _, b := range append(nasty(), s.Versions...) {
			compare(a, b)
			compare(b, a)
		}
	}
}

// nasty returns words that code stumbles over. They are valid segments of a path.
func nasty() []string {
	return []string{
		"a", "A", "0", "-", "--", "_", "~", "^", "+", "...", ".hidden", "a.", "%2e%2e", "%00", "a b", " ", `a\b`, `\`, "'", `"`, "`",
		"$(x)", "${x}", "*", "?", "[", "<", "&amp;", "#", "=", ":", ";", "|", "ä", "日本", "\u202e", "\u2028", "e\u0301", "\U0010ffff",
		"99999999999999999999999999", "-1", "1:1", "1:2:3", "1-1-1", "1~rc1", "1_alpha", "1.0-r", "00", "0x1",
		longName(), "index.html", "robots.txt", "InRelease", "Release", "Release.gpg", "Packages", "Packages.gz", "by-hash", "SHA256",
		"dists", "pool", "main", "incoming", "repodata", "repomd.xml", "repomd.xml.asc", "x.repo", "APKINDEX.tar.gz", "noarch", "any",
		"x.db", "x.files", "x.db.sig", "x.db.tar.gz", "SHA256SUMS", "SHA256SUMS.asc", "a.deb", ".deb", "a_1_all.deb", "a_1.dsc",
		"a.changes", "a.rpm", "a-1-1.src.rpm", "a.apk", "a-1-r0.apk", "a-1-1-any.pkg.tar.zst", "a.pkg.tar",
		"a.asc", "a.sig", "a.sigstore.json",
	}
}

func longName() string {
	b := make([]byte, 255)
	for i := range b {
		b[i] = 'l'
	}
	return string(b)
}
