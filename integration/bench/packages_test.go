package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
)

func TestAPackageIsTheSameEachTimeAndLikeNoOther(t *testing.T) {
	for _, g := range allGoods {
		seen := map[string]bool{}
		for _, p := range []pkg{g.make(1, 1), g.make(1, 2), g.make(2, 1), g.make(500_001, 1)} {
			if seen[p.file] || seen[string(p.data)] {
				t.Errorf("%s: %s was there before", g.title, p.file)
			}
			seen[p.file], seen[string(p.data)] = true, true
		}
		if !bytes.Equal(g.make(7, 1).data, g.make(7, 1).data) {
			t.Errorf("%s: number 7 is not the same twice", g.title)
		}
	}
}

func TestNoTwoOfAMillionNamesAreTheSame(t *testing.T) {
	seen := map[string]bool{}
	for number := range 1_000_000 {
		seen[nameOf(number)] = true
	}
	if len(seen) != 1_000_000 {
		t.Errorf("there are %d names", len(seen))
	}
}

// The readers are those of the system: a package that only we take would measure nothing.
func TestPackagesAreWhatTheirOwnToolsTake(t *testing.T) {
	readers := map[string]struct {
		args []string
		want string
	}{
		"debian": {[]string{"dpkg-deb", "--info"}, "Homepage: https://www.example.org/"},
		"rpm":    {[]string{"rpm", "--query", "--list", "--package"}, ".dat"},
		"alpine": {[]string{"tar", "--ignore-zeros", "-xzOf"}, "datahash = "},
	}
	for _, g := range allGoods {
		t.Run(g.format, func(t *testing.T) {
			reader := readers[g.format]
			if _, err := exec.LookPath(reader.args[0]); err != nil {
				t.Fatalf("%v: make deps installs it", err)
			}
			file, content, length := g.large(3 << 20)
			large, err := io.ReadAll(content)
			if err != nil || int64(len(large)) != length {
				t.Errorf("a large package has %d bytes and is said to have %d: %v", len(large), length, err)
			}
			small := g.make(1, 1)
			for name, data := range map[string][]byte{small.file: small.data, file: large} {
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(reader.args[0], append(reader.args[1:], path)...).CombinedOutput()
				if err != nil || !bytes.Contains(out, []byte(reader.want)) {
					t.Errorf("%s: %v\n%.500s", name, err, out)
				}
			}
		})
	}
}

func TestMetadataIsAsLongAsThatOfRealPackages(t *testing.T) {
	if n := len(debControl(pkg{name: nameOf(1), version: "1.0-1"}, 1, 1)); n < 700 || n > 1000 {
		t.Errorf("a control file has %d bytes", n)
	}
	if n := bytes.Count(makeRPM(1, 1).data, []byte(".dat\x00")); n != filesPerRPM {
		t.Errorf("an .rpm has %d files", n)
	}
}

func TestAFailureInAScopeIsAnErrorAndEndsNothingElse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &scope{T: t, ctx: ctx}
	var ended []string
	s.Cleanup(func() { ended = append(ended, "first") })
	s.Cleanup(func() { ended = append(ended, "second") })
	if err := s.try(func() { world.T(s).Fatalf("no %s", "luck") }); err == nil || err.Error() != "no luck" {
		t.Errorf("error %v", err)
	}
	if err := s.try(func() {}); err != nil {
		t.Errorf("error %v without a failure", err)
	}
	cancel()
	if err := s.try(func() { s.Fatalf("killed") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the end", err)
	}
	s.close()
	s.close()
	if got := strings.Join(ended, ", "); got != "second, first" {
		t.Errorf("ended: %s", got)
	}
}

func TestAGridSaysWhatWasMeasuredAndWhatWasNotDone(t *testing.T) {
	g := &grid{title: "Debian", sizes: []int{1000, 50_000}, names: []string{hallmark, "slowpoke", "snail"}}
	g.times = map[cell][]float64{
		{add, hallmark, 1000}: {3, 5, 4}, {add, hallmark, 50_000}: {10}, {add, "slowpoke", 50_000}: {1500}, {add, "snail", 50_000}: {12_345},
	}
	g.over = map[cell]time.Duration{{remove, "snail", 50_000}: time.Minute}
	var b strings.Builder
	g.print(&b)
	for _, line := range []string{
		"| Debian, packages there | 1,000 | 50,000 |\n", "| add a package: Hallmark | 4.0 ms | 10.0 ms |\n",
		"| add a package: slowpoke |  | 1.50 s |\n", "| add a package: snail |  | 12.3 s |\n", "| remove the oldest: snail |  | over 1m0s |\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %q in\n%s", line, b.String())
		}
	}
	if name, ms := g.fastest(add, 50_000); name != "slowpoke" || ms != 1500 {
		t.Errorf("the fastest is %s with %v", name, ms)
	}
	bench := &bench{grids: []*grid{g}}
	bench.goals(g)
	found := false
	for _, r := range bench.rows {
		if r.goal == "≥ 50" {
			found = true
			if !r.pass || r.outcome != "150 times faster" {
				t.Errorf("150 times is %q, pass %v", r.outcome, r.pass)
			}
		}
	}
	if !found {
		t.Error("there is no row for the fastest peer")
	}
}

func TestOptionsOfPackages(t *testing.T) {
	for _, c := range []struct {
		args string
		fail string
	}{
		{"", ""},
		{"-formats=rpm,alpine -sizes=3000,1000,1000 -peers=aptly", ""},
		{"-formats=rmp", `no format "rmp"`},
		{"-peers=aptly,yum", `no peer "yum"`},
		{"-sizes=ten", `"ten"`},
		{"-sizes=10", `"10"`},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		read := packageFlags(flags)
		if err := flags.Parse(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		o, err := read(false)
		if (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%q: %v", c.args, err)
		}
		if strings.HasPrefix(c.args, "-formats=rpm") && (len(o.goods) != 2 || !slices.Equal(o.sizes, []int{1000, 3000}) || len(o.peers) != 1) {
			t.Errorf("%q is %+v", c.args, o)
		}
	}
}
