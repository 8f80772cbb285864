package hallmark

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// rules say what must never import what, and why. A rule names packages below the module, "…" for all that is below
// them; it speaks of what the program itself is made of, and not of tests.
//
// A rule with only allows nothing else of ours; one with never forbids, except to those under but.
var rules = []struct {
	packages string
	only     []string // of our own packages
	never    []string
	but      []string
	why      string
}{
	{packages: "signing/scheme", only: []string{}, why: "names are for everybody, so they need nobody"},
	{packages: "signing/…", only: []string{"signing/…"}, why: "keys know no images, no packages and no HTTP: the dangerous part can be read alone"},
	{packages: "signing/…", never: []string{"net/http", "database/sql", "os/exec"}, why: "who holds keys talks to nobody"},
	{packages: "proxy/oci/manifest", only: []string{}, why: "code that reads hostile bytes holds no key"},
	{packages: "proxy/oci/manifest", never: []string{"net/http", "os", "database/sql"}, why: "code that reads hostile bytes opens nothing"},
	{packages: "proxy/oci", never: []string{"hallmark/proxy/oci/embedded", "hallmark/proxy/oci/upstream"}, why: "the order of things is the same in front of every registry"},
	{packages: "proxy/oci/…", never: []string{"hallmark/formats/…"}, why: "images are not packages"},
	{packages: "formats/format", only: []string{"signing/scheme"}, why: "the contract names signatures and cannot make any"},
	{packages: "formats/…", only: []string{"formats/format", "formats/internal/…", "signing/scheme"}, but: []string{"formats", "formats/formattest"}, why: "a format is a leaf: it knows no other format and nothing of the house"},
	{packages: "formats/…", never: []string{"net/http", "os", "os/exec", "database/sql"}, but: []string{"formats/formattest"}, why: "a format has no arms: it opens nothing and answers nothing"},
	{packages: "…", never: []string{"hallmark/formats"}, but: []string{"cmd/proxy"}, why: "only the program that wires all together knows every format"},
	{packages: "proxy/listing", only: []string{}, why: "listings know no format and no database"},
	{packages: "proxy/publish", never: []string{"net/http", "database/sql", "hallmark/proxy/backend/hosted", "hallmark/proxy/backend/upstream", "hallmark/proxy/ledger", "hallmark/proxy/blob"}, why: "the write path does not know where a repository is kept, nor who asks"},
	{packages: "…", never: []string{"hallmark/proxy/ledger/ledgertest", "hallmark/proxy/timestamp/timestamptest", "hallmark/formats/nuget/nugettest"}, why: "tests are not part of the product"},
	{packages: "proxy/timestamp", only: []string{}, why: "who asks for a timestamp need not know what for"},
	{packages: "…", never: []string{"hallmark/proxy/backend/hosted", "hallmark/proxy/backend/upstream", "hallmark/proxy/blob"}, but: []string{"cmd/proxy"}, why: "only the program that wires all together knows every backend"},
	{packages: "proxy/oci/…", never: []string{"hallmark/proxy", "hallmark/proxy/config"}, why: "the wire is given what it needs; it reads no settings"},
	{packages: "proxy/config", only: []string{}, why: "settings are plain data"},
	{packages: "…", never: []string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx/…"}, but: []string{"proxy/ledger", "proxy/ledger/ledgertest"}, why: "one place knows SQL"},
	{packages: "…", never: []string{"hallmark/signing/keys"}, but: []string{"cmd/proxy", "formats/formattest", "signing/signingtest"}, why: "only the program that wires all together opens private keys"},
	{packages: "…", never: []string{"hallmark/proxy/oci/embedded", "hallmark/proxy/oci/upstream"}, but: []string{"cmd/proxy"}, why: "only the program that wires all together knows every driver"},
	{packages: "…", never: []string{"github.com/distribution/distribution/v3/…"}, but: []string{"proxy/oci/embedded", "proxy/blob"}, why: "the embedded registry and its storage drivers can be replaced"},
	{packages: "…", never: []string{"hallmark/integration/…"}, but: []string{"integration/…"}, why: "tests are not part of the product"},
}

func TestPackagesImportOnlyWhatTheirRulesAllow(t *testing.T) {
	checked := make([]int, len(rules))
	for _, p := range listPackages(t) {
		for i, rule := range rules {
			if !under(p.ImportPath, "hallmark/"+rule.packages) || slices.ContainsFunc(rule.but, func(b string) bool { return under(p.ImportPath, "hallmark/"+b) }) {
				continue
			}
			checked[i]++
			for _, imported := range p.Imports {
				if broken(rule.only, rule.never, imported) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.why)
				}
			}
		}
	}
	for i, n := range checked {
		if n == 0 {
			t.Errorf("no package is %s any more: %s", rules[i].packages, rules[i].why)
		}
	}
}

// The program links a TLS stack and SQL, so what matters here is what the packages reach in the end, too.
func TestReadersOfHostileBytesReachNoKeys(t *testing.T) {
	for _, p := range listPackages(t) {
		if !under(p.ImportPath, "hallmark/proxy/oci/manifest") {
			continue
		}
		for _, d := range p.Deps {
			if under(d, "hallmark/signing/…") || d == "net/http" || d == "database/sql" {
				t.Errorf("%s reaches %s", p.ImportPath, d)
			}
		}
		return
	}
	t.Error("proxy/oci/manifest is gone")
}

func TestRulesCanBeBroken(t *testing.T) {
	for _, c := range []struct {
		only, never []string
		imported    string
		want        bool
	}{
		{only: []string{}, imported: "hallmark/proxy", want: true},
		{only: []string{"signing/…"}, imported: "hallmark/signing/scheme", want: false},
		{only: []string{}, imported: "fmt", want: false},
		{never: []string{"net/http"}, imported: "net/http", want: true},
		{never: []string{"hallmark/formats/…"}, imported: "hallmark/formats/debian", want: true},
		{never: []string{"hallmark/formats/…"}, imported: "hallmark/proxy", want: false},
	} {
		if got := broken(c.only, c.never, c.imported); got != c.want {
			t.Errorf("broken(%q, %q, %s) = %v", c.only, c.never, c.imported, got)
		}
	}
}

func broken(only, never []string, imported string) bool {
	if only != nil && under(imported, "hallmark/…") {
		return !slices.ContainsFunc(only, func(o string) bool { return under(imported, "hallmark/"+o) })
	}
	return slices.ContainsFunc(never, func(n string) bool { return under(imported, n) })
}

// under reports whether a package is the pattern, or below it if it ends in "…".
func under(pkg, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "…"); ok {
		return strings.HasPrefix(pkg, base) || pkg == path.Clean(base)
	}
	return pkg == pattern
}

type goPackage struct {
	ImportPath    string
	Imports, Deps []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
