package arch_test

import (
	"strings"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/formattest"
)

func TestConformance(t *testing.T) {
	upload := func(path string, p pkg) formattest.Upload {
		return formattest.Upload{Path: path, Body: p.build(t)}
	}
	s := formattest.Subject{
		Format: open(t, arch.Defaults()),
		Upload: func(tb testing.TB, name, version, arch string) formattest.Upload {
			p := pkg{name: name, version: version, arch: arch}
			return formattest.Upload{Path: name + "-" + version + "-" + arch + ".pkg.tar.zst", Body: p.build(tb)}
		},
		Versions: []string{"1.0rc1-1", "1.0-1", "1.0-2", "1.0.1-1", "1:0.9-1"},
		Archs:    []string{"x86_64", "aarch64", "any"},
		Extra: []formattest.Upload{
			upload("testing/extra/", pkg{name: "one"}),
			upload("testing/extra/x86_64/two-1.0-1-x86_64.pkg.tar.xz", pkg{name: "two", extension: "xz"}),
			upload("testing/extra/any/three.pkg.tar.gz", pkg{name: "three", arch: "any", extension: "gz"}),
		},
		Malformed: map[string]formattest.Upload{},
		Attacks:   map[string]formattest.Upload{},
		Client:    client,
		Verify:    verify,
	}
	for name, build := range bad() {
		s.Malformed[name] = formattest.Upload{Path: "x86_64/", Body: build(t)}
		if strings.HasSuffix(name, "a database's file") || strings.HasSuffix(name, "in gzip") {
			s.Attacks[name] = s.Malformed[name]
		}
	}
	formattest.Run(t, s)
}
