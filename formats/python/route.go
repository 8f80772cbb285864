package python

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

const yankedName = "yanked" // below a file: PUT yanks it, DELETE takes that back

// Route says what a request asks for. A project is found under each spelling of its name. Uploads in a form are posted to
// the root of the repository or to legacy/, where PyPI takes them.
func (f *Format) Route(r format.Request) (format.Op, error) {
	t := targetOf(r.Path)
	switch r.Method {
	case "GET":
		return t.get(r)
	case "PUT":
		return t.put()
	case "POST":
		if r.Path == "" || strings.TrimSuffix(r.Path, "/") == "legacy" {
			return format.Op{Kind: format.Unwrap}, nil
		}
		return format.Op{}, format.NotAllowedf("uploads in a form, as twine sends them, are posted to the root of the repository or to legacy/")
	case "DELETE":
		return t.delete()
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for Python distributions: use GET, POST, PUT or DELETE", r.Method)
}

// A target is what a path names.
type target struct {
	path string // with the project's name in its normal form
	dir  string // simple/PROJECT; empty: it is not in the folder of a project
	name string // what stands below that
	page bool   // it is the address of a page
}

func targetOf(p string) target {
	t := target{path: p, page: p == root+"/"}
	top, rest, ok := strings.Cut(p, "/")
	project, name, below := strings.Cut(rest, "/")
	if top != root || !ok || !below || !isName(project) {
		return t
	}
	t.dir, t.name = path.Join(root, normalize(project)), name
	t.path, t.page = t.dir+"/"+name, name == ""
	return t
}

func (t target) get(r format.Request) (format.Op, error) {
	switch {
	case t.page:
		file, media := negotiate(r.Accept)
		return format.Op{Kind: format.Get, Paths: []string{t.path + file}, Type: media}, nil
	case t.path == "" || strings.HasSuffix(t.path, "/"):
		return format.Op{Kind: format.List, Paths: []string{t.path}}, nil
	}
	op := format.Op{Kind: format.Get, Paths: []string{t.path}}
	switch base := path.Base(t.path); {
	case base == pageHTML:
		op.Type = typeHTML
	case base == pageJSON:
		op.Type = typeJSON
	case strings.HasSuffix(base, metadataSuffix):
		op.Type = "text/plain; charset=utf-8"
	}
	return op, nil
}

func (t target) put() (format.Op, error) {
	file, yank := strings.CutSuffix(t.name, "/"+yankedName)
	signed, signature := strings.CutSuffix(t.name, ".asc")
	switch {
	case t.dir == "":
		return format.Op{}, format.NotAllowedf("a distribution is uploaded by twine or uv, or put to %s/PROJECT/FILE", root)
	case yank && isFile(file), signature && isFile(signed):
		return format.Op{Kind: format.Unwrap}, nil
	case isFile(t.name):
		return format.Op{Kind: format.Put, Dir: t.dir, Name: t.name}, nil
	}
	return format.Op{}, format.NotAllowedf("%.200q is not the name of a distribution: those end in .whl, .tar.gz or .zip, "+
		"and are of letters, digits and ._+!-", t.name)
}

func (t target) delete() (format.Op, error) {
	file, yank := strings.CutSuffix(t.name, "/"+yankedName)
	signed, signature := strings.CutSuffix(t.name, ".asc")
	switch {
	case t.dir == "":
	case yank && isFile(file):
		return t.mark(file, markYanked, ""), nil
	case signature && isFile(signed):
		return t.mark(signed, markSignature, ""), nil
	case isFile(t.name):
		return format.Op{Kind: format.Delete, Paths: []string{t.path}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.200q is no distribution: pages and what stands beside a file go with it", t.path)
}

// mark returns the operation that notes something of a file of the target's project.
func (t target) mark(file, name, value string) format.Op {
	return format.Op{Kind: format.Mark, Paths: []string{path.Join(t.dir, file)}, Marks: map[string]string{name: value}}
}
