package ruby

import (
	"crypto"
	"io"
	"net/url"
	"path"
	"strings"

	"hallmark/formats/format"
)

// The addresses of RubyGems' API that gem push and gem yank use.
const (
	pushPath = "api/v1/gems"
	yankPath = "api/v1/gems/yank"
)

// Route says what a request asks for. A gem is pushed to the API, or put to gems/; it says by itself what it is.
func (f *Format) Route(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	isGem := strings.HasSuffix(name, gemExtension)
	switch {
	case r.Method == "GET" && name == "":
		return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
	case r.Method == "GET" && together(r.Path) == r.Path:
		// bundler takes the tag of such a file for the MD5 of what it has.
		return format.Op{Kind: format.Get, Paths: []string{r.Path}, Type: "text/plain; charset=utf-8", Tag: crypto.MD5}, nil
	case r.Method == "GET":
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case r.Method == "POST" && r.Path == pushPath:
		return format.Op{Kind: format.Put}, nil
	case r.Method == "DELETE" && r.Path == yankPath:
		return format.Op{Kind: format.Unwrap}, nil
	case r.Method == "PUT" && dir == gemsFolder && (isGem || name == ""):
		return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(gemsFolder, "/"), Name: name}, nil
	case r.Method == "DELETE" && dir == gemsFolder && isGem:
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	case r.Method == "PUT":
		return format.Op{}, format.NotAllowedf("%.100q is not the place of a gem: put it to %sNAME-VERSION.gem, or use gem push",
			r.Path, gemsFolder)
	case r.Method == "DELETE":
		return format.Op{}, format.NotAllowedf("%.100q goes with its gem: delete %sNAME-VERSION.gem, or use gem yank", r.Path, gemsFolder)
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for %.100q: gem push sends POST to %s", r.Method, r.Path, pushPath)
}

// maxForm bounds the form of gem yank.
const maxForm = 16 << 10

// Unwrap reads the form that gem yank sends, in the body or behind the address. A gem that is yanked is gone.
func (f *Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	if b.Size() > maxForm {
		return nil, format.Malformedf("a form has at most %d bytes", maxForm)
	}
	body, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, format.Malformedf("the body is not the form of gem yank: %.100q", err)
	}
	value := func(key string) string {
		if v := form.Get(key); v != "" {
			return v
		}
		return r.Query.Get(key)
	}
	id := identity{value("gem_name"), value("version"), value("platform")}
	if id.platform == "" {
		id.platform = platformRuby
	}
	for _, err := range []error{checkName(id.name), checkVersion(id.version), checkPlatform(id.platform)} {
		if err != nil {
			return nil, err
		}
	}
	return []format.Change{{Op: format.Op{Kind: format.Delete, Paths: []string{id.path()}}}}, nil
}
