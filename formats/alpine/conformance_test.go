package alpine_test

import (
	"bytes"
	"strings"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
)

func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings alpine.Settings
	}{
		{"packages without a signature are signed", alpine.Defaults()},
		{"all packages are signed, for old clients too", alpine.Settings{SignPackages: "always", Architectures: []string{"x86_64", "aarch64"}, SHA1: true}},
	} {
		if testing.Short() && tt.settings.SHA1 {
			continue
		}
		t.Run("with "+tt.name, func(t *testing.T) { formattest.Run(t, subject(t, tt.settings)) })
	}
}

func subject(t *testing.T, s alpine.Settings) formattest.Subject {
	upload := func(path string, a apk) formattest.Upload {
		return formattest.Upload{Path: path, Body: a.build(t)}
	}
	sub := formattest.Subject{
		Format: open(t, s),
		Upload: func(tb testing.TB, name, version, arch string) formattest.Upload {
			return formattest.Upload{Path: name + "-" + version + ".apk", Body: apk{name: name, version: version, arch: arch}.build(tb)}
		},
		Versions: []string{"1.0-r0", "1.0-r1", "1.10_rc1-r0"},
		Archs:    []string{"x86_64", "aarch64", "noarch"},
		Extra: []formattest.Upload{
			upload("edge/main/", apk{name: "one"}),
			upload("edge/main/x86_64/", apk{name: "two"}),
			upload("edge/main/noarch/three-1.0-r0.apk", apk{name: "three", arch: "noarch"}),
		},
		Malformed: map[string]formattest.Upload{},
		Attacks:   map[string]formattest.Upload{},
		Client:    client,
		Verify:    verify,
		// The index knows a package by its control member, and does not say what stands in front of it.
		Uncovered: func(data []byte) []format.Section {
			raw, plain, err := members(data)
			if err != nil || !bytes.HasPrefix(plain[0], []byte(".SIGN.")) {
				return nil
			}
			return []format.Section{{Size: int64(len(raw[0]))}}
		},
	}
	for name, a := range bad() {
		sub.Malformed[name] = formattest.Upload{Path: "bad.apk", Body: a(t)}
		if strings.Contains(name, "index") {
			sub.Attacks[name] = formattest.Upload{Path: "bad.apk", Body: a(t)}
		}
	}
	return sub
}
