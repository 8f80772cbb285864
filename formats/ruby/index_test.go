package ruby_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/ruby"
)

// house returns a repository that leaves gems as they are, with these gems.
func house(t *testing.T, gems ...spec) *formattest.House {
	t.Helper()
	h := formattest.NewHouse(t, open(t, ruby.Settings{SignPackages: "never"}))
	for _, g := range gems {
		if err := h.Put(g.path(), g.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestTheCompactIndex(t *testing.T) {
	gems := []spec{
		{name: "a", version: "1.0", platform: "ruby", needs: []string{"zlib", "base"}},
		{name: "b", version: "2.0", platform: "ruby"},
		{name: "a", version: "1.0", platform: "x86_64-linux"},
		{name: "a", version: "1.1.rc1", platform: "ruby"},
	}
	h := house(t, gems...)
	sum := func(s spec) string { return fmt.Sprintf("%x", sha256.Sum256(s.build(t))) }
	info := "---\n1.0 base:~> 1.0,zlib:~> 1.0|checksum:" + sum(gems[0]) + ",ruby:>= 2.0\n" +
		"1.0-x86_64-linux |checksum:" + sum(gems[2]) + ",ruby:>= 2.0\n" + "1.1.rc1 |checksum:" + sum(gems[3]) + ",ruby:>= 2.0\n"
	for name, want := range map[string]string{
		"info/a": info,
		"names":  "---\na\nb\n",
		"versions": "created_at: 1970-01-01T00:00:00Z\n---\n" + fmt.Sprintf("a 1.0,1.0-x86_64-linux,1.1.rc1 %x\n", md5.Sum([]byte(info))) +
			fmt.Sprintf("b 2.0 %x\n", md5.Sum(h.Indexes()["info/b"])),
	} {
		if got := string(h.Indexes()[name]); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	if err := h.Delete("gems/b-2.0.gem"); err != nil {
		t.Fatal(err)
	}
	if names := string(h.Indexes()["names"]); names != "---\na\n" || h.Indexes()["info/b"] != nil {
		t.Errorf("after b is gone, names is %q", names)
	}
}

func TestTheLatestReleaseOfEachPlatformIsListed(t *testing.T) {
	on := func(version, platform string) spec { return spec{name: "a", version: version, platform: platform} }
	for _, tt := range []struct {
		gems []spec
		want []string
	}{
		{[]spec{on("1.9", "ruby"), on("1.10", "ruby"), on("1.8", "ruby")}, []string{"1.10 ruby"}},
		{[]spec{on("1.0", "ruby"), on("2.0.a", "ruby")}, []string{"1.0 ruby"}},
		{[]spec{on("2.0.a", "ruby")}, nil},
		{[]spec{on("1.0", "ruby"), on("1.0", "java"), on("0.9", "java")}, []string{"1.0 java", "1.0 ruby"}},
		{[]spec{on("1.0", "ruby"), on("0.9", "java")}, []string{"1.0 ruby"}},
		{[]spec{on("1.0", "ruby"), on("1.1", "java")}, []string{"1.1 java", "1.0 ruby"}},
	} {
		data := unpacked(t, house(t, tt.gems...).Indexes()["latest_specs.4.8.gz"])
		want := fmt.Appendf(nil, "\x04\x08[%c", 5+len(tt.want))
		if len(tt.want) == 0 {
			want = []byte("\x04\x08[\x00")
		}
		for _, one := range tt.want {
			version, platform, _ := strings.Cut(one, " ")
			want = fmt.Appendf(want, "[\x08I\"\x06a\x06:\x06ETU:\x11Gem::Version[\x06I\"%c%s\x06;\x00TI\"%c%s\x06;\x00T", 5+len(version), version, 5+len(platform), platform)
		}
		if !bytes.Equal(data, want) {
			t.Errorf("%v: the latest are\n%q, want\n%q", tt.gems, data, want)
		}
	}
}
