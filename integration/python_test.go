package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// A pythonMachine is set up by the texts that the repository serves.
type pythonMachine struct {
	*world.Python
	verify string // the commands that they show
}

// pythonOf sets a machine up.
func (d *depot) pythonOf(t *testing.T) pythonMachine {
	t.Helper()
	p := pythonMachine{Python: world.NewPython(t)}
	for _, client := range []string{"pip", "uv", "twine"} {
		out := p.Command("sh").Run(t, "-c", "curl -fsS '"+d.URL+"/-/setup/python?client="+client+"' | sh")
		_, commands, ok := strings.Cut(out, "To verify the page")
		_, commands, found := strings.Cut(commands, "\n")
		if !ok || !found {
			t.Fatalf("the text shows nothing:\n%s", out)
		}
		p.verify = strings.Replace(commands, "Or a file of it, by its own signature:", "", 1)
	}
	return p
}

// verified runs the commands for a file of a project.
func (p pythonMachine) verified(t *testing.T, project, file string) error {
	t.Helper()
	return p.Setup(t, "set -e\nrm -rf /got\nmkdir /got\ncd /got\n"+strings.NewReplacer("PROJECT", project, "FILE", file).Replace(p.verify))
}

// uploads has an uploader send a file of ours, with others beside it.
func (d *depot) uploads(t *testing.T, p pythonMachine, uploader string, files ...string) (string, error) {
	t.Helper()
	must(t, p.Setup(t, "rm -rf /dist && mkdir /dist"))
	var there []string
	for _, f := range files {
		there = append(there, "/dist/"+filepath.Base(f))
		p.Copy(t, f, there[len(there)-1])
	}
	return p.Upload(t, uploader, d.URL+"/python/", there...)
}

// has wants a version to be installed by each installer, when it is asked for what is required.
func has(t *testing.T, p pythonMachine, requirement, want string) {
	t.Helper()
	for _, installer := range world.Installers {
		if _, err := p.Install(t, installer, requirement); err != nil {
			t.Errorf("%s: %v", installer, err)
		} else if got := p.Installed(t, installer, "hello"); got != want {
			t.Errorf("%s has installed %q, want %s", installer, got, want)
		}
	}
}

// refuses wants each installer to refuse what is required, and to say so in one of these words.
func refuses(t *testing.T, p pythonMachine, requirement string, words ...string) {
	t.Helper()
	must(t, p.Setup(t, "rm -rf /app"))
	for _, installer := range world.Installers {
		out, err := p.Install(t, installer, requirement)
		if err == nil {
			t.Errorf("%s has installed %s", installer, requirement)
			continue
		}
		said := false
		for _, w := range words {
			said = said || strings.Contains(strings.ToLower(out), w)
		}
		if !said {
			t.Errorf("%s refuses %s for another reason than %q:\n%s", installer, requirement, words, out)
		}
	}
}

// Each uploader's distributions are what each installer installs: the newest, one that is asked for, an upgrade. What was
// yanked is for those alone who ask for it, what was deleted for nobody, and what was tampered with is refused.
func TestPythonDistributionsAreUploadedAndInstalled(t *testing.T) {
	for _, uploader := range world.Uploaders {
		t.Run(uploader, func(t *testing.T) {
			t.Parallel()
			d := openDepot(t, map[string]repository{"python": {}})
			p := d.pythonOf(t)
			upload := func(files ...string) {
				t.Helper()
				_, err := d.uploads(t, p, uploader, files...)
				must(t, err)
			}
			first := world.PythonPackage{Name: "hello", Version: "1.0", Metadata: "Requires-Python: >=3.8\n"}
			upload(first.Wheel(t), first.Source(t))
			has(t, p, "hello", "1.0")
			upload(first.Wheel(t)) // the same bytes again
			upload(world.PythonPackage{Name: "hello", Version: "2.0"}.Wheel(t))
			has(t, p, "hello", "2.0")
			d.Reset()
			has(t, p, "Hello==1.0", "1.0")
			metadata := 0
			for _, r := range d.Requests() {
				if strings.HasSuffix(r.Path, ".whl.metadata") && r.Status == http.StatusOK {
					metadata++
				}
			}
			if metadata < len(world.Installers) {
				t.Errorf("metadata were asked for %d times", metadata)
			}

			upload(world.PythonPackage{Name: "hello", Version: "3.0", Metadata: "Requires-Python: >=4\n"}.Wheel(t))
			has(t, p, "hello", "2.0")
			second := d.address("/python/simple/hello/hello-2.0-py3-none-any.whl")
			if status, body := world.Send(t, http.MethodPut, second+"/yanked", []byte("it burns")); status != http.StatusCreated && status != http.StatusOK {
				t.Fatalf("a yank gets %d %s", status, body)
			}
			must(t, p.Setup(t, "rm -rf /app")) // uv keeps what it has
			has(t, p, "hello", "1.0")
			out, err := p.Install(t, "pip", "hello==2.0")
			if err != nil || !strings.Contains(out, "it burns") {
				t.Errorf("of what was yanked, pip says\n%s%v", out, err)
			}
			if status, body := world.Send(t, http.MethodDelete, second+"/yanked", nil); status != http.StatusOK {
				t.Fatalf("taking a yank back gets %d %s", status, body)
			}
			has(t, p, "hello", "2.0")

			other, err := os.ReadFile(world.PythonPackage{Name: "hello", Version: "1.0", Metadata: "Summary: another\n"}.Wheel(t))
			must(t, err)
			d.Intercept(world.Alter(regexp.MustCompile(`\.whl$`), func(string, []byte) []byte { return other }))
			refuses(t, p, "hello==1.0", "hash")
			d.Intercept(world.Flip(regexp.MustCompile(`\.whl\.metadata$`)))
			refuses(t, p, "hello==1.0", "hash")
			d.Intercept(nil)
			world.Delete(t, second, http.StatusNoContent)
			refuses(t, p, "hello==2.0", "no matching distribution", "no version of hello==2.0")
			has(t, p, "hello", "1.0")
		})
	}
}

// gpg verifies the pages, the files and the author's own signature, by the key of each.
func TestPythonSignaturesAreVerifiedByGPG(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"python": {}})
	other := openDepot(t, map[string]repository{"python": {}})
	p := d.pythonOf(t)
	author := world.NewOpenPGP(t, "ed25519")
	wheel := world.PythonPackage{Name: "hello", Version: "1.0"}.Wheel(t)
	author.Detach(t, wheel, wheel+".asc", true)
	_, err := d.uploads(t, p, "twine 4", wheel, wheel+".asc")
	must(t, err)
	later := world.PythonPackage{Name: "hello", Version: "2.0"}.Wheel(t)
	author.Detach(t, later, later+".asc", true)
	_, err = d.uploads(t, p, "uv", later)
	must(t, err)
	if status, body, _ := d.upload(t, d.address("/python/simple/hello/%s.asc", filepath.Base(later)), later+".asc"); status/100 != 2 {
		t.Errorf("an author's signature that comes later gets %d %s", status, body)
	}

	folder := d.address("/python/simple/hello/")
	for _, v := range world.Verifiers(t) {
		for name, key := range map[string]string{"index.html": "openpgp.gpg", "index.json": "openpgp.gpg", filepath.Base(wheel): "files.gpg"} {
			file, signature := fetched(t, folder+name), fetched(t, folder+name+".asc")
			must(t, v.Detached(t, d.key(t, "python", key), file, signature))
			wrong := map[string]string{"openpgp.gpg": "files.gpg", "files.gpg": "openpgp.gpg"}[key]
			if v.Detached(t, d.key(t, "python", key), altered(t, file), signature) == nil ||
				v.Detached(t, other.key(t, "python", key), file, signature) == nil ||
				v.Detached(t, d.key(t, "python", wrong), file, signature) == nil {
				t.Errorf("%s: %s is taken with one bit flipped, or by another key", v.Name(), name)
			}
		}
		for _, file := range []string{wheel, later} {
			signature := fetched(t, folder+filepath.Base(file)+".author.asc")
			must(t, v.Detached(t, author.Public(t), file, signature))
			if v.Detached(t, d.key(t, "python", "files.gpg"), file, signature) == nil {
				t.Errorf("%s: the author's signature of %s is ours", v.Name(), filepath.Base(file))
			}
		}
	}
	for _, name := range []string{"index.html", "index.json"} {
		all := fetched(t, d.address("/python/simple/%s", name))
		must(t, world.Verifiers(t)[0].Detached(t, d.key(t, "python", "openpgp.gpg"), all, fetched(t, d.address("/python/simple/%s.asc", name))))
	}
	must(t, p.verified(t, "hello", filepath.Base(wheel)))
	for _, what := range []string{`index\.html$`, `\.whl$`} {
		d.Intercept(world.Flip(regexp.MustCompile(what)))
		if err := p.verified(t, "hello", filepath.Base(wheel)); err == nil {
			t.Errorf("%s is taken with one bit flipped", what)
		}
		d.Intercept(nil)
	}
}

// What is wrong with a distribution is what its uploader reads.
func TestPythonUploadersShowWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"python": {}})
	p := d.pythonOf(t)
	renamed := world.PythonPackage{Name: "hello", Version: "1.0", File: "hello-1.1-py3-none-any.whl"}.Wheel(t)
	good := world.PythonPackage{Name: "hello", Version: "2.0"}
	_, err := d.uploads(t, p, "uv", good.Wheel(t))
	must(t, err)
	good.Metadata = "Summary: other bytes\n"
	conflict := good.Wheel(t)
	before := world.Get(t, d.address("/python/simple/hello/"))
	for _, uploader := range world.Uploaders {
		for file, sentence := range map[string]string{renamed: "hello-1.1", conflict: "is there already with other bytes"} {
			out, err := d.uploads(t, p, uploader, file)
			if said := strings.Join(strings.Fields(out), " "); err == nil || !strings.Contains(said, sentence) {
				t.Errorf("%s says of %s, %v:\n%s", uploader, filepath.Base(file), err, out)
			}
		}
	}
	if after := world.Get(t, d.address("/python/simple/hello/")); after != before {
		t.Errorf("what was refused is listed:\n%s", after)
	}
}
