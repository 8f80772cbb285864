package helm_test

import (
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/helm"
)

func TestConformance(t *testing.T) { formattest.Run(t, subject(t)) }

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f)) }

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f)) }

func open(tb testing.TB) *helm.Format {
	tb.Helper()
	f, err := helm.New(helm.Defaults())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func subject(tb testing.TB) formattest.Subject {
	formed, raw := chart{name: "formed", version: "1.0.0"}, chart{name: "raw", version: "1.0.0"}
	return formattest.Subject{
		Format: open(tb),
		Upload: func(tb testing.TB, name, version, _ string) formattest.Upload {
			c := chart{name: name, version: version}
			return formattest.Upload{Path: c.file(), Body: c.build(tb)}
		},
		Versions: []string{"0.9.0", "1.0.0-rc.1", "1.0.0", "1.0.0+build", "v2", "10.0.0"},
		Archs:    []string{""},
		Extra: []formattest.Upload{
			posted(tb, "api/charts", [2]string{"chart", string(formed.build(tb))}, [2]string{"prov", formed.provenance(tb, "")}),
			{Method: "POST", Path: "api/charts", Body: raw.build(tb)},
			posted(tb, "api/prov", [2]string{"prov", raw.provenance(tb, "")}),
			{Path: raw.file() + ".prov", Body: []byte(raw.provenance(tb, ""))},
		},
		Malformed: bad(tb),
		Attacks:   map[string]formattest.Upload{},
		Client:    client,
		Verify:    verify,
	}
}

// bad returns uploads that are refused, by what is wrong with them.
func bad(tb testing.TB) map[string]formattest.Upload {
	good := chart{name: "foo", version: "1.0.0"}
	put := func(c chart) formattest.Upload { return formattest.Upload{Path: good.file(), Body: c.build(tb)} }
	text := func(yaml string) formattest.Upload { return put(chart{name: "foo", version: "1.0.0", yaml: yaml}) }
	prov := func(document string) formattest.Upload {
		return formattest.Upload{Method: "POST", Path: "api/prov", Body: []byte(document)}
	}
	const head = "apiVersion: v2\nname: foo\nversion: 1.0.0\n"
	ours := good.provenance(tb, "")
	all := map[string]formattest.Upload{
		"another name than the address's":    put(chart{name: "bar", version: "1.0.0"}),
		"another version than the address's": put(chart{name: "foo", version: "1.0.1"}),
		"another folder":                     put(chart{name: "foo", version: "1.0.0", folder: "bar"}),
		"two folders":                        put(chart{name: "foo", version: "1.0.0", more: [][2]string{{"bar/Chart.yaml", head}}}),
		"a file beside the folder":           put(chart{name: "foo", version: "1.0.0", more: [][2]string{{"foo.txt", ""}}}),
		"Chart.yaml twice":                   put(chart{name: "foo", version: "1.0.0", more: [][2]string{{"foo/Chart.yaml", head}}}),
		"a link":                             put(chart{name: "foo", version: "1.0.0", link: "foo/link"}),
		"a name with a backslash":            put(chart{name: "foo", version: "1.0.0", more: [][2]string{{`foo\Chart.yaml`, head}}}),
		"no Chart.yaml":                      put(chart{name: "foo", version: "1.0.0", yaml: "-"}),
		"Chart.yaml is empty":                text("# nothing\n"),
		"Chart.yaml is a list":               text("- a\n"),
		"Chart.yaml is a text":               text("a\n"),
		"two documents":                      text(head + "---\n" + head),
		"a key twice":                        text(head + "name: bar\n"),
		"a key twice below":                  text(head + "annotations: {a: b, \"a\": c}\n"),
		"an alias":                           text("apiVersion: v2\nname: &n foo\nversion: 1.0.0\ndescription: *n\n"),
		"a bomb of aliases":                  text(head + "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"),
		"a merge":                            text(head + "<<: {name: bar}\n"),
		"a tag":                              text("apiVersion: v2\nname: !!str foo\nversion: 1.0.0\n"),
		"a tag of its own":                   text(head + "description: !evil x\n"),
		"a key that is a list":               text(head + "? [a]\n: b\n"),
		"too many levels":                    text(head + "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n"),
		"a name that is a list":              text("apiVersion: v2\nname: [foo]\nversion: 1.0.0\n"),
		"no apiVersion":                      text("name: foo\nversion: 1.0.0\n"),
		"an apiVersion to come":              text("apiVersion: v3\nname: foo\nversion: 1.0.0\n"),
		"a name that is a path":              text("apiVersion: v2\nname: ../foo\nversion: 1.0.0\n"),
		"no version":                         text("apiVersion: v2\nname: foo\n"),
		"a version that is none":             text("apiVersion: v2\nname: foo\nversion: one\n"),
		"a prerelease with a zero in front":  text("apiVersion: v2\nname: foo\nversion: 1.0.0-01\n"),
		"another type":                       text(head + "type: virus\n"),
		"a control character":                text(head + "description: \"a\\e[31mb\"\n"),
		"a dependency without a name":        text(head + "dependencies: [{version: 1.0.0}]\n"),
		"a form without a chart":             posted(tb, "api/charts", [2]string{"prov", ours}),
		"a form with two charts":             posted(tb, "api/charts", [2]string{"chart", "a"}, [2]string{"chart", "b"}),
		"a form with something else":         posted(tb, "api/charts", [2]string{"chart", "a"}, [2]string{"evil", "b"}),
		"a form that is none":                {Method: "POST", Path: "api/charts", Type: "multipart/form-data; boundary=x", Body: []byte("x")},
		"a chart with another's provenance":  posted(tb, "api/charts", [2]string{"chart", string(good.build(tb))}, [2]string{"prov", chart{name: "bar", version: "1.0.0"}.provenance(tb, "")}),
		"a provenance of other bytes":        posted(tb, "api/charts", [2]string{"chart", string(good.build(tb))}, [2]string{"prov", good.provenance(tb, "files:\n  foo-1.0.0.tgz: sha256:"+strings.Repeat("0", 64)+"\n")}),
		"a provenance at another's address":  {Path: "bar-1.0.0.tgz.prov", Body: []byte(ours)},
		"a provenance that is not signed":    prov(strings.Replace(ours, "-----BEGIN PGP SIGNED MESSAGE-----\n", "", 1)),
		"a provenance behind something":      prov("x\n" + ours),
		"a provenance in front of another":   prov(ours + ours),
		"a provenance of one document":       prov(strings.Replace(ours, "\n...\n", "\n", 1)),
		"a provenance of three documents":    prov(good.provenance(tb, "files: {}\n...\nfiles: {}\n")),
		"a provenance of two files":          prov(good.provenance(tb, "files:\n  a-1.0.0.tgz: sha256:00\n  b-1.0.0.tgz: sha256:00\n")),
		"a provenance of a file twice":       prov(good.provenance(tb, "files:\n  a-1.0.0.tgz: sha256:00\n  a-1.0.0.tgz: sha256:00\n")),
		"a provenance with a short digest":   prov(good.provenance(tb, "files:\n  foo-1.0.0.tgz: sha256:00\n")),
		"a provenance of a path":             prov(good.provenance(tb, "files:\n  ../foo-1.0.0.tgz: sha256:"+strings.Repeat("0", 64)+"\n")),
		"a provenance with a dash in front":  prov(good.provenance(tb, "-files: {}\n")),
		"a provenance with another header":   prov(strings.Replace(ours, "Hash: SHA512", "Comment: x", 1)),
		"a provenance of endless length":     prov(good.provenance(tb, strings.Repeat("#", 600<<10)+"\n")),
	}
	return all
}
