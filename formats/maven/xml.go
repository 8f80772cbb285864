package maven

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"hallmark/formats/format"
)

// maxDepth is how deep elements may stand in each other.
const maxDepth = 100

// readXML reads a document into a struct, as [xml.Unmarshal] does. It refuses a document type and entities, with which a
// document can be small and long at once or reach for other files, and anything behind the root.
func readXML(data []byte, into any) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charset
	tokens := &strict{tokens: d}
	err := xml.NewTokenDecoder(tokens).Decode(into)
	for err == nil {
		_, err = tokens.Token()
	}
	var fault *xml.SyntaxError
	switch {
	case errors.Is(err, format.ErrMalformed):
		return err
	case err == io.EOF && tokens.roots == 1:
		return nil
	case errors.As(err, &fault):
		return format.Malformedf("it is no XML that can be read: line %d: %.200q", fault.Line, fault.Msg)
	case err == io.EOF:
		return format.Malformedf("it is no XML: it has no element")
	}
	return format.Malformedf("it is no XML that can be read: %.200q", err.Error())
}

// strict is a stream of tokens that ends at what a document may not have.
type strict struct {
	tokens       *xml.Decoder
	depth, roots int
}

// Token implements [xml.TokenReader].
func (s *strict) Token() (xml.Token, error) {
	t, err := s.tokens.Token()
	switch t := t.(type) {
	case xml.StartElement:
		if s.depth == 0 {
			s.roots++
		}
		if s.depth++; s.depth > maxDepth {
			return nil, format.Malformedf("its elements stand more than %d deep in each other", maxDepth)
		}
	case xml.EndElement:
		s.depth--
	case xml.CharData:
		if s.depth == 0 && len(bytes.TrimSpace(t)) > 0 {
			return nil, format.Malformedf("there is text outside of its root element")
		}
	case xml.Directive:
		return nil, format.Malformedf("it has a document type (<!%.20q …>), and so perhaps entities: write the document without", t)
	}
	if s.roots > 1 {
		return nil, format.Malformedf("it has more than one root element")
	}
	return t, err
}

// charset reads the encodings that poms have besides UTF-8.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "us-ascii", "ascii", "iso-8859-1", "latin1":
		return &latin1{in: in}, nil
	}
	return nil, format.Malformedf("its encoding is %.50q: write it in UTF-8", name)
}

// latin1 turns ISO 8859-1 into UTF-8.
type latin1 struct {
	in   io.Reader
	rest []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		var buffer [512]byte
		n, err := l.in.Read(buffer[:])
		if n == 0 {
			return 0, err
		}
		for _, b := range buffer[:n] {
			l.rest = append(l.rest, string(rune(b))...)
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
