package maven_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/maven"
)

func TestConformance(t *testing.T) {
	for _, signatures := range []string{"ours", "author"} {
		t.Run("with signatures "+signatures, func(t *testing.T) {
			formattest.Run(t, subject(t, maven.Settings{Signatures: signatures}))
		})
	}
}

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f, maven.Defaults())) }

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f, maven.Defaults())) }

// group is where the test's artifacts are.
const group = "com/example"

const armored = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0=\n-----END PGP SIGNATURE-----\n"

// A package of the test is a jar, whose bytes nobody looks at. Poms, which make versions, and all else are in Extra.
func subject(tb testing.TB, settings maven.Settings) formattest.Subject {
	return formattest.Subject{
		Format:   open(tb, settings),
		Versions: []string{"1.9", "1.10"},
		Archs:    []string{"", "sources"},
		Upload: func(_ testing.TB, name, version, arch string) formattest.Upload {
			if arch != "" {
				arch = "-" + arch
			}
			return formattest.Upload{Path: at(name, version, name+"-"+version+arch+".jar"), Body: []byte(name + version + arch)}
		},
		Extra: []formattest.Upload{
			{Path: at("pkga", "1.9", "pkga-1.9.pom"), Body: pom("pkga", "1.9", "")},
			{Path: at("pkga", "1.10", "pkga-1.10.pom"), Body: pom("pkga", "1.10", "")},
			{Path: at("pkga", "1.10", "pkga-1.10.module"), Body: module("pkga", "1.10")},
			{Path: at("pkga", "1.10", "pkga-1.10.pom.asc"), Body: []byte(armored)},
			{Path: at("pkgb", "2-SNAPSHOT", "pkgb-2-20260203.040506-1.pom"), Body: pom("pkgb", "2-SNAPSHOT", "")},
			{Path: at("pkgb", "2-SNAPSHOT", "pkgb-2-20260203.040506-1.jar"), Body: []byte("first")},
			{Path: at("pkgb", "2-SNAPSHOT", "pkgb-2-20260203.040507-2.jar"), Body: []byte("second")},
			{Path: at("pkgb", "2-SNAPSHOT", "pkgb-2-SNAPSHOT-sources.jar"), Body: []byte("not unique")},
			{Path: at("pkgc-maven-plugin", "1", "pkgc-maven-plugin-1.pom"), Body: pom("pkgc-maven-plugin", "1", "maven-plugin")},
			{Method: "PUT", Path: group + "/pkga/maven-metadata.xml", Body: []byte("<metadata/>")},
		},
		Malformed: map[string]formattest.Upload{
			"another version in the name":     {Path: at("pkga", "1", "pkga-2.jar")},
			"a longer version in the name":    {Path: at("pkga", "1", "pkga-1.1.jar")},
			"another artifact in the name":    {Path: at("pkga", "1", "pkgb-1.jar")},
			"no extension":                    {Path: at("pkga", "1", "pkga-1")},
			"a file beside the folders":       {Path: group + "/pkga-1.jar"},
			"a file in the root":              {Path: "pkga-1.jar"},
			"a dot in a folder of the group":  {Path: "com.example/pkga/1/pkga-1.jar"},
			"a version like an index":         {Path: at("pkga", "maven-metadata.xml", "pkga-maven-metadata.xml.jar")},
			"a snapshot without its base":     {Path: at("pkga", "1-SNAPSHOT", "pkga-2-20260203.040506-1.jar")},
			"a snapshot without its number":   {Path: at("pkga", "1-SNAPSHOT", "pkga-1-20260203.040506.jar")},
			"a pom of another group":          {Path: "com/other/pkga/1/pkga-1.pom", Body: pom("pkga", "1", "")},
			"a pom of another artifact":       {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkgb", "1", "")},
			"a pom of another version":        {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkga", "2", "")},
			"a pom of an open version":        {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkga", "${revision}", "")},
			"a pom that is no XML":            {Path: at("pkga", "1", "pkga-1.pom"), Body: []byte("junk")},
			"an empty pom":                    {Path: at("pkga", "1", "pkga-1.pom")},
			"a pom with a document type":      {Path: at("pkga", "1", "pkga-1.pom"), Body: append([]byte("<!DOCTYPE project>"), pom("pkga", "1", "")...)},
			"a pom with entities":             {Path: at("pkga", "1", "pkga-1.pom"), Body: append([]byte(`<!DOCTYPE p [<!ENTITY v "1">]>`), pom("pkga", "&v;", "")...)},
			"a pom with an unknown entity":    {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkga", "&v;", "")},
			"a pom with two versions":         {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkga", "1</version><version>1", "")},
			"a pom with something behind":     {Path: at("pkga", "1", "pkga-1.pom"), Body: append(pom("pkga", "1", ""), "<project/>"...)},
			"a pom with text behind":          {Path: at("pkga", "1", "pkga-1.pom"), Body: append(pom("pkga", "1", ""), "x"...)},
			"a pom that is cut off":           {Path: at("pkga", "1", "pkga-1.pom"), Body: pom("pkga", "1", "")[:100]},
			"a deep pom":                      {Path: at("pkga", "1", "pkga-1.pom"), Body: bytes.Repeat([]byte("<project>"), 100_000)},
			"a pom in an unknown encoding":    {Path: at("pkga", "1", "pkga-1.pom"), Body: append([]byte(`<?xml version="1.0" encoding="UTF-7"?>`), pom("pkga", "1", "")...)},
			"a module of another version":     {Path: at("pkga", "1", "pkga-1.module"), Body: module("pkga", "2")},
			"a module that is no JSON":        {Path: at("pkga", "1", "pkga-1.module"), Body: []byte("{")},
			"a signature that is none":        {Path: at("pkga", "1", "pkga-1.jar.asc"), Body: []byte("signed")},
			"a bundle that is none":           {Path: at("pkga", "1", "pkga-1.jar.sigstore.json"), Body: []byte("[]")},
			"a signature of what cannot be":   {Path: at("pkga", "1", "pkga-2.jar.asc"), Body: []byte(armored)},
			"a checksum of what cannot be":    {Path: at("pkga", "1", "pkga-2.jar.sha1"), Body: []byte("0")},
			"a pom named like one of a group": {Path: "pkga/1/pkga-1.pom", Body: pom("pkga", "1", "")},
		},
		Attacks: map[string]formattest.Upload{
			"the index of a group":     {Path: at("maven-metadata", "1", "maven-metadata-1.xml"), Body: []byte("<metadata/>")},
			"a list of checksums":      {Path: at("checksums", "1", "checksums-1.sha256x"), Body: []byte(strings.Repeat("0", 64) + "  evil\n")},
			"a signature of the index": {Path: group + "/maven-metadata.xml.asc", Body: []byte(armored)},
		},
		Client: follow,
		Opaque: true,
	}
}

func open(tb testing.TB, s maven.Settings) *maven.Format {
	tb.Helper()
	f, err := maven.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func at(artifact, version, name string) string { return path.Join(group, artifact, version, name) }

func pom(artifact, version, packaging string) []byte {
	if packaging != "" {
		packaging = "<packaging>" + packaging + "</packaging>"
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>com.example</groupId><artifactId>` + artifact + `</artifactId><version>` + version + `</version>` + packaging + "</project>\n")
}

func module(artifact, version string) []byte {
	return fmt.Appendf(nil, `{"formatVersion":"1.1","component":{"group":"com.example","module":%q,"version":%q},"variants":[]}`, artifact, version)
}

// follow asks for the index of each artifact that there may be, as a client does that knows their names, and checks the files
// of the signed list.
func follow(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	signed := func(at string) ([]byte, error) {
		data, err := r.Fetch(at)
		if err != nil {
			return nil, err
		}
		signature, err := r.Fetch(at + ".asc")
		if err != nil {
			return nil, errors.New("no signature")
		}
		return data, r.Trusted.Armored(data, signature)
	}
	listed := map[string]bool{}
	folders := []string{group, group + "/pkgb/2-SNAPSHOT", group + "/pkgc-maven-plugin"}
	for _, c := range "abcduvyz" { // as the test calls them
		folders = append(folders, group+"/pkg"+string(c))
	}
	for _, folder := range folders {
		data, err := signed(folder + "/maven-metadata.xml")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		var m struct {
			ArtifactID string   `xml:"artifactId"`
			Versions   []string `xml:"versioning>versions>version"`
		}
		if err := xml.Unmarshal(data, &m); err != nil {
			return nil, err
		}
		for _, v := range m.Versions {
			listed[folder+"/"+v+"/"+m.ArtifactID+"-"+v+".pom"] = true
		}
	}
	list, err := signed("checksums.sha256")
	if err != nil {
		return nil, err
	}
	found := map[string][sha256.Size]byte{}
	for line := range strings.Lines(string(list)) {
		digest, at, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		data, err := r.Fetch(at)
		if err != nil {
			return nil, err
		}
		found[at] = sha256.Sum256(data)
		if sum := found[at]; hex.EncodeToString(sum[:]) != digest {
			return nil, fmt.Errorf("%s is not the file that was signed", at)
		}
		delete(listed, at)
	}
	for at := range listed {
		if !strings.Contains(at, "-SNAPSHOT") {
			return nil, fmt.Errorf("a version is listed whose pom %s is not", at)
		}
	}
	return found, nil
}
