package alpine

import (
	"path"
	"regexp"
	"strings"

	"hallmark/formats/format"
)

// folderForm is the form of a folder's name. It means nothing to a shell, in a URL and in /etc/apk/repositories.
var folderForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._+~-]*$`)

const (
	extension = ".apk"
	indexName = "APKINDEX.tar.gz"
)

// Route says what a request asks for. A package for all architectures is found under each: the path as it was asked for
// comes first, and that of the noarch package second.
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
		switch {
		case name == "":
			return format.Op{}, format.NotAllowedf("a folder goes with its last package: delete its packages")
		case name == indexName:
			return format.Op{}, format.NotAllowedf("%s is made here: delete the packages that it lists", indexName)
		case !strings.HasSuffix(name, extension):
			return format.Op{}, format.NotAllowedf("%.100q is not the path of a package: those end in %s", r.Path, extension)
		}
		return format.Op{Kind: format.Delete, Paths: candidates(r.Path)}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for packages: use PUT, GET or DELETE", r.Method)
}

func checkUpload(dir, name string) error {
	if name == indexName {
		return format.NotAllowedf("%s is made here: upload the packages that it lists", indexName)
	}
	if name != "" && !strings.HasSuffix(name, extension) {
		return format.NotAllowedf("%.100q is not the name of a package: those end in %s", name, extension)
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
		if dir != "" && !folderForm.MatchString(segment) {
			return format.NotAllowedf("%.100q cannot be the name of a folder: a line of /etc/apk/repositories takes "+
				"letters, digits and ._+~-", segment)
		}
		// A copy of the tree on a disk could not hold a file and a folder of one name.
		if segment == indexName || strings.HasSuffix(segment, extension) {
			return format.NotAllowedf("%.100q cannot be the name of a folder: files here have such names", segment)
		}
	}
	return nil
}

// candidates returns the places where a file may be that is asked for by a path: the path itself, and for a package or its
// sidecar the same place among the packages for all architectures.
func candidates(p string) []string {
	dir, name := path.Split(p)
	parent, arch := path.Split(strings.TrimSuffix(dir, "/"))
	if !strings.HasSuffix(bareName(name), extension) || !isArch(arch) || arch == noarch {
		return []string{p}
	}
	return []string{p, parent + noarch + "/" + name}
}

// bareName returns the name of the file that a sidecar belongs to, or the name itself.
func bareName(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".asc"), ".sigstore.json")
}
