package arch_test

import (
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"hallmark/formats/arch"
)

// The values are those of vercmp(8) and of pacman's own test of it.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1.5.0", "1.5.0", 0}, {"1.5.1", "1.5.0", 1}, {"1.5.1", "1.5", 1},
		{"1.5.0-1", "1.5.0-1", 0}, {"1.5.0-1", "1.5.0-2", -1}, {"1.5.0-1", "1.5.1-1", -1}, {"1.5.0-2", "1.5.1-1", -1},
		{"1.5-1", "1.5.1-1", -1}, {"1.5-2", "1.5.1-1", -1}, {"1.5-2", "1.5.1-2", -1},
		{"1.5", "1.5-1", 0}, {"1.5-1", "1.5", 0}, {"1.1-1", "1.1", 0}, {"1.0-1", "1.1", -1}, {"1.1-1", "1.0", 1},
		{"1.5b-1", "1.5-1", -1}, {"1.5b", "1.5", -1}, {"1.5b-1", "1.5", -1}, {"1.5b", "1.5.1", -1},
		{"1.0a", "1.0alpha", -1}, {"1.0alpha", "1.0b", -1}, {"1.0b", "1.0beta", -1}, {"1.0beta", "1.0rc", -1}, {"1.0rc", "1.0", -1},
		{"1.5.a", "1.5", 1}, {"1.5.b", "1.5.a", 1}, {"1.5.1", "1.5.b", 1},
		{"1.5.b-1", "1.5.b", 0}, {"1.5-1", "1.5.b", -1},
		{"2.0", "2_0", 0}, {"2.0", "2..0", -1}, {"2.0_", "2.0", 1}, {"1.0.", "1.0", 1}, {"1.a", "1.", -1},
		{"0:1.0", "0:1.0", 0}, {"0:1.0", "1.0", 0}, {"1:1.0", "0:1.0", 1}, {"1:1.0-1", "2.0-1", 1}, {":1.0", "1.0", 0},
		{"4.34", "1:001", -1}, {"007", "7", 0}, {"1.0.10", "1.0.9", 1}, {"1.00010", "1.10", 0},
		{"20240101000000000000000000000000001", "20240101000000000000000000000000002", -1}, {"", "", 0}, {"", "1", -1}, {"", "a", 1},
	} {
		if got := arch.Compare(tt.a, tt.b); got != tt.want {
			t.Errorf("%q against %q is %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := arch.Compare(tt.b, tt.a); got != -tt.want {
			t.Errorf("%q against %q is %d, want %d", tt.b, tt.a, got, -tt.want)
		}
	}
}

func TestCompareAgreesWithPacman(t *testing.T) {
	program, err := exec.LookPath("vercmp")
	if err != nil {
		t.Fatal("vercmp is not installed: apt-get install pacman-package-manager")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	parts := []string{"0", "1", "01", "10", "9", "a", "b", "rc", "alpha", ".", ".", "_", "..", "-", ":", "+", "~", "1", "2"}
	version := func() string {
		var b strings.Builder
		for range 1 + rnd.IntN(6) {
			b.WriteString(parts[rnd.IntN(len(parts))])
		}
		return b.String()
	}
	for range 600 {
		a, b := version(), version()
		if strings.HasPrefix(a, "-") || strings.HasPrefix(b, "-") {
			continue // it takes them for options
		}
		out, err := exec.Command(program, a, b).Output()
		if err != nil {
			t.Fatalf("vercmp %q %q: %v", a, b, err)
		}
		want, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		if got := arch.Compare(a, b); got != want {
			t.Errorf("%q against %q is %d, and vercmp says %d", a, b, got, want)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1:1.0rc1-1", "1.0-1")
	f.Fuzz(func(t *testing.T, a, b string) {
		if there, back := arch.Compare(a, b), arch.Compare(b, a); there != -back {
			t.Errorf("%q against %q is %d, and the other way round %d", a, b, there, back)
		}
		if arch.Compare(a, a) != 0 {
			t.Errorf("%q is not itself", a)
		}
	})
}
