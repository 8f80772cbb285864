package upstream_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/maven"
)

const (
	metadata = "g/a/maven-metadata.xml"
	jar      = "g/a/1.0/a-1.0.jar"
)

func listing(versions ...string) string {
	return "<metadata><versioning><versions><version>" + strings.Join(versions, "</version><version>") + "</version></versions></versioning></metadata>"
}

// newMaven returns a stand in front of a plain server with one artifact.
func newMaven(t *testing.T) *stand {
	t.Helper()
	f, err := maven.New(maven.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	s := newUnverified(t, f)
	s.server.set(map[string]string{metadata: listing("1.0"), jar: "the jar", jar + ".asc": "the author's", jar + ".sha1": "0123"})
	return s
}

// A file that is found under another name than the upstream's is looked for there again, too.
func TestAnAuthorsSignatureIsFoundUnderItsOwnName(t *testing.T) {
	s := newMaven(t)
	if _, err := s.get(jar + ".asc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the file is known, its signature gets %v", err)
	}
	if got := s.mustGet(jar); got != "the jar" {
		t.Errorf("the file is %q", got)
	}
	for range 2 {
		if got := s.mustGet(jar + ".asc"); !strings.HasPrefix(got, "-----BEGIN PGP SIGNATURE-----") {
			t.Errorf("our signature is %q", got)
		}
		if got := s.mustGet(jar + ".author.asc"); got != "the author's" {
			t.Errorf("the author's is %q", got)
		}
		if got := s.mustGet(jar + ".sha1"); got != "0123" {
			t.Errorf("the checksum is %q", got)
		}
		s.later()
	}
	s.server.set(map[string]string{jar + ".asc": "another"})
	s.later()
	if got := s.mustGet(jar + ".author.asc"); got != "another" {
		t.Errorf("the author's is %q, and should be another by now", got)
	}
	if list := s.mustGet("checksums.sha256"); strings.Count(list, "\n") != 2 {
		t.Errorf("the list of what was found is\n%s", list)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestAnUpstreamsVersionsAreListedBesideOurs(t *testing.T) {
	s := newMaven(t)
	versions := func(want ...string) {
		t.Helper()
		got := s.mustGet(metadata)
		for _, v := range want {
			if !strings.Contains(got, "<version>"+v+"</version>") {
				t.Errorf("%s is not listed:\n%s", v, got)
			}
		}
		if strings.Count(got, "<version>") != len(want) {
			t.Errorf("want %q:\n%s", want, got)
		}
	}
	versions("1.0")
	if _, err := s.put("g/a/0.9/a-0.9.pom", `<project><groupId>g</groupId><artifactId>a</artifactId><version>0.9</version></project>`); err != nil {
		t.Fatal(err)
	}
	versions("0.9", "1.0")
	s.server.set(map[string]string{metadata: listing("1.0", "2.0")})
	s.later()
	versions("0.9", "1.0", "2.0")
	if got := s.mustGet("g/a/maven-metadata.upstream.xml"); got != listing("1.0", "2.0") {
		t.Errorf("what the upstream says is %q", got)
	}
	s.server.set(map[string]string{metadata: "junk"})
	s.later()
	versions("0.9", "1.0", "2.0")
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}
