package ruby

import (
	"strings"

	"hallmark/formats/format"
)

// An object is one of a class of Ruby's, with what its class has dumped or its instance variables.
type object struct {
	class  string
	dumped any
	fields map[string]any
}

type symbol string

const (
	maxMarshalDepth  = 12
	maxMarshalValues = 8 << 20
)

// An unmarshaler reads what Ruby's Marshal wrote, into nil, bool, int, string, symbol, []any and *object. It makes nothing of
// what it reads: an object is a name and values.
type unmarshaler struct {
	rest    string
	symbols []symbol
	objects []any // what may be referred to, in the order in which Ruby numbers it
	values  int
	err     error
}

// unmarshal reads one value and wants nothing behind it.
func unmarshal(what string, data []byte) (any, error) {
	text, ok := strings.CutPrefix(string(data), marshalHead)
	u := &unmarshaler{rest: text}
	if !ok {
		u.fail()
	}
	v := u.value(0)
	if u.err != nil || u.rest != "" {
		return nil, format.Malformedf("%s is not what Ruby's Marshal 4.8 writes of gems", what)
	}
	return v, nil
}

func (u *unmarshaler) fail() {
	u.err, u.rest = format.ErrMalformed, ""
}

func (u *unmarshaler) byte() byte {
	if u.rest == "" {
		u.fail()
		return 0
	}
	b := u.rest[0]
	u.rest = u.rest[1:]
	return b
}

func (u *unmarshaler) integer() int {
	switch b := int8(u.byte()); {
	case b == 0:
		return 0
	case b > 4:
		return int(b) - 5
	case b < -4:
		return int(b) + 5
	case b > 0:
		n := 0
		for i := range int(b) {
			n |= int(u.byte()) << (8 * i)
		}
		return n
	default:
		n := -1
		for i := range -int(b) {
			n &^= 0xff << (8 * i)
			n |= int(u.byte()) << (8 * i)
		}
		return n
	}
}

// length reads how many things follow, each of at least one byte.
func (u *unmarshaler) length() int {
	n := u.integer()
	if n < 0 || n > len(u.rest) {
		u.fail()
		return 0
	}
	return n
}

func (u *unmarshaler) raw() string {
	n := u.length()
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

// remember numbers an object, and returns its number.
func (u *unmarshaler) remember(v any) int {
	u.objects = append(u.objects, v)
	return len(u.objects) - 1
}

func (u *unmarshaler) symbol() symbol {
	switch u.byte() {
	case ':':
		s := symbol(u.raw())
		u.symbols = append(u.symbols, s)
		return s
	case ';':
		if n := u.integer(); n >= 0 && n < len(u.symbols) {
			return u.symbols[n]
		}
	}
	u.fail()
	return ""
}

func (u *unmarshaler) value(depth int) any {
	if u.values++; u.err != nil || depth > maxMarshalDepth || u.values > maxMarshalValues || u.rest == "" {
		u.fail()
		return nil
	}
	switch kind := u.rest[0]; kind {
	case ':', ';':
		return u.symbol()
	default:
		u.rest = u.rest[1:]
		return u.kind(kind, depth)
	}
}

func (u *unmarshaler) kind(kind byte, depth int) any {
	switch kind {
	case '0':
		return nil
	case 'T', 'F':
		return kind == 'T'
	case 'i':
		return u.integer()
	case '"':
		s := u.raw()
		u.remember(s)
		return s
	case 'I':
		return u.withVariables(depth)
	case '[':
		return u.array(depth)
	case '{':
		return u.hash(depth)
	case '@':
		if n := u.integer(); n >= 0 && n < len(u.objects) {
			return u.objects[n]
		}
	case 'U':
		o := &object{class: string(u.symbol())}
		u.remember(o)
		o.dumped = u.value(depth + 1)
		return o
	case 'u':
		o := &object{class: string(u.symbol()), dumped: u.raw()}
		u.remember(o)
		return o
	case 'o':
		o := &object{class: string(u.symbol())}
		u.remember(o)
		o.fields = u.variables(depth)
		return o
	}
	u.fail()
	return nil
}

// withVariables reads a string or an object with its instance variables, such as its encoding. What a class has dumped is
// numbered after those.
func (u *unmarshaler) withVariables(depth int) any {
	if strings.HasPrefix(u.rest, "u") {
		u.rest = u.rest[1:]
		o := &object{class: string(u.symbol()), dumped: u.raw()}
		u.variables(depth)
		u.remember(o)
		return o
	}
	v := u.value(depth + 1)
	u.variables(depth)
	return v
}

func (u *unmarshaler) variables(depth int) map[string]any {
	all := map[string]any{}
	for range u.length() {
		name := u.symbol()
		all[string(name)] = u.value(depth + 1)
		if u.err != nil {
			break
		}
	}
	return all
}

func (u *unmarshaler) array(depth int) any {
	n := u.length()
	at := u.remember(nil)
	all := make([]any, 0, min(n, 1024))
	for range n {
		all = append(all, u.value(depth+1))
		if u.err != nil {
			return nil
		}
	}
	u.objects[at] = all
	return all
}

// hash passes over a hash: nothing of an index needs one.
func (u *unmarshaler) hash(depth int) any {
	u.remember(nil)
	for range u.length() {
		u.value(depth + 1)
		u.value(depth + 1)
		if u.err != nil {
			break
		}
	}
	return nil
}
