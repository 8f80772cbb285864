package python

import (
	"fmt"
	"path"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The media types of pages (PEP 691).
const (
	typeHTML   = "text/html; charset=utf-8"
	typeJSON   = "application/vnd.pypi.simple.v1+json"
	typeV1HTML = "application/vnd.pypi.simple.v1+html"
)

// Index emits the page of a project, or of all projects, in both forms and with their signatures. What has nothing to show has
// no page.
func (f *Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	count := 0
	for _, g := range in.Groups() {
		if g.Name == groupHTML {
			count = g.Count
		}
	}
	if count == 0 {
		return nil
	}
	dir, title, list := root, "Projects", `"projects"`
	name := ""
	if in.Name() != "" {
		dir, title, list = path.Join(root, in.Name()), "Files of "+in.Name(), `"files"`
		name = fmt.Sprintf(`"name":"%s",`, in.Name())
	}
	_, err := in.List(
		format.Listing{
			Name: groupHTML, Groups: []string{groupHTML}, Encodings: []format.Encoding{format.Plain},
			Head: constant("<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.0\"/>\n    <title>" +
				title + "</title>\n  </head>\n  <body>\n"),
			Tail: constant("  </body>\n</html>\n"),
		},
		format.Listing{
			Name: groupJSON, Groups: []string{groupJSON}, Encodings: []format.Encoding{format.Plain}, Skip: len(","),
			Head: constant(`{"meta":{"api-version":"1.0"},` + name + list + `:[`),
			Tail: constant("]}\n"),
		},
	)
	if err != nil {
		return err
	}
	if in.Name() != "" {
		if err := announce(in); err != nil {
			return err
		}
	}
	for _, page := range []struct{ group, file string }{{groupHTML, pageHTML}, {groupJSON, pageJSON}} {
		p := path.Join(dir, page.file)
		if err := emit(format.File{
			Path: p, Listing: page.group, Encoding: format.Plain,
			Sealing: format.Sealing{Seals: []format.Seal{{
				Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: p + ".asc",
			}}},
		}); err != nil {
			return err
		}
	}
	return nil
}

// announce has a project listed among all projects.
func announce(in format.Shard) error {
	entry := fmt.Appendf(nil, "    <a href=\"%s/\">%s</a><br/>\n", in.Name(), in.Name())
	if err := in.Raise("", groupHTML, entry); err != nil {
		return err
	}
	return in.Raise("", groupJSON, fmt.Appendf(nil, `,{"name":"%s"}`, in.Name()))
}

func constant(text string) func(format.Totals) []byte {
	return func(format.Totals) []byte { return []byte(text) }
}
