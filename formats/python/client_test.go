package python_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hallmark/formats/formattest"
)

var (
	linkForm      = regexp.MustCompile(`<a href="([^"#]*)#sha256=([0-9a-f]{64})"([^>]*)>([^<]*)</a>`)
	attributeForm = regexp.MustCompile(` ([a-z-]+)="([^"]*)"`)
)

// A listed is what a page says of a file.
type listed struct {
	sum, requiresPython, metadata, yanked string
}

// names are the projects that a client installs: an installer knows them by their names.
var names = func() []string {
	all := []string{"formed", "zipped", "signed"}
	for c := 'a'; c <= 'z'; c++ {
		all = append(all, "pkg"+string(c))
	}
	return all
}()

// client installs every file of every project by its page, as pip and uv do, after gpgv has verified the page, which they do not.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	found := map[string][sha256.Size]byte{}
	var projects []string
	for _, name := range names {
		dir := "simple/" + name + "/"
		page, err := signed(r, dir, dir+"index.html")
		if errors.Is(err, errNoPage) {
			continue
		}
		if err != nil {
			return nil, err
		}
		projects = append(projects, name)
		links, err := readHTML(page)
		if err != nil {
			return nil, err
		}
		data, err := signed(r, dir+"index.json", dir+"index.json")
		if err != nil {
			return nil, err
		}
		files, err := readJSON(data, name)
		if err != nil {
			return nil, err
		}
		if !maps.Equal(links, files) {
			return nil, fmt.Errorf("the pages of %s differ: %v and %v", name, links, files)
		}
		for file, l := range links {
			data, err := r.Fetch(dir + file)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(data)
			if fmt.Sprintf("%x", sum) != l.sum {
				return nil, fmt.Errorf("%s is not the file that the page names", file)
			}
			found[dir+file] = sum
			if l.metadata == "" {
				continue
			}
			metadata, err := r.Fetch(dir + file + ".metadata")
			if err != nil {
				return nil, err
			}
			if fmt.Sprintf("%x", sha256.Sum256(metadata)) != l.metadata {
				return nil, fmt.Errorf("the metadata of %s are not those that the page names", file)
			}
		}
	}
	return found, checkProjects(r, projects)
}

var errNoPage = errors.New("there is no page")

// signed returns a page, by the address at which an installer asks for it.
func signed(r formattest.Repository, address, at string) ([]byte, error) {
	page, err := r.Fetch(address)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoPage
	}
	if err != nil {
		return nil, err
	}
	sig, err := r.Fetch(at + ".asc")
	if err != nil {
		return nil, err
	}
	return page, r.Trusted.Armored(page, sig)
}

// checkProjects looks whether the list of projects has these.
func checkProjects(r formattest.Repository, projects []string) error {
	slices.Sort(projects)
	page, err := signed(r, "simple/", "simple/index.html")
	if errors.Is(err, errNoPage) && len(projects) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	var inHTML, inJSON []string
	for _, m := range regexp.MustCompile(`<a href="([^"]*)/">([^<]*)</a>`).FindAllStringSubmatch(string(page), -1) {
		inHTML = append(inHTML, m[1])
	}
	data, err := signed(r, "simple/index.json", "simple/index.json")
	if err != nil {
		return err
	}
	var list struct{ Projects []struct{ Name string } }
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, p := range list.Projects {
		inJSON = append(inJSON, p.Name)
	}
	slices.Sort(inHTML)
	slices.Sort(inJSON)
	if !slices.Equal(inHTML, projects) || !slices.Equal(inJSON, projects) {
		return fmt.Errorf("the projects are %q, and the lists have %q and %q", projects, inHTML, inJSON)
	}
	return nil
}

func readHTML(page []byte) (map[string]listed, error) {
	all := map[string]listed{}
	for _, m := range linkForm.FindAllStringSubmatch(string(page), -1) {
		attributes := map[string]string{}
		for _, a := range attributeForm.FindAllStringSubmatch(m[3], -1) {
			attributes[a[1]] = html.UnescapeString(a[2])
		}
		if attributes["data-core-metadata"] != attributes["data-dist-info-metadata"] || attributes["data-gpg-sig"] != "true" || m[1] != m[4] {
			return nil, fmt.Errorf("the link %q", m[0])
		}
		all[m[1]] = listed{m[2], attributes["data-requires-python"],
			strings.TrimPrefix(attributes["data-core-metadata"], "sha256="), attributes["data-yanked"]}
	}
	return all, nil
}

func readJSON(data []byte, name string) (map[string]listed, error) {
	var page struct {
		Meta struct {
			Version string `json:"api-version"`
		}
		Name  string
		Files []struct {
			Filename, URL  string
			Hashes         struct{ SHA256 string }
			RequiresPython string                   `json:"requires-python"`
			CoreMetadata   *struct{ SHA256 string } `json:"core-metadata"`
			GPGSig         bool                     `json:"gpg-sig"`
			Yanked         any
		}
	}
	if err := json.Unmarshal(data, &page); err != nil {
		return nil, err
	}
	if page.Meta.Version != "1.0" || page.Name != name {
		return nil, fmt.Errorf("the page is one of %s, version %s", page.Name, page.Meta.Version)
	}
	all := map[string]listed{}
	for _, f := range page.Files {
		l := listed{sum: f.Hashes.SHA256, requiresPython: f.RequiresPython}
		if f.CoreMetadata != nil {
			l.metadata = f.CoreMetadata.SHA256
		}
		if reason, ok := f.Yanked.(string); ok {
			l.yanked = reason
		}
		if f.URL != f.Filename || !f.GPGSig {
			return nil, fmt.Errorf("the file %+v", f)
		}
		all[f.Filename] = l
	}
	return all, nil
}
