package nuget

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"hallmark/formats/format"
)

// An element is one of a small XML document.
type element struct {
	name       xml.Name
	attributes []xml.Attr
	text       string // all character data in it, its children's left out
	children   []*element
}

const (
	maxElements = 20_000
	maxDepth    = 16
)

// parseXML reads a document without a document type: the entities that one may define mean what their author likes.
func parseXML(data []byte) (*element, error) {
	fault := func(what string) error { return format.Malformedf("the .nuspec of the package %s", what) }
	d := xml.NewDecoder(bytes.NewReader(data))
	var root *element
	var open []*element
	for count := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, fault("is empty")
			}
			return root, nil
		}
		if err != nil {
			return nil, format.Malformedf("the .nuspec of the package is no XML in UTF-8: %.200q", err.Error())
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, fault("has a document type: a .nuspec needs none, and entities are not read")
		case xml.StartElement:
			if count++; count > maxElements || len(open) == maxDepth {
				return nil, fault("has too many elements, or too many in each other")
			}
			e := &element{name: token.Name, attributes: token.Copy().Attr}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, fault("has two roots")
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			} else if strings.Trim(string(token), "\ufeff \t\r\n") != "" {
				return nil, fault("has text around its root")
			}
		}
	}
}

// one returns the only child of a name, or nil. Two of them are an error, since readers do not agree on which counts.
func (e *element) one(name string) (*element, error) {
	var found *element
	for _, c := range e.children {
		if !strings.EqualFold(c.name.Local, name) {
			continue
		}
		if found != nil || c.name.Local != name || c.name.Space != e.name.Space {
			return nil, format.Malformedf("the .nuspec of the package has <%s> twice, in another namespace, or in other letters", name)
		}
		found = c
	}
	return found, nil
}

// all returns the children of a name.
func (e *element) all(name string) []*element {
	if e == nil {
		return nil
	}
	var all []*element
	for _, c := range e.children {
		if c.name.Local == name && c.name.Space == e.name.Space {
			all = append(all, c)
		}
	}
	return all
}

// attribute returns the value of an attribute.
func (e *element) attribute(name string) string {
	for _, a := range e.attributes {
		if a.Name.Local == name && a.Name.Space == "" {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}
