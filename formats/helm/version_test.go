package helm

import "testing"

func TestWhatHelmTakesForAVersion(t *testing.T) {
	for text, want := range map[string]bool{
		"1.2.3": true, "v1.2.3": true, "1": true, "1.2": true, "01.2.3": true, "1.2.3-rc.1": true, "1.2.3-0": true, "1.2.3--": true, "1.2.3+01": true,
		"1.2.3-a.b+c.d": true, "1.2.3-0a": true,
		"": false, "v": false, "V1": false, "1.": false, "1.2.3.4": false, "1.2.3-": false, "1.2.3+": false, "1.2.3-a..b": false, "1.2.3-01": false,
		"1.2.3-a+b+c": false, "1.2.3_a": false, " 1.2.3": false, "1.2.x": false, "-1": false, "1234567890123456789": false, "1.2.3-ä": false,
	} {
		if _, ok := parseVersion(text); ok != want {
			t.Errorf("%q: %t", text, ok)
		}
	}
}

func BenchmarkVersions(b *testing.B) {
	var entries [][]byte
	for i := range 1000 {
		entries = append(entries, append([]byte("1."+string(rune('0'+i%10))+".0\n"), make([]byte, 700)...))
	}
	for b.Loop() {
		versions(entries)
	}
}
