package debian_test

import (
	"strings"
	"testing"

	"hallmark/formats/debian"
	"hallmark/formats/formattest"
)

func TestConformance(t *testing.T) {
	formattest.Run(t, subject(t))
}

// subject returns the format as it is by default, and what there is to know of it.
func subject(tb testing.TB) formattest.Subject {
	tb.Helper()
	return formattest.Subject{
		Format:    open(tb, nil),
		Upload:    upload,
		Versions:  []string{"1.0-1", "1:0.9+dfsg~rc1"},
		Archs:     []string{"amd64", "all", "riscv64"},
		Extra:     extra(tb),
		Malformed: malformed(tb),
		Attacks:   attacks(tb),
		Client:    client("stable", "unstable"),
	}
}

func TestConformanceOfSignedPackages(t *testing.T) {
	formattest.Run(t, formattest.Subject{
		Format:   open(t, func(s *debian.Settings) { s.SignPackages = "always" }),
		Upload:   upload,
		Versions: []string{"1.0-1", "1:0.9+dfsg~rc1"},
		Archs:    []string{"amd64"},
		Client:   client("stable"),
		Verify:   debsigVerify,
	})
}

// upload puts a package as curl -T does.
func upload(tb testing.TB, name, version, arch string) formattest.Upload {
	tb.Helper()
	suffix := map[string]string{"amd64": ".gz", "all": ".xz", "riscv64": ".zst"}[arch]
	return formattest.Upload{
		Path: "stable/main/" + name + "_" + version + "_" + arch + ".deb",
		Body: deb{control: controlOf(name, version, arch, ""), suffix: suffix, extra: 4000}.build(tb),
	}
}

// extra is a source, an upload of dput with another one, and a package of another distribution and component.
func extra(tb testing.TB) []formattest.Upload {
	of := func(folder string, f file) formattest.Upload {
		return formattest.Upload{Path: folder + "/" + f.name, Body: []byte(f.data)}
	}
	orig, patches := sourceFiles.orig, sourceFiles.patches
	dsc := file{"hello_1.0-1.dsc", clearsigned(dscOf("hello", "1.0-1", "", orig, patches))}
	native := file{"greet_2.0.tar.gz", "\x1f\x8b\x08 the author's"}
	greetDsc := file{"greet_2.0.dsc", dscOf("greet", "2.0", "", native)}
	greet := file{"greet_2.0_all.deb", string(deb{control: controlOf("greet", "2.0", "all", ""), suffix: ".xz"}.build(tb))}
	libgreet := file{"libgreet1_2.0_arm64.deb", string(deb{control: controlOf("libgreet1", "2.0", "arm64", "Source: greet\n"), suffix: ".xz"}.build(tb))}
	info := file{"greet_2.0_arm64.buildinfo", "Format: 1.0\nSource: greet\nBinary: greet\nVersion: 2.0\n"}
	changes := file{"greet_2.0_arm64.changes", clearsigned(changesOf("greet", "2.0", "unstable", greetDsc, native, greet, libgreet, info))}
	return []formattest.Upload{
		of("stable/main", orig), of("stable/main", patches), of("stable/main", dsc),
		of("unstable/main/incoming", greetDsc), of("unstable/main/incoming", native), of("unstable/main/incoming", greet),
		of("unstable/main/incoming", libgreet), of("unstable/main/incoming", info), of("unstable/main/incoming", changes),
		of("unstable/contrib", file{"", string(deb{control: controlOf("contributed", "1", "amd64", ""), suffix: ".gz"}.build(tb))}),
	}
}

func malformed(tb testing.TB) map[string]formattest.Upload {
	good := upload(tb, "bad", "1.0-1", "amd64")
	return map[string]formattest.Upload{
		"a wrong name in the URL":         {Path: strings.Replace(good.Path, "bad_", "good_", 1), Body: good.Body},
		"a wrong architecture in the URL": {Path: strings.Replace(good.Path, "_amd64", "_arm64", 1), Body: good.Body},
		"a package that is cut off":       {Path: good.Path, Body: good.Body[:len(good.Body)/2]},
		"an index's field":                {Path: "stable/main/", Body: deb{control: controlOf("bad", "1.0", "amd64", "Filename: pool/x\n"), suffix: ".gz"}.build(tb)},
		"a second stanza":                 {Path: "stable/main/", Body: deb{control: controlOf("bad", "1.0", "amd64", "") + "\nPackage: x\n", suffix: ".gz"}.build(tb)},
		"another distribution":            {Path: "stable/main/incoming/bad_1.0_amd64.changes", Body: []byte(changesOf("bad", "1.0", "unstable", file{"bad_1.0_amd64.deb", "x"}))},
	}
}

// attacks are files that are given another meaning than their name's.
func attacks(tb testing.TB) map[string]formattest.Upload {
	const release = "Origin: Hallmark\nSuite: stable\nCodename: stable\nDate: Tue, 03 Feb 2026 04:05:06 UTC\nArchitectures: amd64\nComponents: main\n" +
		"SHA256:\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages\n"
	orig := sourceFiles.orig
	return map[string]formattest.Upload{
		"a Release as a .dsc":                  {Path: "stable/main/x_1.0.dsc", Body: []byte(release)},
		"a .dsc that is a Release, too":        {Path: "stable/main/hello_1.0-1.dsc", Body: []byte(dscOf("hello", "1.0-1", "", orig) + release)},
		"a signed .dsc that is a Release, too": {Path: "stable/main/hello_1.0-1.dsc", Body: []byte(clearsigned(dscOf("hello", "1.0-1", "", orig) + release))},
		"a Release as an author's signature":   {Path: "stable/main/x_1.0.orig.tar.gz.asc", Body: []byte(release)},
		"a Release as a tarball":               {Path: "stable/main/x_1.0.tar.gz", Body: []byte(release)},
		"a Release as the control file":        {Path: "stable/main/", Body: deb{control: release, suffix: ""}.build(tb)},
		"a Release as a .buildinfo":            {Path: "stable/main/incoming/x_1.0.buildinfo", Body: []byte(release)},
		"a Release as a .changes":              {Path: "stable/main/incoming/x_1.0.changes", Body: []byte(release)},
		"an InRelease of one's own":            {Path: "dists/stable/InRelease", Body: []byte(clearsigned(release))},
		"a component by the name of a Release": {Path: "stable/Release/x.deb", Body: upload(tb, "x1", "1.0-1", "amd64").Body},
	}
}
