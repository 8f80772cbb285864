package python

import (
	"encoding/hex"
	"errors"
	"html"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// contextMetadata is the context of a link that is emitted for the metadata beside its file. For the file itself it is empty.
const contextMetadata = "metadata"

const (
	pageMost          = 64 << 20 // bytes of an upstream's page
	pageSignatureMost = 64 << 10
)

// Scope returns the project whose page says what is at a path. The list of all projects is that of those that were asked for:
// no installer reads it.
func (f *Format) Scope(p string) (string, bool) {
	t := targetOf(p)
	return path.Base(t.dir), t.dir != ""
}

// Follow emits the links of a project's page in HTML (PEP 503), which index.html.asc beside it signs, as here. Links to what is no
// distribution of the project are left out, as pip leaves them out.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	dir := root + "/" + scope + "/"
	b, err := u.Fetch(dir, format.Wanted{Limit: pageMost})
	if err != nil {
		return format.Edition{}, err
	}
	if err := verifyPage(u, b, dir); err != nil {
		return format.Edition{}, err
	}
	page, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return format.Edition{}, err
	}
	return format.Edition{Shard: scope}, eachAnchor(page, func(anchor []byte) error {
		a, err := parseAnchor(anchor)
		if err != nil {
			return err
		}
		if _, ok := releaseOf(scope, a.file); !ok || !isFile(a.file) {
			return nil
		}
		if err := u.Emit(pageHTML, "", anchor); err != nil || a.metadata() == nil {
			return err
		}
		return u.Emit(pageHTML, contextMetadata, anchor)
	})
}

// verifyPage verifies the signature of a page. Where the upstream is trusted without a key, nobody is asked for one.
func verifyPage(u format.Upstream, page format.Blob, dir string) error {
	// Only without a key is no signature at all a good one.
	if _, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil); !errors.Is(err, format.ErrMalformed) {
		return err
	}
	var signature []byte
	switch b, err := u.Fetch(dir+pageHTML+".asc", format.Wanted{Limit: pageSignatureMost}); {
	case err == nil:
		if signature, err = io.ReadAll(io.NewSectionReader(b, 0, b.Size())); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, err := u.Verify(scheme.OpenPGPArmored, io.NewSectionReader(page, 0, page.Size()), signature)
	return err
}

// Describe reads a link, which must name the file's SHA-256; an address that begins with a slash is taken for one below the
// upstream's URL. Metadata beside the file (PEP 658) are a file of their own, if the link names their SHA-256; otherwise they are
// left out.
func (f *Format) Describe(scope, context string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	if !isName(scope) || normalize(scope) != scope {
		return format.Foreign{}, format.Malformedf("%.200q is no project", scope)
	}
	a, err := parseAnchor(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	of, ok := releaseOf(scope, a.file)
	if !ok || !isFile(a.file) {
		return format.Foreign{}, format.Malformedf("%.200q is no distribution of %.100q", a.file, scope)
	}
	file := format.Foreign{
		Package: format.Package{
			Path: path.Join(root, scope, a.file), Name: scope, Version: of.version, Arch: of.platform, Shard: scope,
		},
		Size: -1,
	}
	if context == contextMetadata {
		file.Of = file.Path
		file.Path += metadataSuffix
		if file.SHA256 = a.metadata(); file.SHA256 == nil {
			return format.Foreign{}, format.Malformedf("the link to %s names no metadata", a.file)
		}
		file.Source, err = a.source(root+"/"+scope+"/", metadataSuffix)
		return file, err
	}
	sum, err := a.sum()
	if err != nil {
		return format.Foreign{}, err
	}
	file.SHA256 = sum
	if file.Source, err = a.source(root+"/"+scope+"/", ""); err != nil {
		return format.Foreign{}, err
	}
	l := link{file: a.file, sha256: sum, size: -1, metadata: a.metadata()}
	for name, field := range a.attributes {
		switch {
		case len(field) > fieldMost || !utf8.ValidString(field) || strings.ContainsFunc(field, unicode.IsControl):
			return format.Foreign{}, format.Malformedf("the link to %s has control characters or more than %d bytes in %.50q", a.file, fieldMost, name)
		case name == "data-requires-python":
			l.requiresPython = field
		case name == "data-yanked":
			l.yanked = &field
		}
	}
	file.Entries, err = l.entries()
	return file, err
}

// An anchor is a link of a page.
type anchor struct {
	address    *url.URL
	file       string            // the last segment of its path
	attributes map[string]string // but for href, with their values as they are meant
}

func parseAnchor(data []byte) (anchor, error) {
	attributes, n, ok := scanTag(data)
	if !ok || n != len(data) || n > anchorMost || !isAnchor(data) {
		return anchor{}, format.Malformedf("the page has %.200q, which is no link", data)
	}
	for name, value := range attributes {
		attributes[name] = html.UnescapeString(value)
	}
	address, err := url.Parse(strings.TrimSpace(attributes["href"]))
	if err != nil {
		return anchor{}, format.Malformedf("the page has a link to %.200q, which is no address", attributes["href"])
	}
	delete(attributes, "href")
	return anchor{address, path.Base(address.Path), attributes}, nil
}

// source returns the path of the file at the upstream, for a link on the page of a folder, or its address where the link is one:
// pypi.org keeps its files on another server. A suffix makes it that of what stands beside the file.
func (a anchor) source(dir, suffix string) (string, error) {
	to := *a.address
	to.Fragment, to.RawFragment = "", ""
	to.Path += suffix
	if to.RawPath != "" { // it is escaped in another way than Go would
		to.RawPath += suffix
	}
	if _, err := format.ParseAddress(to.String()); err == nil {
		return to.String(), nil
	}
	if to.Scheme != "" || to.Host != "" || to.Opaque != "" || to.RawQuery != "" {
		return "", format.Malformedf("the page links to %.200q, which is not the plain address of a file", a.address.String())
	}
	p := strings.TrimPrefix((&url.URL{Path: "/" + dir}).ResolveReference(&url.URL{Path: to.Path}).Path, "/")
	if !fs.ValidPath(p) || len(p) > 2048 || !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) {
		return "", format.Malformedf("the page links to %.200q, which is no path of a file", a.address.String())
	}
	return p, nil
}

// metadata returns the SHA-256 of the metadata beside the file, by PEP 658 or, which counts, by PEP 714. Nil: the link names none.
func (a anchor) metadata() []byte {
	value, ok := a.attributes["data-core-metadata"]
	if !ok {
		value = a.attributes["data-dist-info-metadata"]
	}
	text, ok := strings.CutPrefix(value, "sha256=")
	sum, err := hex.DecodeString(text)
	if !ok || err != nil || len(sum) != 32 {
		return nil
	}
	return sum
}

// sum returns the SHA-256 that stands behind the address.
func (a anchor) sum() ([]byte, error) {
	values, err := url.ParseQuery(a.address.Fragment)
	sum, errHex := hex.DecodeString(values.Get("sha256"))
	if err != nil || errHex != nil || len(sum) != 32 {
		return nil, format.Malformedf("the page's link to %s names no SHA-256 (#sha256=…): nothing would say what the file is; "+
			"pypiserver names it with --hash-algo sha256", a.file)
	}
	return sum, nil
}
