package raw_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/raw"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tt := range []struct {
		name string
		op   format.Op
		want format.Package
	}{
		{"a file of a folder", format.Op{Dir: "a/b", Name: "c"}, format.Package{Path: "a/b/c", Name: "c", Shard: "a/b",
			Entries: []format.Entry{{Group: "files", Data: []byte(empty + "  c\n")}}}},
		{"a file of the root", format.Op{Name: "c"}, format.Package{Path: "c", Name: "c",
			Entries: []format.Entry{{Group: "files", Data: []byte(empty + "  c\n")}}}},
		{"a name with a backslash", format.Op{Name: `a\nb`}, format.Package{Path: `a\nb`, Name: `a\nb`,
			Entries: []format.Entry{{Group: "files", Data: []byte(`\` + empty + `  a\\nb` + "\n")}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.op.Kind = format.Put
			got, err := open(t, raw.Defaults()).Parse(tt.op, formattest.NewBlob(nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverwritingIsASetting(t *testing.T) {
	for _, overwrite := range []bool{false, true} {
		p, err := open(t, raw.Settings{Overwrite: overwrite}).Parse(format.Op{Name: "a"}, formattest.NewBlob(nil), nil)
		if err != nil || p.Overwrites != overwrite {
			t.Errorf("with overwrite: %t, a package overwrites: %t (%v)", overwrite, p.Overwrites, err)
		}
	}
}

// The names are those that a shell, a checksum tool or a reader of ours could stumble over.
func TestSHA256SumReadsEveryName(t *testing.T) {
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Fatal("sha256sum is not installed: apt-get install coreutils")
	}
	f := open(t, raw.Defaults())
	for _, name := range []string{
		"plain", "with space", " leads with one", "ends with one ", "*", "*binary", "-", "--check", "#comment", `back\slash`,
		`\`, `\n`, `\\`, "näme", "SHA256 (x) = y", "'quoted'", "a  b",
	} {
		t.Run(name, func(t *testing.T) {
			check := func(content string) error {
				p, err := f.Parse(format.Op{Kind: format.Put, Name: name}, formattest.NewBlob([]byte("content")), nil)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				for file, data := range map[string][]byte{name: []byte(content), "SHA256SUMS": p.Entries[0].Data} {
					if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command(program, "--check", "--strict", "SHA256SUMS")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				t.Logf("%s", out)
				return err
			}
			if err := check("content"); err != nil {
				t.Errorf("the file is refused: %v", err)
			}
			if err := check("another"); err == nil {
				t.Error("another file under the name is accepted")
			}
		})
	}
}
