package debian

import (
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
)

// incoming is the folder that dput uploads to.
const incoming = "incoming"

// Route implements [format.Format]:
//
//	GET    everything
//	PUT    <distribution>/<component>/[<file>]           a .deb, a .dsc, or a file of a source, which waits for its .dsc
//	PUT    <distribution>/<component>/incoming/<file>    the same and more from dput, which all wait for their .changes
//	DELETE pool/…                                        a package, a .dsc, or a file of a source
//
// Distributions and components are one segment each.
func (f *Format) Route(r format.Request) (format.Op, error) {
	switch r.Method {
	case "GET":
		return routeGet(r.Path), nil
	case "PUT":
		return routePut(r.Path)
	case "DELETE":
		return routeDelete(r.Path)
	}
	return format.Op{}, format.NotAllowedf("a Debian repository takes no %.20s: upload by PUT to "+
		"<distribution>/<component>/, such as stable/main/", r.Method)
}

// routeGet lets every path pass: an upstream may have its packages anywhere.
func routeGet(p string) format.Op {
	if p == "" || strings.HasSuffix(p, "/") {
		return format.Op{Kind: format.List, Paths: []string{p}}
	}
	return format.Op{Kind: format.Get, Paths: []string{p}}
}

func routePut(p string) (format.Op, error) {
	segments := strings.Split(p, "/")
	if isTree(segments[0]) {
		return format.Op{}, format.NotAllowedf("nothing can be put to %s/, which the repository itself writes: "+
			"put packages to <distribution>/<component>/, such as stable/main/", segments[0])
	}
	name := ""
	if len(segments) > 2 {
		name = segments[len(segments)-1]
		segments = segments[:len(segments)-1]
	}
	waits := len(segments) == 3 && segments[2] == incoming
	if len(segments) < 2 || len(segments) > 3 || len(segments) == 3 && !waits {
		return format.Op{}, format.NotAllowedf("put packages to <distribution>/<component>/, such as "+
			"stable/main/: %.200q has another form (a distribution with a slash in its name cannot be had)", p)
	}
	if err := checkPlace(place{segments[0], segments[1]}); err != nil {
		return format.Op{}, err
	}
	op := format.Op{Kind: format.Put, Dir: strings.Join(segments, "/"), Name: name, Waits: waits}
	switch kindOf(name) {
	case kindChanges:
		if !waits {
			return format.Op{}, format.NotAllowedf("put %.200q where the files that it names were put: to %s/%s/",
				name, op.Dir, incoming)
		}
		op.Waits = false
	case kindBuildinfo:
		if !waits {
			return format.Op{}, format.NotAllowedf("a .buildinfo is taken for the sake of dput alone, at %s/%s/",
				op.Dir, incoming)
		}
	case kindSourceFile:
		op.Waits = true
	case kindUnknown:
		if name == "" && !waits {
			break // Parse finds out.
		}
		if name == "" {
			return format.Op{}, format.NotAllowedf("put a file to %s/ with its name, as dput does", op.Dir)
		}
		return format.Op{}, format.Malformedf("%.200q is no name of a file that a Debian repository takes: those "+
			"of binary packages end in .deb, those of sources in .dsc, or like _1.0.orig.tar.xz, "+
			"_1.0-1.debian.tar.xz, _1.0-1.diff.gz or _1.0.tar.xz", name)
	}
	return op, nil
}

// checkPlace refuses names that would not be paths, or the paths of something else.
func checkPlace(p place) error {
	for _, s := range []struct{ what, name string }{{"distribution", p.distribution}, {"component", p.component}} {
		if !isSegment(s.name) {
			return format.NotAllowedf("%.100q cannot be the name of a %s: write letters, digits and . _ + ~ -, "+
				"the first a letter or a digit", s.name, s.what)
		}
		if kindOf(s.name) != kindUnknown {
			return format.NotAllowedf("put %.100q to <distribution>/<component>/, such as stable/main/", s.name)
		}
	}
	if c := p.component; c == incoming || strings.HasPrefix(c, "Release") || strings.HasPrefix(c, "InRelease") {
		return format.NotAllowedf("no component can have the name %.100q, which means something else: put "+
			"packages to <distribution>/<component>/, such as stable/main/", c)
	}
	return nil
}

func routeDelete(p string) (format.Op, error) {
	deletable := []kind{kindDeb, kindDsc, kindSourceFile}
	if strings.HasPrefix(p, "pool/") && !strings.HasSuffix(p, "/") && slices.Contains(deletable, kindOf(path.Base(p))) {
		return format.Op{Kind: format.Delete, Paths: []string{p}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.200q cannot be deleted: delete a package at its path under pool/, "+
		"which the index names as its Filename", p)
}

// isTree reports whether a segment is one of the two folders that clients read.
func isTree(segment string) bool { return segment == "dists" || segment == "pool" }
