package rpm

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

const (
	repodata = "repodata"
	repomd   = "repomd.xml"

	extension     = ".rpm"
	repoExtension = ".repo"
	mirrorlist    = "mirrorlist"
)

// Route says what a request asks for: files by their paths, [directory/]mirrorlist and [directory/]<repository>.repo as
// documents, uploads and removals of [directory/]<file>.rpm. An upload to a directory, with a slash at the end, gets its
// name from the package.
func (f *Format) Route(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	dir = strings.TrimSuffix(dir, "/")
	switch r.Method {
	case "GET":
		switch {
		case name == "":
			return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
		case isDocument(name) && isDirectory(dir):
			return format.Op{Kind: format.Render, Document: r.Path}, nil
		}
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case "PUT":
		if err := checkUpload(dir, name); err != nil {
			return format.Op{}, err
		}
		return format.Op{Kind: format.Put, Dir: dir, Name: name}, nil
	case "DELETE":
		switch {
		case name == "":
			return format.Op{}, format.NotAllowedf("a directory is not deleted as a whole: delete its packages")
		case isOurs(dir, name):
			return format.Op{}, format.NotAllowedf("%.100q is made here, and goes with the package that it belongs to", name)
		}
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for RPM packages: use PUT, GET or DELETE", r.Method)
}

func checkUpload(dir, name string) error {
	switch {
	case isOurs(dir, name):
		return format.NotAllowedf("%.100q is made and signed here: upload packages (.rpm) alone", name)
	case !isDirectory(dir):
		return format.Malformedf("a directory cannot be called %.200q: use letters, digits and . _ + ~ -, "+
			"and no name that ends in .rpm or .repo or is %s or %s", dir, repodata, mirrorlist)
	case name == "":
		return nil
	case !strings.HasSuffix(name, extension):
		return format.Malformedf("%.100q is not the name of an RPM package: it does not end in .rpm", name)
	case !isWord(name):
		return format.Malformedf("a package cannot be called %.200q: its name has letters, digits and . _ + ~ ^ - alone", name)
	}
	return nil
}

// isOurs reports whether a file is one that the repository makes.
func isOurs(dir, name string) bool {
	return dir == repodata || strings.HasSuffix(dir, "/"+repodata) || isDocument(name) ||
		strings.HasSuffix(name, ".rpm.asc") || strings.HasSuffix(name, ".rpm.sigstore.json")
}

func isDocument(name string) bool {
	return name == mirrorlist || strings.HasSuffix(name, repoExtension)
}

// isDirectory reports whether a path, which may be empty, can be that of a directory. It holds nothing that had to be
// escaped in a URL, and no name that a file has in a copy of the tree.
func isDirectory(dir string) bool {
	if dir == "" {
		return true
	}
	for segment := range strings.SplitSeq(dir, "/") {
		if !isWord(segment) || strings.Contains(segment, "^") || segment[0] == '.' || segment == repodata || isDocument(segment) ||
			strings.HasSuffix(segment, extension) {
			return false
		}
	}
	return true
}

// isWord reports whether text has nothing but the characters of versions (rpm's docs/manual/spec.md) and is not empty.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool { return !isWordChar(c) })
}

func isWordChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._+~^-", c)
}
