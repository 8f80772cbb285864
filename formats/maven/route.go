package maven

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// Route says what a request asks for. What clients send of maven-metadata.xml, and of checksums of signatures, is taken and
// ignored: they upload it with every artifact, and it is made here.
func (f *Format) Route(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	switch r.Method {
	case "GET":
		switch {
		case name == "":
			return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
		case isDocument(r.Path):
			return format.Op{Kind: format.Render, Document: r.Path}, nil
		}
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case "PUT":
		return put(r.Path, dir, name)
	case "DELETE":
		if _, err := filePlace(dir, name); err != nil || isMetadata(name) {
			return format.Op{}, format.NotAllowedf("%.200q is no file of an artifact: delete the files of a version, one by one, "+
				"and the index of its folder follows", r.Path)
		}
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for artifacts: use PUT, GET or DELETE", r.Method)
}

func put(at, dir, name string) (format.Op, error) {
	if dir != "" && isMetadata(name) {
		return format.Op{Kind: format.Ignore}, nil
	}
	if _, err := filePlace(dir, name); err != nil {
		return format.Op{}, err
	}
	inner, isChecksum := cutChecksum(name)
	base, _, isSignature := cutSignature(inner)
	switch {
	case isSignature && strings.HasSuffix(base, ".hallmark"):
		return format.Op{}, format.NotAllowedf("%.100q is where our signature is served: an author's own is uploaded as F.asc or F.author.asc", name)
	case isSignature && isChecksum:
		return format.Op{Kind: format.Ignore}, nil
	case isChecksum:
		return format.Op{Kind: format.Check, Paths: []string{at}}, nil
	}
	return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(dir, "/"), Name: name, Author: isSignature}, nil
}

// filePlace returns the place of the file that a name is of: of a checksum or of a signature, that of what they are of.
func filePlace(dir, name string) (place, error) {
	name, _ = cutChecksum(name)
	name, _, _ = cutSignature(name)
	return placeOf(dir, name)
}

// isMetadata reports whether a name is that of maven-metadata.xml, of a signature of it or a checksum.
func isMetadata(name string) bool {
	name, _ = cutChecksum(name)
	name, _, _ = cutSignature(name)
	return name == metadataName
}
