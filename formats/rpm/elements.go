package rpm

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"hallmark/formats/format"
)

const (
	elementBegin = "<package"
	elementEnd   = "</package>"
)

// elements splits a metadata file into its <package> elements without reading them: what one means is looked at when it is
// described. What is around them must be the root that createrepo_c writes, since the elements go below such a root again.
type elements struct {
	kind     string
	r        io.Reader
	buf      []byte
	from, to int // what was read and not yet returned
	eof      bool
	begun    bool
}

func newElements(kind string, r io.Reader) *elements {
	return &elements{kind: kind, r: r, buf: make([]byte, 256<<10)}
}

// next returns the next element, until the next call. The error is io.EOF after the last.
func (e *elements) next() ([]byte, error) {
	searched := 0
	for {
		data := e.buf[e.from:e.to]
		if i := bytes.Index(data[searched:], []byte(elementEnd)); i >= 0 {
			end := searched + i + len(elementEnd)
			e.from += end
			return e.cut(data[:end])
		}
		if e.eof {
			return nil, e.finish(data)
		}
		if len(data) > entryLimit {
			return nil, e.broken("has an element of more than %d bytes", entryLimit)
		}
		searched = max(0, len(data)-len(elementEnd))
		if err := e.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more.
func (e *elements) fill() error {
	if e.from > 0 {
		copy(e.buf, e.buf[e.from:e.to])
		e.from, e.to = 0, e.to-e.from
	}
	if e.to == len(e.buf) {
		e.buf = slices.Grow(e.buf, len(e.buf))[:2*len(e.buf)]
	}
	n, err := e.r.Read(e.buf[e.to:])
	e.to += n
	if err == io.EOF {
		e.eof, err = true, nil
	}
	return in("the "+e.kind+" of the upstream is broken", err)
}

// cut removes what is before an element.
func (e *elements) cut(data []byte) ([]byte, error) {
	at := 0
	if !e.begun {
		e.begun = true
		for {
			i := bytes.Index(data[at:], []byte(elementBegin))
			if i < 0 {
				return nil, e.broken("has the end of an element that has no beginning")
			}
			if at += i; strings.IndexByte(" \t\r\n>", data[at+len(elementBegin)]) >= 0 {
				break
			}
			at += len(elementBegin)
		}
		if _, err := e.root(data[:at]); err != nil {
			return nil, err
		}
	} else {
		at = len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	}
	if !bytes.HasPrefix(data[at:], []byte(elementBegin)) {
		return nil, e.broken("has something between two packages: %.100q", data[at:])
	}
	return data[at:], nil
}

// finish looks at what is behind the last element.
func (e *elements) finish(data []byte) error {
	if !e.begun { // There is none.
		rest, err := e.root(data)
		if err != nil {
			return err
		}
		if data = rest; len(bytes.TrimSpace(data)) == 0 && bytes.HasSuffix(bytes.TrimSpace(e.buf[e.from:e.to]), []byte("/>")) {
			return io.EOF
		}
	}
	name := e.kind
	switch e.kind {
	case primary:
		name = "metadata"
	case other:
		name = "otherdata"
	}
	if string(bytes.TrimSpace(data)) != "</"+name+">" {
		return e.broken("does not end with the end of its root, but with %.100q", data[max(0, len(data)-100):])
	}
	return io.EOF
}

// namespace is what the metadata files and rpm's own elements are in.
const namespace = "http://linux.duke.edu/metadata/"

// declares reports whether an attribute of a root is one that ours has, or the number of packages.
func declares(kind string, attr xml.Attr) bool {
	if kind == primary {
		kind = "common"
	}
	switch attr.Name {
	case xml.Name{Local: "packages"}:
		return true
	case xml.Name{Local: "xmlns"}:
		return attr.Value == namespace+kind
	case xml.Name{Space: "xmlns", Local: "rpm"}:
		return attr.Value == namespace+"rpm"
	}
	return false
}

// root reads the beginning of the file, and returns what is behind the root's own tag.
func (e *elements) root(data []byte) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = noCharset
	for {
		token, err := d.RawToken()
		if err != nil {
			return nil, e.broken("has no root: %.200q", err.Error())
		}
		switch t := token.(type) {
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, e.broken("has a processing instruction")
			}
		case xml.Comment:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, e.broken("begins with %.100q", t)
			}
		case xml.StartElement:
			for _, attr := range t.Attr {
				if declares(e.kind, attr) {
					continue
				}
				return nil, e.broken("has %.50s:%.50s=%.100q at its root, with which its elements would mean something else below ours",
					attr.Name.Space, attr.Name.Local, attr.Value)
			}
			if !slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return a.Name.Local == "xmlns" }) {
				return nil, e.broken("has a root of no namespace")
			}
			return data[d.InputOffset():], nil
		default:
			return nil, e.broken("has something before its root")
		}
	}
}

func (e *elements) broken(text string, args ...any) error {
	return format.Malformedf("the "+e.kind+" of the upstream is broken: it "+text, args...)
}

// noCharset knows UTF-8 alone, which a decoder reads by itself.
func noCharset(charset string, _ io.Reader) (io.Reader, error) {
	return nil, format.Malformedf("it is in %.50q and must be in UTF-8", charset)
}
