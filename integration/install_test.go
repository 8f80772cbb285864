package integration

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"testing"

	"hallmark/integration/world"
)

// What a package manager fetches, as patterns of paths.
type goods struct {
	files   string   // packages
	indexes []string // each of which must be refused with a bit flipped
	signed  string   // what unsign makes unsigned
	unsign  func(pattern *regexp.Regexp) world.Interceptor
}

var (
	goodsOfRPM = goods{
		files:   `\.rpm$`,
		indexes: []string{`/repomd\.xml$`, `/repomd\.xml\.asc$`, `primary\.xml\.gz$`},
		signed:  `/repomd\.xml\.asc$`,
		unsign:  missing,
	}
	goodsOf = map[string]goods{
		"apt": {
			files:   `\.deb$`,
			indexes: []string{`/InRelease$`, `/(Packages\.gz|by-hash/.*)$`},
			signed:  `/(InRelease|Release\.gpg)$`,
			unsign:  missing,
		},
		"dnf":    goodsOfRPM,
		"zypper": goodsOfRPM,
		"apk": {
			files:   `\.apk$`,
			indexes: []string{`/APKINDEX\.tar\.gz$`},
			signed:  `/APKINDEX\.tar\.gz$`,
			unsign:  withoutSignature,
		},
		"pacman": {
			files:   `\.zst$`,
			indexes: []string{`/arch\.db$`, `/arch\.db\.sig$`},
			signed:  `/arch\.db\.sig$`,
			unsign:  missing,
		},
	}
)

// withoutSignature cuts the first member off a gzip file, in which apk's signatures are.
func withoutSignature(paths *regexp.Regexp) world.Interceptor {
	return world.Alter(paths, func(_ string, body []byte) []byte {
		r := bytes.NewReader(body)
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil
		}
		z.Multistream(false)
		io.Copy(io.Discard, z)
		return body[len(body)-r.Len():]
	})
}

// Every package manager, set up by the text that the repository serves, installs, upgrades and removes what is there,
// and refuses what somebody on the way has changed, or has signed by a key of his own.
func TestPackageManagersTakeWhatIsThereAndNothingElse(t *testing.T) {
	for _, m := range world.Managers() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			takesWhatIsThere(t, m, openDepot(t, packageRepositories))
		})
	}
}

// The same where bytes are kept on S3.
func TestPackageManagersTakeWhatIsOnS3AndNothingElse(t *testing.T) {
	for _, m := range world.Managers() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			s3 := world.StartS3(t)
			takesWhatIsThere(t, m, openDepotOn(t, s3.Storage(s3.URL), packageRepositories))
			if len(objects(t, s3)) == 0 {
				t.Error("there is nothing on S3")
			}
		})
	}
}

func takesWhatIsThere(t *testing.T, m world.Manager, d *depot) {
	g := goodsOf[m.Name]
	files := regexp.MustCompile(g.files)
	first, _ := d.build(t, m.Kind, "1.0.0")
	c := m.New(t)
	d.setup(t, m, c)
	must(t, c.Refresh(t))
	installs(t, c, first.Version, first)

	second, _ := d.build(t, m.Kind, "2.0.0")
	must(t, c.Refresh(t))
	installs(t, c, "", second)
	removes(t, c, "hello")

	d.Intercept(world.Flip(files))
	distrusts(t, "a package with one bit flipped", c.Install(t, "hello", ""))
	if has := c.Installed(t, "hello"); has != "" {
		t.Errorf("a package with one bit flipped is installed: %s", has)
	}
	older := first.Bytes(t)
	d.Intercept(world.Alter(files, func(string, []byte) []byte { return older }))
	distrusts(t, "an older package in place of the newest", c.Install(t, "hello", ""))
	d.Intercept(nil)
	installs(t, c, second.Version, second)

	third, address := d.build(t, m.Kind, "3.0.0")
	for _, index := range g.indexes {
		d.Intercept(world.Flip(regexp.MustCompile(index)))
		distrusts(t, index+" with one bit flipped", c.Refresh(t))
	}
	d.Intercept(g.unsign(regexp.MustCompile(g.signed)))
	distrusts(t, "an index without a signature", c.Refresh(t))
	if has := c.Installed(t, "hello"); has != second.Version {
		t.Errorf("%q is installed, and nothing good has come", has)
	}

	impostor := openDepot(t, packageRepositories)
	impostor.put(t, m.Kind, third)
	impostor.build(t, m.Kind, "4.0.0")
	// dnf, told yes to all, would take the keys of whoever serves them.
	d.Intercept(instead(t, impostor.URL, regexp.MustCompile(`^/(-/snapshots/)?`+repositoryOf(m.Kind)+`/`)))
	distrusts(t, "a repository with other keys", c.Refresh(t))
	d.Intercept(nil)
	must(t, c.Refresh(t))
	installs(t, c, third.Version, third)

	world.Delete(t, address, 204)
	must(t, c.Refresh(t))
	removes(t, c, "hello")
	absent(t, "a version that was deleted", c.Install(t, "hello", third.Version))

	stranger := m.New(t)
	d.Intercept(instead(t, impostor.URL, regexp.MustCompile("")))
	d.setup(t, m, stranger)
	must(t, stranger.Refresh(t))
	d.Intercept(instead(t, impostor.URL, regexp.MustCompile(`^/-/keys/`)))
	d.build(t, m.Kind, "5.0.0") // so that there is something new
	distrusts(t, "our repository, by somebody who has other keys", stranger.Refresh(t))
}
