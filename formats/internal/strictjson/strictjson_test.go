package strictjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
)

func TestAnObjectIsReadMemberByMember(t *testing.T) {
	o, err := strictjson.Parse([]byte(` {"b": "two", "a": { "x": 1 }, "n": null, "\u0061b": [1, {"b": 2}]} `))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range o {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "b a n ab" {
		t.Errorf("the members are %q", got)
	}
	if raw, ok := o.Get("a"); !ok || string(raw) != `{ "x": 1 }` {
		t.Errorf("a is %s, %t", raw, ok)
	}
	if text, err := o.String("b"); err != nil || text != "two" {
		t.Errorf("b is %q, %v", text, err)
	}
	if text, err := o.String("none"); err != nil || text != "" {
		t.Errorf("what is not there is %q, %v", text, err)
	}
	for _, name := range []string{"n", "none"} {
		if inner, err := o.Object(name); err != nil || inner != nil {
			t.Errorf("%s is %v, %v", name, inner, err)
		}
	}
	if inner, err := o.Object("a"); err != nil || len(inner) != 1 || inner[0].Name != "x" {
		t.Errorf("a is %v, %v", inner, err)
	}
	for _, name := range []string{"a", "n", "ab"} {
		if text, err := o.String(name); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s is the text %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"b", "ab"} {
		if inner, err := o.Object(name); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s is the object %v, %v", name, inner, err)
		}
	}
}

func TestWhatTwoProgramsMayReadDifferentlyIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"a name twice":             `{"a":1,"a":2}`,
		"a name twice, escaped":    `{"a":1,"\u0061":2}`,
		"a name twice, below":      `{"a":[{"b":1,"b":1}]}`,
		"two values":               `{} {}`,
		"more behind it":           `{}x`,
		"no object":                `["a"]`,
		"a text":                   `"a"`,
		"null":                     `null`,
		"nothing":                  ``,
		"half of it":               `{"a":`,
		"no UTF-8":                 "{\"a\":\"\xff\"}",
		"a trailing comma":         `{"a":1,}`,
		"a comment":                `{/* */}`,
		"a control character":      "{\"a\":\"\x01\"}",
		"a number that JSON lacks": `{"a":01}`,
		"too many levels":          strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
		"too many lists":           `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
	} {
		if o, err := strictjson.Parse([]byte(text)); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v, %v", what, o, err)
		}
	}
}

// What is taken is what any other reader sees.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a": {"b": [1, "\u0000", null, true]}, "c": "d"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := strictjson.Parse(data)
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		var same map[string]json.RawMessage
		if err := json.Unmarshal(data, &same); err != nil || len(same) != len(o) {
			t.Fatalf("%d members, and %d of %q: %v", len(o), len(same), data, err)
		}
		for _, m := range o {
			if string(same[m.Name]) != string(m.Value) {
				t.Fatalf("%q is %s and %s", m.Name, m.Value, same[m.Name])
			}
		}
	})
}
