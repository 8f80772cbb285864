package nuget_test

import (
	"bytes"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
)

func TestConformance(t *testing.T) { formattest.Run(t, subject(t)) }

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f)) }

func subject(tb testing.TB) formattest.Subject {
	s := formattest.Subject{
		Format:   open(tb),
		Versions: []string{"1.0.0-beta.2", "1.0.0"},
		Archs:    []string{""},
		Upload: func(tb testing.TB, name, version, _ string) formattest.Upload {
			return formattest.Upload{Path: at(name, version), Body: pkg{id: name, version: version}.build(tb)}
		},
		Extra: []formattest.Upload{
			form(tb, pkg{id: "Pushed.Package", version: "2.0.0.0"}.build(tb)),
			{Path: "v3/package/", Body: pkg{id: "Pushed.Package", version: "02.1+build"}.build(tb)},
			{Path: "v3/package/Put_Package.1.0.nupkg", Body: pkg{id: "Put_Package", version: "1.0"}.build(tb)},
			{Method: "DELETE", Path: "v3/package/Pushed.Package/2.0.0"},
			{Method: "POST", Path: "v3/package/Pushed.Package/2.0.0"},
			{Method: "DELETE", Path: "v3/package/Pushed.Package/2.1.0"},
		},
		Malformed: map[string]formattest.Upload{},
		Client:    client,
		Verify:    verify,
		Uncovered: uncovered,
		Unsigned: func(p string) bool {
			return !strings.HasSuffix(p, ".nupkg") && !strings.Contains(p, "/packages.jsonl")
		},
	}
	for what, build := range bad() {
		s.Malformed[what] = formattest.Upload{Path: "v3/package/", Body: build(tb)}
	}
	good := pkg{}.build(tb)
	for what, u := range map[string]formattest.Upload{
		"another id":                {Path: at("hello", "1.0.0"), Body: good},
		"another version":           {Path: at("hello.world", "1.0.1"), Body: good},
		"another file name":         {Path: "v3/package/hello.world.1.0.1.nupkg", Body: good},
		"no boundary":               {Path: "v3/package", Type: "multipart/form-data", Body: good},
		"a form that is none":       {Path: "v3/package", Type: "multipart/form-data; boundary=x", Body: good},
		"a form with two files":     {Path: "v3/package", Type: "multipart/form-data; boundary=x", Body: []byte(strings.Repeat("--x\r\nContent-Type: application/octet-stream\r\n\r\na\r\n", 2) + "--x--\r\n")},
		"a form without files":      {Path: "v3/package", Type: "multipart/form-data; boundary=x", Body: []byte("--x--\r\n")},
		"a form that is cut off":    {Path: "v3/package", Type: "multipart/form-data; boundary=x", Body: []byte("--x\r\n\r\na")},
		"an id that leads upwards":  {Method: "DELETE", Path: "v3/package/..%2f/1.0.0"},
		"a version that is none":    {Method: "DELETE", Path: "v3/package/hello/one"},
		"a version of five numbers": {Method: "POST", Path: "v3/package/hello/1.2.3.4.5"},
		"an id without a version":   {Method: "DELETE", Path: "v3/package/hello"},
	} {
		s.Malformed[what] = u
	}
	return s
}

// uncovered returns the sections of a package that hold the signature: what is not signed is what says so, its place in the
// archive, and some of CMS.
func uncovered(data []byte) []format.Section {
	local := bytes.LastIndex(data, []byte("PK\x03\x04"))
	directory := bytes.Index(data[local:], []byte("PK\x01\x02")) + local
	record := bytes.LastIndex(data, []byte("PK\x01\x02"))
	return []format.Section{
		{Offset: int64(local), Size: int64(directory - local)},
		{Offset: int64(record), Size: int64(len(data) - 22 - record)},
	}
}

// at returns the address of a package.
func at(id, version string) string {
	id, version = strings.ToLower(id), strings.ToLower(version)
	return "v3/flat/" + id + "/" + version + "/" + id + "." + version + ".nupkg"
}

// form returns an upload as nuget.exe sends it.
func form(_ testing.TB, body []byte) formattest.Upload {
	const boundary = "7ae49a9f-3e6c-4a5c-8b2b-1f0f1d1c2b3a"
	return formattest.Upload{
		Path: "v3/package/", Type: `multipart/form-data; boundary="` + boundary + `"`,
		Body: []byte("--" + boundary + "\r\nContent-Type: application/octet-stream\r\nContent-Disposition: form-data; name=package; filename=package.nupkg\r\n\r\n" +
			string(body) + "\r\n--" + boundary + "--\r\n"),
	}
}

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f)) }
