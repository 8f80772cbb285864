package python

import "testing"

// The pairs are those of PEP 440 and of the tests of PyPA's packaging.
func TestVersionsHaveOneForm(t *testing.T) {
	for version, want := range map[string]string{
		"1.0": "1.0", "1.0.0": "1.0.0", "01.002": "1.2", "v1.0": "1.0", " 1.0\n": "1.0", "0!1": "1", "1!2.0": "1!2.0",
		"1.0dev": "1.0.dev0", "1.0.dev1": "1.0.dev1", "1.0-dev1": "1.0.dev1", "1.0DEV1": "1.0.dev1",
		"1.0a": "1.0a0", "1.0.a1": "1.0a1", "1.0-alpha_1": "1.0a1", "1.0beta": "1.0b0", "1.0c": "1.0rc0", "1.0pre2": "1.0rc2", "1.0-preview.3": "1.0rc3",
		"1.0rc1": "1.0rc1", "1.0-rc-1": "1.0rc1", "1.0post": "1.0.post0", "1.0-1": "1.0.post1", "1.0.r3": "1.0.post3", "1.0-rev4": "1.0.post4",
		"1.0.POST01": "1.0.post1", "1.0a1.post2.dev3": "1.0a1.post2.dev3", "1.0+AbC": "1.0+abc", "1.0+a_b-01.c": "1.0+a.b.1.c", "2020.10.1": "2020.10.1",
	} {
		if got, ok := canonical(version); !ok || got != want {
			t.Errorf("%q is %q, %t, want %q", version, got, ok, want)
		}
	}
	for _, version := range []string{"", "one", "1.", "1..0", "1.0+", "1.0+a+b", "1.0+-a", "1.0 1", "1.0x", "1!", "1.0.dev1.dev2", "1.0-", "=1.0", "1.0\n2"} {
		if got, ok := canonical(version); ok {
			t.Errorf("%q is taken for the version %q", version, got)
		}
	}
}

func TestNamesOfFilesAreThoseOfAProject(t *testing.T) {
	for _, tt := range []struct {
		project, file string
		want          release
	}{
		{"foo", "foo-1.0.tar.gz", release{version: "1.0"}},
		{"foo-bar", "foo-bar-1.0.zip", release{version: "1.0"}},
		{"foo-bar", "Foo.bar-1.0-1.tar.gz", release{version: "1.0.post1"}},
		{"foo-2", "foo-2-1.0.tar.gz", release{version: "1.0"}},
		{"foo", "foo-2-1.0.tar.gz", release{}},
		{"foo", "foobar-1.0.tar.gz", release{}},
		{"foo-bar", "foo_bar-1.0+cu118-cp311-cp311-linux_x86_64.whl", release{"1.0+cu118", "linux_x86_64"}},
		{"foo", "foo-1.0-1-py3-none-any.whl", release{"1.0", "any"}},
		{"foo", "foo-1.0-b1-py3-none-any.whl", release{}},
		{"foo", "foo-1.0-py3-none.whl", release{}},
		{"foo", "foo-1.0.egg", release{}},
		{"foo", "foo-1.0.metadata", release{}},
	} {
		got, ok := releaseOf(tt.project, tt.file)
		if ok != (tt.want != release{}) || ok && got != tt.want {
			t.Errorf("of %s, %s is %+v, %t, want %+v", tt.project, tt.file, got, ok, tt.want)
		}
	}
}
