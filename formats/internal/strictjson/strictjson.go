// Package strictjson reads JSON objects that several programs must read alike, member by member.
//
// RFC 8259 leaves it open what a repeated name means: one program takes the first, another the last. What is refused here
// cannot be signed as one thing and read as another.
package strictjson

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"hallmark/formats/format"
)

// maxDepth is how deep objects and arrays may be in each other.
const maxDepth = 64

// A Member is a name and a value of an object.
type Member struct {
	Name  string
	Value json.RawMessage // as it stands, with its blanks
}

// An Object is a JSON object, its members in their order.
type Object []Member

// Parse reads data as one object with nothing after it. It refuses invalid UTF-8, names that come twice in any object, and
// more than 64 levels. The errors wrap [format.ErrMalformed].
func Parse(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, format.Malformedf("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := check(d, 0); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, format.Malformedf("there is something behind the JSON")
	}
	return members(data)
}

// check reads one value.
func check(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return format.Malformedf("its JSON has more than %d levels", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return format.Malformedf("it is no JSON: %.200s", err)
	}
	switch token {
	case json.Delim('['):
		for d.More() {
			if err := check(d, depth+1); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return format.Malformedf("it is no JSON: %.200s", err)
			}
			text, ok := name.(string)
			if !ok || seen[text] {
				return format.Malformedf("its JSON has %.100q twice in one object", text)
			}
			seen[text] = true
			if err := check(d, depth+1); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	if _, err := d.Token(); err != nil {
		return format.Malformedf("it is no JSON: %.200s", err)
	}
	return nil
}

// members splits an object that was checked.
func members(data []byte) (Object, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, format.Malformedf("it is no JSON object")
	}
	var o Object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, format.Malformedf("it is no JSON: %.200s", err)
		}
		m := Member{Name: name.(string)}
		if err := d.Decode(&m.Value); err != nil {
			return nil, format.Malformedf("it is no JSON: %.200s", err)
		}
		o = append(o, m)
	}
	return o, nil
}

// Get returns the value of a member, and whether there is one.
func (o Object) Get(name string) (json.RawMessage, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// String returns the text that a member must be. One that is not there is empty.
func (o Object) String(name string) (string, error) {
	raw, ok := o.Get(name)
	if !ok {
		return "", nil
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", format.Malformedf("its %q is no text", name)
	}
	return *text, nil
}

// Object returns the object that a member must be. One that is not there, or is null, is empty.
func (o Object) Object(name string) (Object, error) {
	raw, ok := o.Get(name)
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	inner, err := members(raw)
	if err != nil {
		return nil, format.Malformedf("its %q is no object", name)
	}
	return inner, nil
}
