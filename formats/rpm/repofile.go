package rpm

import (
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
)

// Render returns [directory/]mirrorlist and [directory/]<repository>.repo, each for a directory that has had packages. The
// .repo at the top has a section for each directory, or one for the top as long as there is none.
func (f *Format) Render(s format.Site, op format.Op) (format.Document, error) {
	dir, name := path.Split(op.Document)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case name == mirrorlist:
		if there, err := has(s, dir); err != nil {
			return format.Document{}, err
		} else if !there {
			return format.Document{}, format.NotFoundf("there is no package in the directory %.200q yet", dir)
		}
		return format.Document{Type: "text/plain; charset=utf-8", Data: []byte(join(s.SnapshotURL, dir) + "/\n")}, nil
	case name == s.Repository+repoExtension && dir == "":
		dirs, err := directories(s)
		return format.Document{Type: "text/plain; charset=utf-8", Data: f.repoFile(s, dirs, mirrored)}, err
	case name == s.Repository+repoExtension:
		there, err := has(s, dir)
		if err != nil || there {
			return format.Document{Type: "text/plain; charset=utf-8", Data: f.repoFile(s, []string{dir}, mirrored)}, err
		}
	}
	return format.Document{}, format.NotFoundf("a repository of RPM packages has no document %.200q", op.Document)
}

// An access is how a client comes to a directory.
type access bool

const (
	// mirrored sends the client to a snapshot, so that what it fetches by several requests is of one generation.
	mirrored access = true
	// direct is for zypper, which keeps a list of mirrors for ten minutes and would see no news for so long.
	direct access = false
)

// repoFile returns the configuration of dnf and zypper for some directories.
func (f *Format) repoFile(s format.Site, dirs []string, a access) []byte {
	var b []byte
	for i, dir := range dirs {
		if i > 0 {
			b = append(b, '\n')
		}
		location := "baseurl=" + join(s.URL, dir) + "/"
		if a == mirrored {
			location = "mirrorlist=" + join(s.URL, dir) + "/" + mirrorlist
		}
		b = fmt.Appendf(b, "[%s]\nname=%s\n%s\nenabled=1\ngpgcheck=%d\nrepo_gpgcheck=1\ngpgkey=%s\n",
			section(s.Repository, dir), strings.TrimSpace(s.Repository+" "+dir), location, f.checked(s),
			s.KeysURL+"/"+strings.Join(keyFiles(s), " "+s.KeysURL+"/"))
	}
	return b
}

// checked is 1 if packages carry signatures by keys that are known. Without them, clients compare a package with its digest
// in the signed index.
func (f *Format) checked(s format.Site) int {
	if f.settings.SignPackages == never && s.Behind == nil || s.Behind != nil && s.Behind.PackageKeys == nil {
		return 0
	}
	return 1
}

// keyFiles are the names of the files with the keys that a client has to trust.
func keyFiles(s format.Site) []string {
	if s.Behind != nil && s.Behind.PackageKeys != nil {
		return []string{"openpgp.asc", "upstream.asc"}
	}
	return []string{"openpgp.asc"}
}

// section returns a name that no other directory of any repository has. dnf takes letters, digits and "- _ . :" in it;
// what else a directory may be called is written behind "::", which nothing else gives rise to.
func section(repository, dir string) string {
	name := "hallmark-" + repository
	if dir != "" {
		name += ":" + strings.NewReplacer("/", ":", "+", "::p", "~", "::t").Replace(dir)
	}
	return name
}

// directories returns all that have packages, or the top alone.
func directories(s format.Site) ([]string, error) {
	var dirs []string
	for shard, err := range s.Tree.Shards() {
		if err != nil {
			return nil, err
		}
		for _, group := range shard.Groups {
			if group.Name == primary && group.Count > 0 {
				dirs = append(dirs, shard.Shard)
			}
		}
	}
	if dirs == nil {
		dirs = []string{""}
	}
	return dirs, nil
}

// has reports whether a directory has, or had, packages.
func has(s format.Site, dir string) (bool, error) {
	for shard, err := range s.Tree.Shards() {
		if err != nil || shard.Shard == dir {
			return err == nil, err
		}
	}
	return false, nil
}

// join puts a directory behind a URL. No character of it had to be escaped.
func join(url, dir string) string {
	if dir == "" {
		return url
	}
	return url + "/" + dir
}
