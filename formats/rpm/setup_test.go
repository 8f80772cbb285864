package rpm_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/rpm"

	"github.com/google/go-cmp/cmp"
)

// site returns a repository with some directories, each of which has so many packages.
func site(shards ...format.Contents) format.Site {
	return format.Site{
		Repository: "my.rpms", URL: "http://h/my.rpms", KeysURL: "http://h/-/keys/my.rpms", SnapshotURL: "http://h/-/snapshot/7/my.rpms",
		Tree: formattest.Contents(shards),
	}
}

func shard(name string, count int) format.Contents {
	return format.Contents{Shard: name, Groups: []format.Group{{Name: "filelists", Count: count}, {Name: "primary", Count: count}}}
}

func TestTheConfigurationHasASectionForEachDirectory(t *testing.T) {
	const top = `[hallmark-my.rpms]
name=my.rpms
mirrorlist=http://h/my.rpms/mirrorlist
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=http://h/-/keys/my.rpms/openpgp.asc
`
	const el9 = `[hallmark-my.rpms:el9:x86_64]
name=my.rpms el9/x86_64
mirrorlist=http://h/my.rpms/el9/x86_64/mirrorlist
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=http://h/-/keys/my.rpms/openpgp.asc
`
	full := site(shard("", 2), shard("el9/x86_64", 1), shard("gone", 0))
	for _, tt := range []struct {
		name, document string
		site           format.Site
		want           string
	}{
		{"an empty repository has the top", "my.rpms.repo", site(), top},
		{"one with directories has each that is not empty", "my.rpms.repo", full, top + "\n" + el9},
		{"a directory has its own", "el9/x86_64/my.rpms.repo", full, el9},
		{"the mirrors of the top are its snapshot", "mirrorlist", full, "http://h/-/snapshot/7/my.rpms/\n"},
		{"the mirrors of a directory are its snapshot", "el9/x86_64/mirrorlist", full, "http://h/-/snapshot/7/my.rpms/el9/x86_64/\n"},
		{"an emptied directory still has a snapshot", "gone/mirrorlist", full, "http://h/-/snapshot/7/my.rpms/gone/\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t).Render(tt.site, format.Op{Kind: format.Render, Document: tt.document})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got.Data)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, document := range []string{"other.repo", "el8/my.rpms.repo", "el8/mirrorlist", "el9/mirrorlist", ""} {
		if _, err := open(t).Render(full, format.Op{Kind: format.Render, Document: document}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestSectionsOfUnlikeDirectoriesDiffer(t *testing.T) {
	dirs := []string{"", "a/b", "a-b", "a.b", "a_b", "a+b", "a~b", "a/p/b", "a+/b", "a/+b", "a", "a/b/t"}
	var shards []format.Contents
	for _, dir := range dirs {
		shards = append(shards, shard(dir, 1))
	}
	got, err := open(t).Render(site(shards...), format.Op{Document: "my.rpms.repo"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(got.Data)) {
		if strings.HasPrefix(line, "[") {
			if seen[line] {
				t.Errorf("two directories have the section %s", line)
			}
			seen[line] = true
			if strings.Trim(line, "[]\nabcdefghijklmnopqrstuvwxyz-_.:") != "" {
				t.Errorf("dnf does not take the section %s", line)
			}
		}
	}
	if len(seen) != len(dirs) {
		t.Errorf("%d sections for %d directories", len(seen), len(dirs))
	}
}

func TestClientsCheckPackagesWhereTheyAreSigned(t *testing.T) {
	for sign, want := range map[string]string{"never": "\ngpgcheck=0\n", "unsigned": "\ngpgcheck=1\n", "always": "\ngpgcheck=1\n"} {
		f, err := rpm.New(rpm.Settings{SignPackages: sign})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Render(site(), format.Op{Document: "my.rpms.repo"})
		if err != nil || !strings.Contains(string(got.Data), want) || !strings.Contains(string(got.Data), "\nrepo_gpgcheck=1\n") {
			t.Errorf("with sign_packages %s: %v\n%s", sign, err, got.Data)
		}
	}
}

func TestZypperIsSetUpWithAddressesOfDirectories(t *testing.T) {
	got, err := open(t).Setup(site(shard("el9", 1)), "zypper")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(got); !strings.Contains(text, "\nbaseurl=http://h/my.rpms/el9/\n") || strings.Contains(text, "mirrorlist") {
		t.Error(text)
	}
}

func TestNewRefusesAnUnknownPolicy(t *testing.T) {
	for _, sign := range []string{"", "yes", "Always"} {
		if _, err := rpm.New(rpm.Settings{SignPackages: sign}); err == nil || !strings.Contains(err.Error(), "sign_packages") ||
			!strings.Contains(err.Error(), "never, unsigned or always") {
			t.Errorf("sign_packages %q: %v", sign, err)
		}
	}
}
