package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// backends are the formats that a repository can have of its own, and in front of another's.
var backends = []struct {
	kind   world.Kind
	client string
	key    string // the file of the key that signs the index
	more   string // a further setting of the upstream, to which the path of that file is added
	newest bool   // of a name, the newest version alone is listed
	copies bool   // a package for all architectures is a file of each of them, in front
}{
	{kind: world.Deb, client: "apt", key: "openpgp.asc"},
	{kind: world.RPM, client: "dnf", key: "openpgp.asc", more: ", package_key: "},
	{kind: world.Alpine, client: "apk", key: "alpine.rsa.pub", copies: true},
	{kind: world.Arch, client: "pacman", key: "openpgp.asc", newest: true, copies: true},
}

// A repository in front of another Hallmark serves the packages of that, and no others, to clients which see no difference.
func TestBothBackendsServeTheSameTree(t *testing.T) {
	for _, row := range backends {
		name := repositoryOf(row.kind)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, row.client)
			hosted := openDepot(t, map[string]repository{name: {}})
			var packages []world.Built
			for _, p := range []world.Package{
				{Name: "hello", Version: "1.0.0"}, {Name: "hello", Version: "2.0.0"},
				{Name: "all", Version: "1.0.0", Arch: "all"}, {Name: "c++odd", Version: "1.0.0"},
			} {
				b := p.Build(t, row.kind)
				hosted.put(t, row.kind, b)
				if row.newest {
					packages = slices.DeleteFunc(packages, func(old world.Built) bool { return old.Name == b.Name })
				}
				packages = append(packages, b)
			}
			trees := func(d *depot, files *regexp.Regexp) map[string]string {
				t.Helper()
				all := d.tree(t, name, files)
				if !row.copies {
					return all
				}
				flat := map[string]string{}
				for p, data := range all {
					flat[path.Base(p)] = data
				}
				return flat
			}
			front := func(key string) *depot {
				more := row.more
				if more != "" {
					more += key
				}
				return openDepotUnready(t, map[string]repository{name: {
					upstream: fmt.Sprintf("{url: %s/%s, key: %s, refresh: 1ns%s}", hosted.URL, name, key, more),
				}})
			}
			second := front(hosted.key(t, name, row.key))
			files := regexp.MustCompile(goodsOf[row.client].files)

			c := m.New(t)
			second.setup(t, m, c)
			must(t, c.Refresh(t))
			for _, b := range packages {
				installs(t, c, b.Version, b)
			}
			want, got := trees(hosted, files), trees(second, files)
			if len(want) != len(packages) || !maps.Equal(got, want) {
				t.Errorf("behind there are %d files of %d packages\n%q\nand in front\n%q", len(want), len(packages),
					slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
			}

			third, address := hosted.build(t, row.kind, "3.0.0")
			must(t, c.Refresh(t))
			installs(t, c, "", third)
			world.Delete(t, address, http.StatusNoContent)
			must(t, c.Refresh(t))
			removes(t, c, "hello")
			absent(t, "a version that was deleted behind", c.Install(t, "hello", third.Version))
			if got, want := trees(second, files), trees(hosted, files); !maps.Equal(got, want) {
				t.Errorf("after a change there are behind\n%q\nand in front\n%q", slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
			}

			stranger := m.New(t)
			other := front(openDepot(t, map[string]repository{name: {}}).key(t, name, row.key))
			if err := stranger.Setup(t, other.setupText(t, name, row.client)); err == nil {
				err = stranger.Refresh(t)
				if err == nil {
					t.Error("an index that is not by upstream.key is served")
				}
			}
			if got := other.tree(t, name, files); len(got) > 0 {
				t.Errorf("without a good index there are %q", slices.Sorted(maps.Keys(got)))
			}
		})
	}
}

// tree returns the files of a repository whose paths match, with their bytes.
func (d *depot) tree(t *testing.T, name string, matching *regexp.Regexp) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for folders := []string{""}; len(folders) > 0; folders = folders[1:] {
		for _, n := range d.names(t, name+"/"+folders[0]) {
			path := folders[0] + n
			switch {
			case strings.HasSuffix(n, "/"):
				folders = append(folders, path)
			case matching.MatchString(path):
				all[path] = world.Get(t, d.URL+"/"+name+"/"+(&url.URL{Path: path}).EscapedPath())
			}
		}
	}
	return all
}

// names returns what is in a folder, which has one page.
func (d *depot) names(t *testing.T, folder string) (names []string) {
	t.Helper()
	status, body := world.Send(t, http.MethodGet, d.URL+"/"+(&url.URL{Path: folder}).EscapedPath(), nil, "Accept: application/json")
	if status == http.StatusNotFound {
		return nil
	}
	var doc struct {
		Names []struct{ Name string }
		Next  string
	}
	if err := json.NewDecoder(strings.NewReader(body)).Decode(&doc); err != nil && err != io.EOF || doc.Next != "" {
		t.Fatalf("%s: %d, %v: %s", folder, status, err, body)
	}
	for _, n := range doc.Names {
		names = append(names, n.Name)
	}
	return names
}
