package maven_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/maven"
)

// filled returns a house with some files, and what is served there.
func filled(t *testing.T, s maven.Settings, files ...string) (h *formattest.House, get func(string) string) {
	t.Helper()
	h = formattest.NewHouse(t, open(t, s))
	for i := 0; i < len(files); i += 2 {
		if err := h.Put(files[i], []byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	return h, func(p string) string {
		t.Helper()
		data, err := h.Fetch(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestMetadataOfAnArtifactASnapshotAndAGroup(t *testing.T) {
	const plugin = "<packaging>maven-plugin</packaging><name>Greets &amp; more</name>"
	h, get := filled(t, maven.Defaults(),
		at("app", "1.10", "app-1.10.pom"), string(pom("app", "1.10", "")),
		at("app", "1.9", "app-1.9.pom"), string(pom("app", "1.9", "")),
		at("app", "3", "app-3.jar"), "no pom, and so no version",
		at("app", "2-SNAPSHOT", "app-2-20260203.040506-1.pom"), string(pom("app", "2-SNAPSHOT", "")),
		at("app", "2-SNAPSHOT", "app-2-20260203.040506-1-sources.tar.gz"), "sources",
		at("app", "2-SNAPSHOT", "app-2-20260203.040507-2.pom"), string(pom("app", "2-SNAPSHOT", "")),
		at("greet-maven-plugin", "1", "greet-maven-plugin-1.pom"),
		strings.Replace(string(pom("greet-maven-plugin", "1", "")), "</project>", plugin+"</project>", 1),
	)
	for p, want := range map[string]string{
		"com/example/app/maven-metadata.xml": `<metadata modelVersion="1.1.0">
  <groupId>com.example</groupId>
  <artifactId>app</artifactId>
  <versioning>
    <latest>2-SNAPSHOT</latest>
    <release>1.10</release>
    <versions>
      <version>1.9</version>
      <version>1.10</version>
      <version>2-SNAPSHOT</version>
    </versions>
    <lastUpdated>20260203040507</lastUpdated>
  </versioning>
</metadata>
`,
		"com/example/app/2-SNAPSHOT/maven-metadata.xml": `<metadata modelVersion="1.1.0">
  <groupId>com.example</groupId>
  <artifactId>app</artifactId>
  <version>2-SNAPSHOT</version>
  <versioning>
    <snapshot>
      <timestamp>20260203.040507</timestamp>
      <buildNumber>2</buildNumber>
    </snapshot>
    <lastUpdated>20260203040507</lastUpdated>
    <snapshotVersions>
      <snapshotVersion>
        <extension>pom</extension>
        <value>2-20260203.040507-2</value>
        <updated>20260203040507</updated>
      </snapshotVersion>
      <snapshotVersion>
        <classifier>sources</classifier>
        <extension>tar.gz</extension>
        <value>2-20260203.040506-1</value>
        <updated>20260203040506</updated>
      </snapshotVersion>
    </snapshotVersions>
  </versioning>
</metadata>
`,
		"com/example/maven-metadata.xml": `<metadata modelVersion="1.1.0">
  <plugins>
    <plugin>
      <name>Greets &amp; more</name>
      <prefix>greet</prefix>
      <artifactId>greet-maven-plugin</artifactId>
    </plugin>
  </plugins>
</metadata>
`,
	} {
		if got := get(p); got != `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+want {
			t.Errorf("%s is\n%s", p, got)
		}
		if err := h.Trusted().Armored([]byte(get(p)), []byte(get(p+".asc"))); err != nil {
			t.Error(err)
		}
		for _, sum := range []string{".md5", ".sha1", ".sha256", ".sha512"} {
			if err := h.Put(p+sum, []byte("lies")); err != nil || get(p+sum) == "lies" {
				t.Errorf("a client's %s gets %v", p+sum, err)
			}
		}
		if err := h.Put(p, []byte("<lies/>")); err != nil || strings.Contains(get(p), "lies") {
			t.Errorf("a client's %s gets %v", p, err)
		}
	}
	for _, name := range []string{"1.10/app-1.10.pom", "1.9/app-1.9.pom", "2-SNAPSHOT/app-2-20260203.040506-1.pom", "2-SNAPSHOT/app-2-20260203.040507-2.pom"} {
		if err := h.Delete("com/example/app/" + name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Fetch("com/example/app/maven-metadata.xml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without any pom, the artifact's metadata gets %v", err)
	}
}

func TestChecksumsAreCompared(t *testing.T) {
	jar := at("app", "1", "app-1.jar")
	h, get := filled(t, maven.Defaults(), jar, "abc")
	for suffix, want := range map[string]string{
		".md5": "900150983cd24fb0d6963f7d28e17f72", ".sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
		".sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		if got := get(jar + suffix); got != want {
			t.Errorf("%s is %s", suffix, got)
		}
		if err := h.Put(jar+suffix, []byte(strings.ToUpper(want)+"  app-1.jar\n")); err != nil {
			t.Errorf("the right %s gets %v", suffix, err)
		}
		if err := h.Put(jar+suffix, []byte("0"+want[1:])); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("a wrong %s gets %v", suffix, err)
		}
	}
	if len(get(jar+".sha512")) != 128 {
		t.Error("the SHA-512 is none")
	}
	if err := h.Put(at("app", "1", "app-1.pom.sha1"), []byte("0")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a checksum of what is not there gets %v", err)
	}
}

func TestAnAuthorsSignatureStaysReadable(t *testing.T) {
	jar := at("app", "1", "app-1.jar")
	for _, tt := range []struct{ policy, authors, ours string }{
		{"ours", ".author.asc", ".asc"}, {"author", ".asc", ".hallmark.asc"},
	} {
		for _, first := range []bool{false, true} {
			files := []string{jar, "abc", jar + ".asc", armored}
			if first {
				files = append(files[2:], files[:2]...)
			}
			h, get := filled(t, maven.Settings{Signatures: tt.policy}, files...)
			if got := get(jar + tt.authors); got != armored {
				t.Errorf("signatures: %s: the author's is %q", tt.policy, got)
			}
			if got := get(jar + tt.ours); !strings.HasPrefix(got, "-----BEGIN PGP SIGNATURE-----") || got == armored {
				t.Errorf("signatures: %s: ours is %q", tt.policy, got)
			}
			if err := h.Put(jar+".asc.sha1", []byte("0")); err != nil {
				t.Errorf("a checksum of the author's signature gets %v", err)
			}
			if err := h.Put(jar+".asc", []byte(strings.Replace(armored, "iH", "iJ", 1))); err != nil {
				t.Errorf("a second signature of the author gets %v", err)
			}
			if err := h.Put(jar+".hallmark.asc", []byte(armored)); !errors.Is(err, format.ErrNotAllowed) {
				t.Errorf("a signature in the name of ours gets %v", err)
			}
		}
	}
	if _, err := maven.New(maven.Settings{Signatures: "theirs"}); err == nil {
		t.Error("signatures: theirs is taken")
	}
}

func TestASnapshotWithoutATimestampIsReplaced(t *testing.T) {
	jar := at("app", "1-SNAPSHOT", "app-1-SNAPSHOT.jar")
	h, get := filled(t, maven.Defaults(), jar, "first", jar, "second")
	if got := get(jar); got != "second" {
		t.Errorf("it is %q", got)
	}
	if got := get("com/example/app/1-SNAPSHOT/maven-metadata.xml"); !strings.Contains(got, "<value>1-SNAPSHOT</value>") {
		t.Errorf("its metadata is\n%s", got)
	}
	unique := at("app", "1-SNAPSHOT", "app-1-20260203.040506-1.jar")
	if err := h.Put(unique, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := h.Put(unique, []byte("second")); !errors.Is(err, formattest.ErrConflict) {
		t.Errorf("other bytes for a snapshot with a timestamp get %v", err)
	}
}

func TestThePomsThatThereAre(t *testing.T) {
	const head = "<project><modelVersion>4.0.0</modelVersion>"
	for what, text := range map[string]string{
		"all from its parent":        head + "<parent><groupId>com.example</groupId><artifactId>parent</artifactId><version>1</version></parent><artifactId>app</artifactId></project>",
		"with blanks":                head + "<groupId> com.example </groupId><artifactId>\n app</artifactId><version>1</version></project>\n\n<!-- the end -->\n",
		"in Latin-1":                 `<?xml version="1.0" encoding="ISO-8859-1"?>` + head + "<groupId>com.example</groupId><artifactId>app</artifactId><version>1</version><name>n\xe4me</name></project>",
		"with another plugin's keys": head + "<groupId>com.example</groupId><artifactId>app</artifactId><version>1</version><build><plugins><plugin><version>7</version></plugin></plugins></build></project>",
	} {
		h, _ := filled(t, maven.Defaults())
		if err := h.Put(at("app", "1", "app-1.pom"), []byte(text)); err != nil {
			t.Errorf("a pom %s is refused: %v", what, err)
		}
	}
	// A plugin of sbt has two poms: one with its bare name.
	h, get := filled(t, maven.Defaults(), "com/example/plug_2.12_1.0/1/plug-1.pom", string(pom("plug", "1", "")),
		"com/example/plug_2.12_1.0/1/plug_2.12_1.0-1.pom", string(pom("plug_2.12_1.0", "1", "")))
	if got := get("com/example/plug_2.12_1.0/maven-metadata.xml"); strings.Count(got, "<version>1</version>") != 1 {
		t.Errorf("its metadata is\n%s", got)
	}
	if err := h.Put("com/example/plug_2.12_1.0/2/plug-2.pom", pom("plug_2.12_1.0", "2", "")); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a pom under the wrong one of its names gets %v", err)
	}
}

func TestDocumentsNameTheKeysOfSidecarsAndTheGroups(t *testing.T) {
	_, get := filled(t, maven.Defaults(), at("app", "1", "app-1.pom"), string(pom("app", "1", "")), "org/other/lib/1/lib-1.jar", "no version")
	keyring, metadata, keysMap := get("verification-keyring.keys"), get("verification-metadata.xml"), get("pgpverify.keysmap")
	if strings.Count(keyring, "-----BEGIN PGP PUBLIC KEY BLOCK-----") != 2 {
		t.Errorf("the keyring is\n%s", keyring)
	}
	if strings.Count(metadata, `<trusting group="com.example">`) != 2 || strings.Contains(metadata, "org.other") ||
		!strings.Contains(metadata, "<verify-signatures>true</verify-signatures>") || !strings.Contains(metadata, `<key-servers enabled="false">`) {
		t.Errorf("Gradle's file is\n%s", metadata)
	}
	line := strings.Split(strings.TrimSpace(keysMap), "\n")[1]
	group, prints, _ := strings.Cut(line, " = ")
	if group != "com.example" || len(strings.Split(prints, ", ")) != 2 || strings.Contains(keysMap, "org.other") {
		t.Errorf("the keys map is\n%s", keysMap)
	}
	for _, print := range strings.Split(prints, ", ") {
		if !strings.Contains(metadata, fmt.Sprintf("id=%q", strings.TrimPrefix(print, "0x"))) {
			t.Errorf("Gradle's file does not have the key %s of the keys map", print)
		}
	}
}
