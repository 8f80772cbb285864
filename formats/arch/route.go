package arch

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// Route says what a request asks for. A package for all architectures is found under each: the path as it was asked for
// comes first, and its own second.
func (f *Format) Route(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	switch r.Method {
	case "GET":
		if name == "" {
			return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
		}
		return format.Op{Kind: format.Get, Paths: candidates(r.Path)}, nil
	case "PUT":
		if err := checkUpload(dir, name); err != nil {
			return format.Op{}, err
		}
		return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(dir, "/"), Name: name}, nil
	case "DELETE":
		if name == "" {
			return format.Op{}, format.NotAllowedf("a folder goes with its last package: delete its packages")
		}
		if _, _, ok := cutExtension(name); !ok {
			return format.Op{}, format.NotAllowedf("%.100q is not the path of a package: signatures and databases go with their packages",
				r.Path)
		}
		return format.Op{Kind: format.Delete, Paths: candidates(r.Path)}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for packages: use PUT, GET or DELETE", r.Method)
}

func checkUpload(dir, name string) error {
	_, _, isPackage := cutExtension(name)
	switch {
	case isDatabase(strings.TrimSuffix(name, signature)):
		return format.NotAllowedf("%.100q is made here: upload the packages that it lists", name)
	case strings.HasSuffix(name, signature):
		return format.NotAllowedf("%.100q is made here for each package, by the key of this repository: "+
			"a repository of raw files can keep the signature of whoever built it", name)
	case name != "" && !isPackage:
		return format.NotAllowedf("%.100q is not the name of a package: those end in .pkg.tar.zst, .pkg.tar.xz or .pkg.tar.gz",
			name)
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
		if dir == "" {
			break
		}
		_, _, isPackage := cutExtension(segment)
		switch {
		case !folderForm.MatchString(segment):
			return format.NotAllowedf("%.100q cannot be the name of a folder: pacman.conf takes letters, digits and ._+@-", segment)
		case isPackage || isDatabase(segment) || strings.HasSuffix(segment, signature):
			// A copy of the tree on a disk could not hold a file and a folder of one name.
			return format.NotAllowedf("%.100q cannot be the name of a folder: files here have such names", segment)
		}
	}
	return nil
}

func isDatabase(name string) bool {
	name = strings.TrimSuffix(name, archiveName)
	return strings.HasSuffix(name, databaseName) || strings.HasSuffix(name, filesName)
}

// candidates returns the places where a file may be that is asked for by a path: the path itself, and for a package for all
// architectures and its sidecars its own place.
func candidates(p string) []string {
	dir, name := path.Split(p)
	bare := name
	for _, suffix := range []string{signature, ".asc", ".sigstore.json"} {
		bare = strings.TrimSuffix(bare, suffix)
	}
	base, _, ok := cutExtension(bare)
	parent, folder := path.Split(strings.TrimSuffix(dir, "/"))
	if !ok || !strings.HasSuffix(base, "-"+archAny) || !isArch(folder) || folder == archAny {
		return []string{p}
	}
	return []string{p, parent + archAny + "/" + name}
}
