package manifest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hallmark/proxy/oci/manifest"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

	config = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + digestA + `","size":2}`
	layer  = `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + digestB + `","size":3}`
	image  = `"schemaVersion":2,"config":` + config + `,"layers":[` + layer + `]`
	entry  = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digestA + `","size":2}`
	index  = `"schemaVersion":2,"manifests":[` + entry + `]`
)

func TestParseReadsWhatTheManifestSays(t *testing.T) {
	body := `{
		"schemaVersion": 2,
		"mediaType": "application/vnd.oci.image.manifest.v1+json",
		"artifactType": "application/vnd.acme",
		"config": ` + config + `,
		"layers": [{"mediaType":"text/plain","digest":"` + digestB + `","size":9223372036854775807,"annotations":{"A":"1","a":"2"},"urls":["https://example.com"],"data":"e30="}],
		"subject": ` + entry + `,
		"annotations": {"k": "v"},
		"unknown": {"Layers": [1, 2.5e3, null, true, {"x": {}}]}
	}`
	got, err := manifest.Parse("application/vnd.oci.image.manifest.v1+json; charset=utf-8", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := &manifest.Manifest{
		MediaType:    manifest.OCIManifest,
		ArtifactType: "application/vnd.acme",
		Digest:       got.Digest,
		Size:         int64(len(body)),
		Config:       &manifest.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digestA, Size: 2},
		Layers: []manifest.Descriptor{
			{MediaType: "text/plain", Digest: digestB, Size: 9223372036854775807, Annotations: map[string]string{"A": "1", "a": "2"}},
		},
		Subject:     &manifest.Descriptor{MediaType: manifest.OCIManifest, Digest: digestA, Size: 2},
		Annotations: map[string]string{"k": "v"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestParseDigestIsTheSHA256OfTheBody(t *testing.T) {
	m, err := manifest.Parse(manifest.OCIIndex, []byte(`{"schemaVersion":2,"manifests":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "sha256:bc5857ac9458293d5111ab85c952172cd7f56bceb4e3014ddc4cafac8927b313"
	if m.Digest != want {
		t.Errorf("digest = %s, want %s", m.Digest, want)
	}
}

func TestParseAcceptsWhatClientsPush(t *testing.T) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("testdata: %v, %d files", err, len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if m := load(t, filepath.Base(name)); m.Digest == "" {
				t.Error("no digest")
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for _, tt := range []struct{ name, contentType, body string }{
		{"an OCI manifest that leaves mediaType out", manifest.OCIManifest, `{` + image + `}`},
		{"a Content-Type in another case, as HTTP allows", "Application/VND.oci.image.manifest.v1+JSON", `{` + image + `}`},
		{"a missing Content-Type where the body names the type", "", `{"mediaType":"application/vnd.oci.image.manifest.v1+json",` + image + `}`},
		{"a manifest without layers", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"layers":[]}`},
		{"an empty index", manifest.OCIIndex, `{"schemaVersion":2,"manifests":[]}`},
		{"optional fields that are null", manifest.OCIManifest, `{"subject":null,"annotations":null,"artifactType":null,` + image + `}`},
		{"annotations that differ in case only", manifest.OCIManifest, `{"annotations":{"layers":"1","Layers":"2"},` + image + `}`},
		{"custom fields that differ in case only", manifest.OCIManifest, `{"custom":1,"Custom":2,` + image + `}`},
		{"descriptors of SHA-512", manifest.OCIIndex, `{"schemaVersion":2,"manifests":[` + strings.Replace(entry, digestA, "sha512:"+strings.Repeat("a", 128), 1) + `]}`},
		{"spaces around the object", manifest.OCIManifest, " \n{" + image + "}\r\n\t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := manifest.Parse(tt.contentType, []byte(tt.body)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const docker = manifest.DockerManifest
	oci := func(fields string) string { return `{` + fields + `}` }
	sized := func(size string) string {
		return oci(`"schemaVersion":2,"layers":[],"config":{"mediaType":"a/b","digest":"` + digestA + `","size":` + size + `}`)
	}
	digested := func(d string) string {
		return oci(`"schemaVersion":2,"layers":[],"config":{"mediaType":"a/b","digest":"` + d + `","size":1}`)
	}
	for _, tt := range []struct{ name, contentType, body, want string }{
		// What is no JSON object.
		{"an empty body", manifest.OCIManifest, ``, "unexpected end"},
		{"a body that is cut off", manifest.OCIManifest, `{` + image, "unexpected end"},
		{"a body that is not UTF-8", manifest.OCIManifest, oci(`"x":"` + "\xff" + `",` + image), "not UTF-8"},
		{"a byte order mark", manifest.OCIManifest, "\ufeff" + oci(image), "not one JSON value"},
		{"data after the object", manifest.OCIManifest, oci(image) + `{}`, "after top-level value"},
		{"a trailing comma", manifest.OCIManifest, oci(image + `,`), "not one JSON value"},
		{"a comment", manifest.OCIManifest, oci(image + `/**/`), "not one JSON value"},
		{"an array", manifest.OCIManifest, `[]`, "the manifest must be an object"},
		{"null", manifest.OCIManifest, `null`, "must be an object"},
		{"a string", manifest.OCIManifest, `"x"`, "the manifest must be an object"},
		{"nesting beyond 64 levels", manifest.OCIManifest, oci(`"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `,` + image), "nests deeper"},
		{"nesting beyond what encoding/json takes", manifest.OCIManifest, strings.Repeat("[", 20000), "not one JSON value"},

		// The type.
		{"no type at all", "", oci(image), "neither a Content-Type nor a mediaType"},
		{"a mediaType of another world without a Content-Type", "", oci(`"mediaType":"text/html",` + image), `mediaType "text/html"`},
		{"a Content-Type of another world", "application/json", oci(image), `Content-Type "application/json"`},
		{"a Content-Type that cannot be read", "application/", oci(image), "cannot be read"},
		{"two Content-Types in one", manifest.OCIManifest + ", " + manifest.OCIIndex, oci(image), "cannot be read"},
		{"a mediaType that is not the Content-Type", manifest.OCIIndex, oci(`"mediaType":"` + manifest.OCIManifest + `",` + image), "must be the same"},
		{"an index that is sent as a manifest", manifest.OCIManifest, oci(index), `the field "manifests"`},
		{"a mediaType in another case than the Content-Type", manifest.OCIManifest, oci(`"mediaType":"Application/vnd.oci.image.manifest.v1+json",` + image), "must be the same"},
		{"an empty mediaType", manifest.OCIManifest, oci(`"mediaType":"",` + image), "must be the same"},
		{"a Docker manifest without mediaType", docker, oci(image), "mediaType is missing"},
		{"a Docker list without mediaType", manifest.DockerList, oci(index), "mediaType is missing"},
		{"a signed schema 1 manifest", "application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1}`, "schema 1"},
		{"a schema 1 manifest under another type", docker, `{"schemaVersion":1,"name":"a","fsLayers":[]}`, "schema 1"},
		{"a manifest with the layers of schema 1 beside its own", manifest.OCIManifest, oci(`"fsLayers":[],` + image), "schema 1"},

		// Two types in one.
		{"manifests beside layers", manifest.OCIManifest, oci(image + `,"manifests":[]`), `the field "manifests"`},
		{"manifests that are null beside layers", manifest.OCIManifest, oci(image + `,"manifests":null`), `the field "manifests"`},
		{"layers in an index", manifest.OCIIndex, oci(index + `,"layers":[]`), `the field "layers"`},
		{"a config in an index", manifest.OCIIndex, oci(index + `,"config":` + config), `the field "config"`},
		{"blobs in an image", manifest.OCIManifest, oci(image + `,"blobs":[]`), `the field "blobs"`},
		{"layers in an artifact manifest", manifest.OCIArtifact, `{"mediaType":"` + manifest.OCIArtifact + `","artifactType":"a/b","layers":[]}`, `the field "layers"`},

		// What is missing.
		{"no schemaVersion", manifest.OCIManifest, `{"config":` + config + `,"layers":[]}`, "schemaVersion is missing"},
		{"schemaVersion 3", manifest.OCIManifest, `{"schemaVersion":3,"config":` + config + `,"layers":[]}`, "must be 2"},
		{"schemaVersion as a string", manifest.OCIManifest, `{"schemaVersion":"2","config":` + config + `,"layers":[]}`, "must be a number"},
		{"schemaVersion 2.0", manifest.OCIManifest, `{"schemaVersion":2.0,"config":` + config + `,"layers":[]}`, "whole number"},
		{"no config", manifest.OCIManifest, `{"schemaVersion":2,"layers":[]}`, "config is missing"},
		{"a config that is null", manifest.OCIManifest, `{"schemaVersion":2,"config":null,"layers":[]}`, "config is missing"},
		{"no layers", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `}`, "layers is missing"},
		{"layers that are null", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"layers":null}`, "layers is missing"},
		{"a layer that is null", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"layers":[null]}`, "layers[0] is null"},
		{"an index without manifests", manifest.OCIIndex, `{"schemaVersion":2}`, "manifests is missing"},
		{"an artifact manifest without artifactType", manifest.OCIArtifact, `{"mediaType":"` + manifest.OCIArtifact + `","blobs":[]}`, "artifactType is missing"},
		{"a descriptor without mediaType", manifest.OCIManifest, `{"schemaVersion":2,"config":{"digest":"` + digestA + `","size":1},"layers":[]}`, "config has no mediaType"},
		{"a descriptor without size", manifest.OCIManifest, `{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"` + digestA + `"},"layers":[]}`, "config has no size"},
		{"a descriptor without digest", manifest.OCIManifest, `{"schemaVersion":2,"config":{"mediaType":"a/b","size":1},"layers":[]}`, "config has the digest"},

		// Digests and sizes.
		{"a digest in upper case", manifest.OCIManifest, digested(strings.ToUpper(digestA)), "config has the digest"},
		{"a digest that is too short", manifest.OCIManifest, digested(digestA[:70]), "config has the digest"},
		{"a digest without algorithm", manifest.OCIManifest, digested(digestA[7:]), "config has the digest"},
		{"a digest of an unknown algorithm", manifest.OCIManifest, digested("md5:" + strings.Repeat("a", 32)), "unsupported digest algorithm"},
		{"a digest with a newline after it", manifest.OCIManifest, digested(digestA + `\n`), "config has the digest"},
		{"a subject with a bad digest", manifest.OCIManifest, oci(`"subject":` + strings.Replace(entry, digestA, "x", 1) + `,` + image), "subject has the digest"},
		{"a negative size", manifest.OCIManifest, sized("-1"), "config.size is -1"},
		{"a size with a point", manifest.OCIManifest, sized("1.0"), "whole number"},
		{"a size with an exponent", manifest.OCIManifest, sized("1e3"), "whole number"},
		{"a size of minus nothing", manifest.OCIManifest, sized("-0"), "whole number"},
		{"a size beyond 64 bits", manifest.OCIManifest, sized("9223372036854775808"), "more than 64 bits"},
		{"a size that is a string", manifest.OCIManifest, sized(`"1"`), "config.size must be a number"},
		{"a size that is null", manifest.OCIManifest, sized(`null`), "config.size must be a number"},

		// Fields of another kind than the specification's.
		{"layers that are an object", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"layers":{}}`, "layers must be an array"},
		{"a layer that is a string", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"layers":["x"]}`, "layers[0] must be an object"},
		{"an annotation that is a number", manifest.OCIManifest, oci(`"annotations":{"a":1},` + image), "annotations.a must be a string"},
		{"a platform that is a string", manifest.OCIIndex, oci(strings.Replace(index, `"size":2`, `"size":2,"platform":"linux"`, 1)), "manifests[0].platform must be an object"},
		{"data that is not base64", manifest.OCIManifest, oci(strings.Replace(image, `"size":3`, `"size":3,"data":"%"`, 1)), "layers[0].data is not base64"},

		// Names that parsers disagree on.
		{"layers twice", manifest.OCIManifest, oci(image + `,"layers":[]`), `the manifest has the field "layers" twice`},
		{"an annotation twice", manifest.OCIManifest, oci(`"annotations":{"a":"1","a":"2"},` + image), `annotations has the field "a" twice`},
		{"a name twice, once spelt with an escape", manifest.OCIManifest, oci(image + `,"l\u0061yers":[]`), `the field "layers" twice`},
		{"a name twice deep inside a custom field", manifest.OCIManifest, oci(`"x":[{"y":{"z":1,"z":1}}],` + image), `x[0].y has the field "z" twice`},
		{"layers and Layers", manifest.OCIManifest, oci(image + `,"Layers":[]`), `write "layers"`},
		{"Layers alone", manifest.OCIManifest, `{"schemaVersion":2,"config":` + config + `,"Layers":[]}`, `write "layers"`},
		{"layers with a long s, which folds to s", manifest.OCIManifest, oci(image + `,"layerſ":[]`), `write "layers"`},
		{"Manifests in an image", manifest.OCIManifest, oci(image + `,"Manifests":[]`), `write "manifests"`},
		{"Digest in a layer", manifest.OCIManifest, oci(strings.Replace(image, `"size":3`, `"size":3,"Digest":"`+digestA+`"`, 1)), `layers[0].Digest is read as "digest"`},
		{"SIZE in a config", manifest.OCIManifest, oci(strings.Replace(image, `"size":2`, `"size":2,"SIZE":4`, 1)), `config.SIZE is read as "size"`},
		{"Digest in a subject", manifest.OCIManifest, oci(`"subject":` + strings.Replace(entry, `"size":2`, `"size":2,"Digest":""`, 1) + `,` + image), `write "digest"`},
		{"Digest in an index entry", manifest.OCIIndex, oci(strings.Replace(index, `"size":2`, `"size":2,"dIgest":""`, 1)), `manifests[0].dIgest`},
		{"OS in a platform", manifest.OCIIndex, oci(strings.Replace(index, `"size":2`, `"size":2,"platform":{"os":"linux","OS":"windows"}`, 1)), `manifests[0].platform.OS is read as "os"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := manifest.Parse(tt.contentType, []byte(tt.body))
			if err == nil {
				t.Fatalf("accepted: %+v", m)
			}
			if !errors.Is(err, manifest.ErrInvalid) {
				t.Errorf("error does not wrap ErrInvalid: %v", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %q, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestParseErrorsStayOneShortLineOfASCII(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"a hostile name", `{"a\n\u001b[2J` + strings.Repeat("x", 1<<16) + `":{"b":1,"b":1}}`},
		{"a hostile way to the fault", strings.Repeat(`{"`+strings.Repeat("x", 200)+`":`, 60) + `{"b":1,"b":1}` + strings.Repeat(`}`, 60)},
		{"a hostile value", `{"schemaVersion":2,"mediaType":"` + strings.Repeat(`\n`, 1<<16) + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := manifest.Parse("", []byte(tt.body))
			if err == nil {
				t.Fatal("accepted")
			}
			text := err.Error()
			if len(text) > 1000 {
				t.Errorf("the error is %d bytes long", len(text))
			}
			for _, c := range text {
				if c < ' ' || c > '~' && c != '…' {
					t.Fatalf("the error contains %q: %s", c, text)
				}
			}
		})
	}
}

func TestReferrerTypeIsArtifactTypeElseTheConfigs(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"a bundle has an artifactType", "sigstore_bundle.json", "application/vnd.dev.sigstore.bundle.v0.3+json"},
		{"a Notary signature has a config type", "notation_signature.json", "application/vnd.cncf.notary.signature"},
		{"an artifact manifest has an artifactType", "oci_artifact_manifest.json", "application/vnd.example.sbom.v1"},
		{"an index has nothing", "oci_index.json", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := load(t, tt.file).ReferrerType(); got != tt.want {
				t.Errorf("ReferrerType() = %q, want %q", got, tt.want)
			}
		})
	}
}

// load parses a file of testdata by the Content-Type that its contents ask for.
func load(t testing.TB, file string) *manifest.Manifest {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	contentType := ""
	if file == "helm_chart.json" { // Helm leaves mediaType out
		contentType = manifest.OCIManifest
	}
	m, err := manifest.Parse(contentType, body)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", file, err))
	}
	return m
}
