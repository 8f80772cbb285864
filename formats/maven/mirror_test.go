package maven_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/maven"
)

func TestScopeIsTheFolderOfTheIndex(t *testing.T) {
	f := open(t, maven.Defaults())
	for p, want := range map[string]string{
		"com/example/app/1.0/app-1.0.jar":                     "com/example/app",
		"com/example/app/1.0/app-1.0.jar.author.asc":          "com/example/app",
		"com/example/app/1.0/app-1.0.pom.sha1":                "com/example/app",
		"com/example/app/1-SNAPSHOT/app-1-SNAPSHOT.jar":       "com/example/app/1-SNAPSHOT",
		"com/example/app/1-SNAPSHOT/maven-metadata.xml":       "com/example/app/1-SNAPSHOT",
		"com/example/app/maven-metadata.xml.asc":              "com/example/app",
		"com/example/maven-metadata.xml":                      "com/example",
		"com/example/app/maven-metadata.upstream.xml":         "",
		"com/example/app/1.0/app-2.0.jar":                     "",
		"com/example/app/1.0/":                                "",
		"checksums.sha256":                                    "",
		"maven-metadata.xml":                                  "",
		"com/example/../app/maven-metadata.xml":               "",
		"com/example/app/1.0/app-1.0.jar/app-1.0.jar/app.jar": "",
	} {
		if got, ok := f.Scope(p); got != want && ok || ok != (want != "") {
			t.Errorf("%s is in %q, %t", p, got, ok)
		}
	}
}

// With a key, an upstream must say what it has. Where that is the matter, and not that it has nothing, whoever asks is told.
func TestAKeyNeedsAnUpstreamThatSigns(t *testing.T) {
	f := open(t, maven.Defaults())
	u := &formattest.Tree{Key: "they", Files: map[string][]byte{"com/example/app/maven-metadata.xml": []byte("<metadata/>")}}
	if _, err := f.Follow(u, "com/example/app"); !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), "trust: unverified") {
		t.Errorf("a plain server with a key gets %v", err)
	}
	if _, err := f.Follow(u, "com/example/other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that it does not have gets %v", err)
	}
}

func TestWhatAnUpstreamSaysIsReadStrictly(t *testing.T) {
	f := open(t, maven.Defaults())
	follow := func(text string) ([]format.Foreign, error) {
		u := &formattest.Tree{Files: map[string][]byte{"com/example/app/maven-metadata.xml": []byte(text)}}
		_, files, err := u.Describe(f, "com/example/app")
		return files, err
	}
	for what, text := range map[string]string{
		"no XML":            "junk",
		"a document type":   "<!DOCTYPE metadata><metadata/>",
		"another document":  "<project/>",
		"something behind":  "<metadata/><metadata/>",
		"a version in vain": "<metadata><versioning><versions><version>1</versions></versioning></metadata>",
	} {
		if _, err := follow(text); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s gets %v", what, err)
		}
	}
	files, err := follow("<metadata><versioning><versions><version>1</version><version>../2</version><version>a b</version></versions>" +
		"<lastUpdated>yesterday</lastUpdated></versioning><plugins><plugin><prefix>p</prefix><artifactId>a</artifactId></plugin>" +
		"<plugin><prefix>/</prefix><artifactId>a</artifactId></plugin></plugins></metadata>")
	if err != nil || len(files) != 1 {
		t.Fatalf("%+v, %v", files, err)
	}
	if got := string(files[0].Entries[0].Data); strings.Contains(got, "..") || strings.Contains(got, " ") || strings.Contains(got, "yesterday") ||
		strings.Contains(got, `"/"`) || !strings.Contains(got, `"Versions":["1"]`) {
		t.Errorf("what was taken over is %s", got)
	}
}
