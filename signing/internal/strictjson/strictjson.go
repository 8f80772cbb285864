// Package strictjson reads JSON that several programs must read alike.
//
// RFC 8259 leaves it open what a repeated key means, and parsers differ: one
// takes the first, one the last, and Go's ignores the case of letters. A
// signature over such a document says different things to different readers.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxDepth = 16

// An Object is a JSON object. Its values are string, [json.Number], bool, nil,
// []any and Object.
type Object map[string]any

// Parse reads data as one JSON object with nothing after it. It refuses
// invalid UTF-8, nesting deeper than 16, and keys of one object that are equal
// or differ in case only.
//
// The keys of objects below a field named in free belong to users; of those,
// only equal ones are refused.
func Parse(data []byte, free ...string) (Object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("invalid UTF-8")
	}
	p := parser{dec: json.NewDecoder(bytes.NewReader(data)), free: free}
	p.dec.UseNumber()
	value, err := p.value(0, false)
	if err != nil {
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, errors.New("data after the JSON value")
	}
	object, ok := value.(Object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return object, nil
}

// Get returns the value at a path of keys, which must be there and be a T.
// Keys are compared exactly.
func Get[T any](o Object, path ...string) (T, error) {
	var value any = o
	for i, key := range path {
		object, _ := value.(Object)
		var ok bool
		if value, ok = object[key]; !ok {
			var zero T
			return zero, fmt.Errorf("no %q", strings.Join(path[:i+1], "."))
		}
	}
	typed, ok := value.(T)
	if !ok {
		return typed, fmt.Errorf("%q has the wrong type", strings.Join(path, "."))
	}
	return typed, nil
}

// Only returns an error unless every key of o is one of names.
func (o Object) Only(names ...string) error {
	for key := range o {
		if !slices.Contains(names, key) {
			return fmt.Errorf("unknown field %q", key)
		}
	}
	return nil
}

type parser struct {
	dec  *json.Decoder
	free []string
}

func (p *parser) value(depth int, free bool) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	token, err := p.dec.Token()
	if err != nil {
		return nil, noEOF(err)
	}
	switch token {
	case json.Delim('{'):
		return p.object(depth, free)
	case json.Delim('['):
		return p.array(depth, free)
	}
	return token, nil
}

func (p *parser) object(depth int, free bool) (any, error) {
	object := Object{}
	folded := map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, noEOF(err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, errors.New("object key is no string")
		}
		fold := key
		if !free {
			fold = foldCase(key)
		}
		if folded[fold] {
			return nil, fmt.Errorf("duplicate key %q", key)
		}
		folded[fold] = true
		if object[key], err = p.value(depth+1, free || slices.Contains(p.free, key)); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.Token()
	return object, noEOF(err)
}

func (p *parser) array(depth int, free bool) (any, error) {
	array := []any{}
	for p.dec.More() {
		value, err := p.value(depth+1, free)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := p.dec.Token()
	return array, noEOF(err)
}

// foldCase returns the same string for all strings that encoding/json takes
// for the same field name: it matches names by simple Unicode case folding.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		// The folding orbit of r ascends and then wraps to its smallest rune.
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, s)
}

// noEOF says that the end came too early: to a caller of Token, io.EOF is the
// regular end of the input.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
