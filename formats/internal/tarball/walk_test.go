package tarball_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

// archive packs headers, each with as many bytes as it says.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func walk(data []byte, l tarball.Limits) (names []string, err error) {
	err = tarball.Walk(bytes.NewReader(data), l, func(h *tar.Header, r io.Reader) error {
		names = append(names, h.Name)
		n, err := io.Copy(io.Discard, r)
		if err == nil && n != h.Size {
			return errors.New("the size is wrong")
		}
		return err
	})
	return names, err
}

func TestWalkVisitsEntriesInTheirOrder(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name"
	data := archive(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./control", Size: 700},
		tar.Header{Name: "usr/", Typeflag: tar.TypeDir}, tar.Header{Name: "./usr/", Typeflag: tar.TypeDir},
		tar.Header{Name: "usr/link", Typeflag: tar.TypeSymlink, Linkname: "../etc"}, tar.Header{Name: long, Size: 1})
	names, err := walk(data, tarball.Limits{})
	want := []string{".", "control", "usr", "usr", "usr/link", long}
	if err != nil || strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := walk(append(data, make([]byte, 9000)...), tarball.Limits{}); err != nil || len(names) != len(want) {
		t.Errorf("with zeros after its end: %q, %v", names, err)
	}
}

func TestWalkRefusesWhatReadersTakeDifferently(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Size: 3} }
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"a name that comes twice", archive(t, file("control"), file("control")), "twice"},
		{"a name that comes twice in two forms", archive(t, file("control"), file(".//control")), "twice"},
		{"a folder with the name of a file", archive(t, file("a"), tar.Header{Name: "a/", Typeflag: tar.TypeDir}), "twice"},
		{"a file with the name of a folder", archive(t, tar.Header{Name: "a/", Typeflag: tar.TypeDir}, file("a")), "twice"},
		{"a name that leads upwards", archive(t, file("a/../../b")), "upwards"},
		{"a name that is ..", archive(t, tar.Header{Name: "..", Typeflag: tar.TypeDir}), "upwards"},
		{"an absolute name", archive(t, file("/etc/passwd")), "absolute"},
		{"a newline in a name", archive(t, file("a\nb")), "control character"},
		{"a newline in a link's target", archive(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b\nc"}), "control character"},
		{"settings for all that follows", archive(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "b"}}, file("a")), "of a kind"},
		{"nothing", nil, "no tar archive"},
		{"zeros alone", make([]byte, 1024), "no tar archive"},
		{"text", []byte(strings.Repeat("Origin: Debian\n", 100)), "not a tar archive"},
		{"something after the end", append(archive(t, file("a")), archive(t, file("b"))...), "follows the end"},
		{"an end in the middle", archive(t, file("a"))[:514], "cut off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := walk(tt.data, tarball.Limits{}); !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWalkKeepsItsLimits(t *testing.T) {
	data := archive(t, tar.Header{Name: "abc", Size: 100}, tar.Header{Name: "def", Size: 1})
	if _, err := walk(data, tarball.Limits{Entries: 2, Name: 3, Size: 100}); err != nil {
		t.Error(err)
	}
	for _, l := range []tarball.Limits{{Entries: 1}, {Name: 2}, {Size: 99}} {
		if _, err := walk(data, l); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestWalkRefusesSparseFiles(t *testing.T) {
	for _, form := range []string{"gnu", "posix"} {
		cmd := exec.Command("sh", "-c", `truncate -s 1M hole && printf x >>hole && exec tar --sparse --format=`+form+` -c hole`)
		cmd.Dir = t.TempDir()
		data, err := cmd.Output()
		if err != nil {
			t.Fatalf("GNU tar makes no sparse file: apt-get install tar: %v", err)
		}
		if len(data) > 1<<19 {
			t.Fatalf("%s: tar wrote the hole out: TMPDIR needs a file system that keeps holes", form)
		}
		if _, err := walk(data, tarball.Limits{}); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestWalkPassesErrorsOfOthersOn(t *testing.T) {
	data := archive(t, tar.Header{Name: "abc", Size: 100})
	enough := errors.New("enough")
	if err := tarball.Walk(bytes.NewReader(data), tarball.Limits{}, func(*tar.Header, io.Reader) error { return enough }); err != enough {
		t.Errorf("of visit: %v", err)
	}
	for _, n := range []int{0, 100, 512, 600, 1024} {
		r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(enough))
		err := tarball.Walk(r, tarball.Limits{}, func(_ *tar.Header, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if !errors.Is(err, enough) || errors.Is(err, format.ErrMalformed) {
			t.Errorf("of the source after %d bytes: %v", n, err)
		}
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "./control", Size: 700}, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}))
	f.Add(archive(f, tar.Header{Name: strings.Repeat("n", 200), Size: 5, Format: tar.FormatPAX, PAXRecords: map[string]string{"comment": "x"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := walk(data, tarball.Limits{Entries: 20, Size: 1 << 16})
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("a fault of the archive was taken for one of ours: %v", err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") || strings.ContainsAny(name, "\n\x00") {
				t.Errorf("visited %q", name)
			}
		}
	})
}
