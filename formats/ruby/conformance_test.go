package ruby_test

import (
	"fmt"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/ruby"
)

func TestConformance(t *testing.T) {
	for _, settings := range []ruby.Settings{ruby.Defaults(), {SignPackages: "always"}, {SignPackages: "never"}} {
		t.Run(fmt.Sprintf("with %+v", settings), func(t *testing.T) { formattest.Run(t, subject(t, settings)) })
	}
}

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f, ruby.Defaults())) }

func open(tb testing.TB, s ruby.Settings) *ruby.Format {
	tb.Helper()
	f, err := ruby.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func upload(tb testing.TB, s spec) formattest.Upload {
	tb.Helper()
	return formattest.Upload{Path: s.path(), Body: s.build(tb)}
}

func subject(tb testing.TB, settings ruby.Settings) formattest.Subject {
	pushed := upload(tb, spec{name: "pushed", version: "1.0", platform: "ruby", needs: []string{"pkga", "pkgb"}})
	early := spec{name: "pkga", version: "2.0.rc1", platform: "ruby"}
	return formattest.Subject{
		Format:   open(tb, settings),
		Versions: []string{"1.0", "1.10.0"},
		Archs:    []string{"ruby", "x86_64-linux"},
		Upload: func(tb testing.TB, name, version, arch string) formattest.Upload {
			return upload(tb, spec{name: name, version: version, platform: arch, needs: []string{"rake"}})
		},
		Extra: []formattest.Upload{
			{Method: "POST", Path: "api/v1/gems", Type: "application/octet-stream", Body: pushed.Body},
			upload(tb, early),
		},
		Malformed: malformed(tb),
		Attacks:   map[string]formattest.Upload{"a gem called versions": upload(tb, spec{name: "versions", version: "1", platform: "ruby"})},
		Client:    follow,
		Verify:    verifyHigh,
	}
}

// malformed returns gems that are none, by what is wrong with them.
func malformed(tb testing.TB) map[string]formattest.Upload {
	good := spec{name: "good", version: "1.0", platform: "ruby"}
	at := func(body []byte) formattest.Upload { return formattest.Upload{Path: good.path(), Body: body} }
	metadata := func(text string) formattest.Upload {
		return at(pack(tb, gemParts(tb, zip(tb, []byte(text)), good.parts(tb)[1].data)...))
	}
	changed := func(old, text string) formattest.Upload {
		if !strings.Contains(good.yaml(), old) {
			tb.Fatalf("the gemspec has no %q", old)
		}
		return metadata(strings.Replace(good.yaml(), old, text, 1))
	}
	parts := good.parts(tb)
	data := func(parts ...part) formattest.Upload {
		return at(pack(tb, gemParts(tb, zip(tb, []byte(good.yaml())), zip(tb, pack(tb, parts...)))...))
	}
	return map[string]formattest.Upload{
		"another name than the address":     {Path: "gems/other-1.0.gem", Body: good.build(tb)},
		"another platform than the address": {Path: "gems/good-1.0-java.gem", Body: good.build(tb)},
		"no metadata":                       at(pack(tb, parts[1:]...)),
		"no data":                           at(pack(tb, parts[0], parts[2])),
		"a file more":                       at(pack(tb, append(parts, part{"evil", nil})...)),
		"metadata twice":                    at(pack(tb, append(parts, parts[0])...)),
		"checksums of other files":          at(pack(tb, parts[0], part{"data.tar.gz", zip(tb, pack(tb, part{"x", nil}))}, parts[2])),
		"signatures without a chain":        at(pack(tb, append(parts, part{"metadata.gz.sig", []byte("x")})...)),
		"data that is no archive":           at(pack(tb, gemParts(tb, parts[0].data, zip(tb, []byte("x")))...)),
		"data that is not compressed":       at(pack(tb, gemParts(tb, parts[0].data, pack(tb, part{"a", nil}))...)),
		"data that leads upwards":           data(part{"../evil", nil}),
		"data with an absolute name":        data(part{"/evil", nil}),
		"a bomb as metadata":                at(pack(tb, gemParts(tb, zip(tb, []byte(good.yaml()+strings.Repeat(" ", 4<<20))), parts[1].data)...)),
		"a list bomb as metadata":           metadata(good.yaml() + "x: [" + strings.Repeat("a,", 1<<19) + "]\n"),
		"deep metadata":                     metadata(good.yaml() + "x: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n"),
		"aliases of aliases": metadata(good.yaml() + "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\n" +
			"d: [*c,*c,*c,*c,*c,!ruby/object:Object {}]\n"),
		"an object of another class":       changed("metadata: {}", "metadata: !ruby/object:Gem::Installer {}"),
		"a hash of another class":          changed("metadata: {}", "metadata: !ruby/hash:Evil {}"),
		"a name twice":                     metadata(good.yaml() + "name: evil\n"),
		"a merge":                          metadata(good.yaml() + "<<: {}\n"),
		"a second document":                metadata(good.yaml() + "---\nname: evil\n"),
		"no gemspec":                       metadata("--- {}\n"),
		"an empty gemspec":                 metadata(""),
		"a name that leads upwards":        changed("name: good", "name: ../good"),
		"a name with a newline":            changed("name: good", `name: "good\nevil 1 x"`),
		"a name with a blank":              changed("name: good", "name: good evil"),
		"a name that is a number":          changed("name: good", "name: 12"),
		"a name of a signature":            changed("name: good", "name: good.asc"),
		"a version that is a number":       changed("version: '1.0'", "version: 1.0"),
		"a version with a dash":            changed("version: '1.0'", "version: 1.0-evil"),
		"a version that leads upwards":     changed("version: '1.0'", "version: 1/../../x"),
		"no version":                       changed("version: '1.0'", "version:"),
		"a platform with a slash":          changed("platform: ruby", "platform: a/b"),
		"an operator that there is not":    changed(`- ">="`, `- "=>"`),
		"a constraint with a newline":      changed("version: '2.0'", `version: "2.0\n3"`),
		"dependencies that are no list":    changed("dependencies: []", "dependencies: evil"),
		"a dependency with a strange name": changed("dependencies: []", "dependencies:\n- !ruby/object:Gem::Dependency\n  name: \"a:>= 0,b\"\n"),
		"metadata in UTF-16":               metadata("\xff\xfe-\x00-\x00"),
	}
}

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f, ruby.Defaults())) }
