package manifest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a manifest may nest. The specification needs five levels; the rest is for custom fields.
const maxDepth = 64

// A reader walks through one JSON document, front to back, and refuses what parsers are known to disagree on: a name
// twice in an object, and a name that encoding/json and its like take for a field of the specification, while others
// do not, because it differs from it in case only. It keeps nothing that its caller does not keep.
type reader struct {
	dec   *json.Decoder
	depth int
}

// newReader returns a reader that stands before the only value of body. The syntax of the whole body has been checked.
func newReader(body []byte) (*reader, error) {
	if !utf8.Valid(body) {
		return nil, invalid("the body is not UTF-8, as JSON must be")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, invalid("the body is not one JSON value: %s", err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return &reader{dec: dec}, nil
}

// object reads an object and calls field for each name of it that is in spec, with the reader standing before the
// value. Other names are read over. A null is no object: object then returns false.
func (r *reader) object(spec []string, field func(name string) error) (present bool, err error) {
	t, err := r.token()
	if err != nil || t == nil {
		return false, err
	}
	if t != json.Delim('{') {
		return false, wrong("must be an object")
	}
	return true, r.members(func(name string) error {
		if slices.Contains(spec, name) {
			return field(name)
		}
		for _, s := range spec {
			if strings.EqualFold(name, s) { // the simple folding by which encoding/json matches names
				return wrong("is read as %q by some programs and by others not; write %q", s, s)
			}
		}
		return r.skip()
	})
}

// members reads the rest of an object whose brace has been read, and calls member before each value.
func (r *reader) members(member func(name string) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return wrong("has a field without a name")
		}
		if seen[name] {
			return wrong("has the field %s twice; keep one", quoted(name))
		}
		seen[name] = true
		if err := member(name); err != nil {
			return within("."+name, err)
		}
	}
	return r.leave()
}

// array reads an array and calls element before each value of it. A null is no array: array then returns false.
func (r *reader) array(element func() error) (present bool, err error) {
	t, err := r.token()
	if err != nil || t == nil {
		return false, err
	}
	if t != json.Delim('[') {
		return false, wrong("must be an array")
	}
	return true, r.elements(element)
}

// elements reads the rest of an array whose bracket has been read, and calls element before each value.
func (r *reader) elements(element func() error) error {
	if err := r.enter(); err != nil {
		return err
	}
	for i := 0; r.dec.More(); i++ {
		if err := element(); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
	}
	return r.leave()
}

// skip reads over any value, with the duplicates in it refused all the same.
func (r *reader) skip() error {
	t, err := r.token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return r.members(func(string) error { return r.skip() })
	case json.Delim('['):
		return r.elements(r.skip)
	}
	return nil
}

// text reads a string. A null reads as the empty one, as if the field were not there.
func (r *reader) text() (string, error) {
	t, err := r.token()
	if err != nil || t == nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", wrong("must be a string")
	}
	return s, nil
}

// integer reads a number that is written in digits alone and fits an int64.
func (r *reader) integer() (int64, error) {
	t, err := r.token()
	if err != nil {
		return 0, err
	}
	n, ok := t.(json.Number)
	if !ok {
		return 0, wrong("must be a number")
	}
	if strings.Trim(n.String(), "0123456789") != "" {
		return 0, wrong("is %s; it must be a whole number, written without sign, point or exponent", shown(n.String()))
	}
	v, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return 0, wrong("is %s, which is more than 64 bits can count", shown(n.String()))
	}
	return v, nil
}

// skipTexts reads over an array of strings.
func (r *reader) skipTexts() error {
	_, err := r.array(func() error {
		_, err := r.text()
		return err
	})
	return err
}

// skipBase64 reads over a string of base64.
func (r *reader) skipBase64() error {
	s, err := r.text()
	if err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return wrong("is not base64")
	}
	return nil
}

// annotations reads an object of strings. Names that differ in case are different: annotations are the user's.
func (r *reader) annotations() (map[string]string, error) {
	t, err := r.token()
	if err != nil || t == nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, wrong("must be an object")
	}
	all := make(map[string]string)
	err = r.members(func(name string) (err error) {
		all[name], err = r.text()
		return err
	})
	return all, err
}

func (r *reader) enter() error {
	r.depth++
	if r.depth > maxDepth {
		return wrong("nests deeper than %d levels", maxDepth)
	}
	return nil
}

// leave reads the closing brace or bracket.
func (r *reader) leave() error {
	r.depth--
	_, err := r.token()
	return err
}

// token returns the next token. Since the syntax has been checked, it can hardly fail.
func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, invalid("the body ends too early")
	}
	if err != nil {
		return nil, invalid("the body is not JSON: %s", err)
	}
	return t, nil
}
