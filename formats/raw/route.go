package raw

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// Route says what a request asks for. Each path is a file, but for those that are empty or end in a slash, which are
// folders. An upload to a folder wraps [format.ErrMalformed], since it lacks a name.
func (f *Format) Route(r format.Request) (format.Op, error) {
	folder := r.Path == "" || strings.HasSuffix(r.Path, "/")
	switch r.Method {
	case "GET":
		if folder {
			return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
		}
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case "PUT":
		if folder {
			return format.Op{}, format.Malformedf(
				"this is the path of a folder: put the file's name behind the slash, as curl -T does by itself")
		}
		if name, ok := reserved(r.Path); ok {
			return format.Op{}, format.NotAllowedf("%s is made here for each folder: choose another name", name)
		}
		dir, name := path.Split(r.Path)
		return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(dir, "/"), Name: name}, nil
	case "DELETE":
		if folder {
			return format.Op{}, format.NotAllowedf("a folder goes with its last file: delete its files")
		}
		if name, ok := reserved(path.Base(r.Path)); ok {
			return format.Op{}, format.NotAllowedf("%s is made here for each folder, and goes with the folder's last file", name)
		}
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for files: use PUT, GET or DELETE", r.Method)
}

// reserved returns the segment of a path that is the name of an index file. It must not be the name of a folder either,
// because a copy of the tree on a disk could not hold both.
func reserved(p string) (name string, ok bool) {
	for segment := range strings.SplitSeq(p, "/") {
		if segment == sums || segment == sumsSignature {
			return segment, true
		}
	}
	return "", false
}
