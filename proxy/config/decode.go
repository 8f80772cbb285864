package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A decoder lays a YAML file over settings. It is stricter than the YAML
// library: every key must be known and stand once, every value must have the
// type of its setting, and anchors' aliases and merge keys are refused, so that
// a file cannot stand for more than it shows.
type decoder struct {
	file    string
	origins origins
	formats []PackageFormat
	problems
}

// decode lays the YAML text of a file over c and notes in from where each
// setting stands. Of a file with several faults it names all. An empty file
// changes nothing.
func decode(file string, text []byte, c *Config, from origins, formats []PackageFormat) error {
	d := &decoder{file: file, origins: from, formats: formats}
	from[""] = file
	root, err := d.document(text)
	if err != nil || root == nil {
		return err
	}
	d.value("", root, reflect.ValueOf(c).Elem())
	return d.err()
}

// document parses text, which must hold one YAML document or none. The node is
// nil where there is none.
func (d *decoder) document(text []byte) (*yaml.Node, error) {
	yamlDecoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := yamlDecoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, d.syntaxError(err)
	}
	switch err := yamlDecoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s: a second YAML document begins here: keep one, and remove the --- before it", d.at(&second))
	case !errors.Is(err, io.EOF):
		return nil, d.syntaxError(err)
	}
	return first.Content[0], nil
}

// syntaxError puts an error of the YAML library, which reads "yaml: line 3: …",
// into our form.
func (d *decoder) syntaxError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s:%s: not YAML: %s", d.file, m[1], strings.TrimPrefix(text, m[0]))
	}
	return fmt.Errorf("%s: not YAML: %s", d.file, text)
}

// at returns the position of a node as file:line:column.
func (d *decoder) at(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", d.file, n.Line, n.Column)
}

// value reads a node into the setting at p. A mapping without a value
// (`limits:`) is an empty mapping; whatever means more when it is there than
// when it is not must have a value.
func (d *decoder) value(p place, n *yaml.Node, v reflect.Value) {
	if _, ok := d.origins[p]; !ok {
		d.origins[p] = d.at(n)
	}
	kind := v.Kind()
	switch {
	case n.Kind == yaml.AliasNode:
		d.add(d.at(n), "%v is an alias (*%s): write the value out", p, n.Value)
	case isNull(n) && (kind == reflect.Struct || kind == reflect.Map):
		d.emptyMap(v)
	case isNull(n) && kind != reflect.Interface:
		d.add(d.at(n), "%v has no value: write %s, or remove the key", p, wanted(v.Type()))
	case kind == reflect.Interface:
		d.untyped(p, n, v)
	case kind == reflect.Pointer && n.Kind == yaml.MappingNode:
		v.Set(fresh(v.Type().Elem()))
		d.value(p, n, v.Elem())
	case kind == reflect.Struct && n.Kind == yaml.MappingNode:
		d.fields(p, n, v)
	case kind == reflect.Map && n.Kind == yaml.MappingNode:
		d.mapEntries(p, n, v)
	case kind == reflect.Slice && n.Kind == yaml.SequenceNode:
		d.items(p, n, v)
	case isScalar(v.Type()) && n.Kind == yaml.ScalarNode:
		d.scalar(p, n, v)
	default:
		d.add(d.at(n), "%v is %s, must be %s", p, describe(n), wanted(v.Type()))
	}
}

// fields reads a mapping into a struct.
func (d *decoder) fields(p place, n *yaml.Node, v reflect.Value) {
	fields := map[string]reflect.Value{}
	var known []string
	for _, s := range settings(v) {
		fields[s.name] = s.value
		known = append(known, s.name)
	}
	if repo, ok := v.Addr().Interface().(*Repository); ok {
		for name, settings := range d.formatSettings(n, repo) {
			fields[name] = settings
			known = append(known, name)
		}
	}
	d.entries(p, n, func(key, value *yaml.Node) {
		field, ok := fields[key.Value]
		if !ok {
			d.add(d.at(key), "unknown key %s%s", key.Value, meant(key.Value, known))
			return
		}
		d.value(p.key(key.Value), value, field)
	})
}

// mapEntries reads a mapping into a map.
func (d *decoder) mapEntries(p place, n *yaml.Node, v reflect.Value) {
	d.emptyMap(v)
	d.entries(p, n, func(key, value *yaml.Node) {
		elem := fresh(v.Type().Elem()).Elem()
		d.value(p.key(key.Value), value, elem)
		v.SetMapIndex(reflect.ValueOf(key.Value), elem)
	})
}

// entries calls entry for every key of a mapping that is text and stands for
// the first time, and notes the others as problems.
func (d *decoder) entries(p place, n *yaml.Node, entry func(key, value *yaml.Node)) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch earlier := first[key.Value]; {
		case key.ShortTag() == "!!merge":
			d.add(d.at(key), "a merge key (<<) is not read here: write the keys out")
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.add(d.at(key), "a key is %s, must be text: put it in quotes", describe(key))
		case earlier != nil:
			d.add(d.at(key), "key %s stands twice, first at %s: remove one of them", key.Value, d.at(earlier))
		default:
			first[key.Value] = key
			if value.Kind != yaml.ScalarNode {
				d.origins[p.key(key.Value)] = d.at(key)
			}
			entry(key, value)
		}
	}
}

// items reads a sequence into a slice, which is not nil after that.
func (d *decoder) items(p place, n *yaml.Node, v reflect.Value) {
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(p.item(i), item, list.Index(i))
	}
	v.Set(list)
}

// scalar reads a plain value. Only a size may be written as a number.
func (d *decoder) scalar(p place, n *yaml.Node, v reflect.Value) {
	tag := n.ShortTag()
	ok := tag == "!!str"
	switch v.Interface().(type) {
	case bool:
		ok = tag == "!!bool"
	case Size:
		ok = ok || tag == "!!int"
	}
	if !ok {
		d.add(d.at(n), "%v is %s, must be %s%s", p, describe(n), wanted(v.Type()), quoteHint(v))
		return
	}
	if err := setScalar(v, n.Value); err != nil {
		d.add(d.at(n), "%v: %w", p, err)
	}
}

// untyped reads a parameter of a storage driver: text, a whole number, or true
// or false. What the driver takes is checked later.
func (d *decoder) untyped(p place, n *yaml.Node, v reflect.Value) {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!bool":
		var value any
		if n.Kind == yaml.ScalarNode && n.Decode(&value) == nil {
			v.Set(reflect.ValueOf(value))
			return
		}
	}
	d.add(d.at(n), "%v is %s, must be text, a whole number, or true or false", p, describe(n))
}

// emptyMap makes v, if it is a map, one that is not nil.
func (d *decoder) emptyMap(v reflect.Value) {
	if v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
}

// isNull reports whether a key has no value.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// quoteHint is the way out where a plain value looks like something other than
// the text that it should be.
func quoteHint(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return ": put it in quotes"
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return ", with its unit"
	}
	return ""
}

// describe says what a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	case "!!timestamp":
		return "a date"
	default:
		return "of type " + n.ShortTag()
	}
}
