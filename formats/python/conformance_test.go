package python_test

import (
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/python"
)

func TestConformance(t *testing.T) { formattest.Run(t, subject(t)) }

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f)) }

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f)) }

func open(tb testing.TB) *python.Format {
	tb.Helper()
	f, err := python.New(python.Defaults())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func subject(tb testing.TB) formattest.Subject {
	put := func(d dist) formattest.Upload { return formattest.Upload{Path: d.path(), Body: d.build(tb)} }
	formed := dist{name: "formed", version: "1.0", fields: "Requires-Python: >=3.8,<4\n"}
	s := formattest.Subject{
		Format: open(tb),
		Upload: func(tb testing.TB, name, version, arch string) formattest.Upload {
			d := dist{name: name, version: version, source: arch == ""}
			return formattest.Upload{Path: d.path(), Body: d.build(tb)}
		},
		Versions: []string{"1.0rc1", "1.0", "1.0.post1", "1!0.1"},
		Archs:    []string{"", "any"},
		Extra: []formattest.Upload{
			formed.form(tb, map[string]string{"gpg_signature": signature, "attestations": `[{"version":1}]`}),
			put(dist{name: "zipped", version: "2", source: true, zipped: true}),
			put(dist{name: "signed", version: "1.0"}),
			{Path: "simple/signed/signed-1.0-py3-none-any.whl.asc", Body: []byte(signature)},
			{Path: "simple/signed/signed-1.0-py3-none-any.whl/yanked", Body: []byte(`it <breaks> & "burns"`)},
		},
		Malformed: map[string]formattest.Upload{},
		Attacks:   map[string]formattest.Upload{},
		Client:    client,
	}
	for name, u := range bad(tb) {
		s.Malformed[name] = u
	}
	return s
}

// bad returns uploads that are refused, by what is wrong with them.
func bad(tb testing.TB) map[string]formattest.Upload {
	put := func(path string, d dist) formattest.Upload { return formattest.Upload{Path: path, Body: d.build(tb)} }
	good := dist{name: "foo", version: "1.0"}
	source := dist{name: "foo", version: "1.0", source: true}
	text := func(metadata string) formattest.Upload {
		d := good
		d.metadata = metadata
		return put(good.path(), d)
	}
	form := func(changes map[string]string) formattest.Upload { return good.form(tb, changes) }
	all := map[string]formattest.Upload{
		"the address is another project's":        put("simple/bar/foo-1.0-py3-none-any.whl", good),
		"the name is another project's":           put("simple/foo/bar-1.0-py3-none-any.whl", good),
		"the name says another version":           put("simple/foo/foo-1.1-py3-none-any.whl", good),
		"the version is none":                     put("simple/foo/foo-one-py3-none-any.whl", dist{name: "foo", version: "one"}),
		"the name has no tags":                    put("simple/foo/foo-1.0.whl", good),
		"the build tag begins with no digit":      put("simple/foo/foo-1.0-x1-py3-none-any.whl", good),
		"a wheel is called a source distribution": put(source.path(), good),
		"a source distribution is called a wheel": put(good.path(), source),
		"METADATA names another project":          text("Metadata-Version: 2.1\nName: bar\nVersion: 1.0\n"),
		"METADATA names another version":          text("Metadata-Version: 2.1\nName: foo\nVersion: 1.0.1\n"),
		"METADATA names two projects":             text("Metadata-Version: 2.1\nName: foo\nname: bar\nVersion: 1.0\n"),
		"METADATA has no version of its own":      text("Name: foo\nVersion: 1.0\n"),
		"METADATA is of a version to come":        text("Metadata-Version: 3.0\nName: foo\nVersion: 1.0\n"),
		"METADATA goes on where it must not":      text("Metadata-Version: 2.1\nName: foo\n bar\nVersion: 1.0\n"),
		"METADATA has a line that is no field":    text("Metadata-Version: 2.1\nName: foo\nwhat\nVersion: 1.0\n"),
		"METADATA has a control character":        text("Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nRequires-Python: >=3\x01\n"),
		"no METADATA":                             put(good.path(), dist{name: "foo", version: "1.0", without: "METADATA"}),
		"no RECORD":                               put(good.path(), dist{name: "foo", version: "1.0", without: "RECORD"}),
		"two folders of metadata":                 put(good.path(), dist{name: "foo", version: "1.0", more: map[string]string{"bar-1.dist-info/METADATA": "x"}}),
		"another project's folder of metadata":    put(good.path(), dist{name: "foo", version: "1.0", folder: "bar-1.0.dist-info"}),
		"METADATA twice":                          put(good.path(), dist{name: "foo", version: "1.0", more: map[string]string{"foo-1.0.dist-info/METADATA": "x"}}),
		"no PKG-INFO":                             put(source.path(), dist{name: "foo", version: "1.0", source: true, without: "PKG-INFO"}),
		"a source in another's folder":            put(source.path(), dist{name: "foo", version: "1.0", source: true, folder: "foo-1.1"}),
		"a source in two folders":                 put(source.path(), dist{name: "foo", version: "1.0", source: true, more: map[string]string{"bar/x": ""}}),
		"a source that is not compressed":         {Path: source.path(), Body: gunzipped(tb, source.build(tb))},
		"the form has another version":            form(map[string]string{"version": "1.0.1"}),
		"the form has another name":               form(map[string]string{"name": "bar"}),
		"the form has no name":                    form(map[string]string{"name": ""}),
		"the form has another kind of file":       form(map[string]string{"filetype": "sdist"}),
		"the form asks for something else":        form(map[string]string{":action": "submit"}),
		"the form is of another protocol":         form(map[string]string{"protocol_version": "2"}),
		"the form has two files":                  form(map[string]string{"content": "twice"}),
		"the form's SHA-256 is another file's":    form(map[string]string{"sha256_digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}),
		"the form's MD5 is another file's":        form(map[string]string{"md5_digest": "d41d8cd98f00b204e9800998ecf8427e"}),
		"the form's BLAKE2 is no digest":          form(map[string]string{"blake2_256_digest": "d41d8cd98f00b204e9800998ecf8427e"}),
		"the form's signature is none":            form(map[string]string{"gpg_signature": "signed, me"}),
		"the form's attestations are no array":    form(map[string]string{"attestations": `{"a":1}`}),
		"the form has an end before its end":      {Method: "POST", Type: "multipart/form-data; boundary=x", Body: []byte("--x--\r\n")},
		"the upload is no form":                   {Method: "POST", Type: "application/json", Body: []byte("{}")},
		"a signature that is none":                {Path: good.path() + ".asc", Body: []byte("x")},
		"a signature with something around it":    {Path: good.path() + ".asc", Body: []byte(signature + signature)},
		"a yank without a reason":                 {Path: good.path() + "/yanked"},
		"a yank with two lines":                   {Path: good.path() + "/yanked", Body: []byte("a\nb")},
	}
	return all
}
