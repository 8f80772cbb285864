package rpm_test

import (
	"path"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
	"hallmark/formats/rpm"
)

func open(t testing.TB) *rpm.Format {
	t.Helper()
	f, err := rpm.New(rpm.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pkg returns a package with files, dependencies and a changelog.
func pkg(name, version, arch string) rpmfiletest.Package {
	return rpmfiletest.New(name, version, "1", arch).With(
		rpmfiletest.Texts(rpmfile.RequireName, "rpmlib(CompressedFileNames)", "bash"),
		rpmfiletest.Numbers(rpmfile.RequireFlags, 1<<24|10, 12),
		rpmfiletest.Texts(rpmfile.RequireVersion, "3.0.4-1", "4"),
		rpmfiletest.Texts(rpmfile.DirNames, "/usr/bin/", "/usr/share/"+name+"/"),
		rpmfiletest.Texts(rpmfile.BaseNames, name, "data"),
		rpmfiletest.Numbers(rpmfile.DirIndexes, 0, 1),
		rpmfiletest.Shorts(rpmfile.FileModes, 0o100755, 0o100644),
		rpmfiletest.Numbers(rpmfile.FileFlags, 0, 0),
		rpmfiletest.Numbers(rpmfile.ChangelogTime, 1_700_000_000),
		rpmfiletest.Texts(rpmfile.ChangelogName, "Jane <jane@example.org> - "+version),
		rpmfiletest.Texts(rpmfile.ChangelogText, "- <first>"),
	)
}

// source returns a source package.
func source(name, version string) rpmfiletest.Package {
	p := rpmfiletest.New(name, version, "1", "x86_64").Less(rpmfile.SourceRPM).With(
		rpmfiletest.Numbers(rpmfile.SourcePackage, 1),
		rpmfiletest.Texts(rpmfile.DirNames, ""),
		rpmfiletest.Texts(rpmfile.BaseNames, name+".spec"),
		rpmfiletest.Numbers(rpmfile.DirIndexes, 0),
		rpmfiletest.Shorts(rpmfile.FileModes, 0o100644),
		rpmfiletest.Numbers(rpmfile.FileFlags, 32),
	)
	p.Source = true
	return p
}

// misleading returns a package of which the texts are an index.
func misleading() rpmfiletest.Package {
	const repomd = `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>9</revision></repomd>`
	p := pkg("index", "1", "noarch").With(rpmfiletest.Localized(rpmfile.Description, repomd))
	p.Payload = []byte(repomd)
	return p
}

// subject returns the format with a setting, and what there is to know of it.
func subject(t testing.TB, sign string) formattest.Subject {
	t.Helper()
	f, err := rpm.New(rpm.Settings{SignPackages: sign})
	if err != nil {
		t.Fatal(err)
	}
	return formattest.Subject{
		Format: f,
		Upload: func(_ testing.TB, name, version, arch string) formattest.Upload {
			return formattest.Upload{
				Path: path.Join(folders[arch], name+"-"+version+"-1."+arch+".rpm"),
				Body: pkg(name, version, arch).Bytes(),
			}
		},
		Versions: []string{"1.0", "1.1"},
		Archs:    []string{"x86_64", "noarch"},
		Extra: []formattest.Upload{
			{Path: "el9/x86_64/", Body: source("pkga", "1.0").Bytes()},
			{Path: "el9/x86_64/multi-2^git1-1.x86_64.rpm", Body: pkg("multi", "2^git1", "x86_64").Bytes()},
		},
		Malformed: malformed(),
		Attacks: map[string]formattest.Upload{
			"a package that holds an index": {Path: "index-1-1.noarch.rpm", Body: misleading().Bytes()},
		},
		Client: client,
		Verify: verify,
	}
}

func TestConformance(t *testing.T) {
	for _, sign := range []string{"unsigned", "always", "never"} {
		t.Run("with sign_packages "+sign, func(t *testing.T) { formattest.Run(t, subject(t, sign)) })
	}
}

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f, "always")) }
