package deb822_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
)

func TestStanzaKeepsFieldsInTheirOrder(t *testing.T) {
	const text = "Package: hello\nX-Odd_Name.1:  two words\t \nDepends:\nFiles:\n abc 1 a\n def 2 b  \nDescription: a greeting\n with a\n .\n   long\ttext ü\n"
	want := deb822.Stanza{
		{"Package", "hello"}, {"X-Odd_Name.1", "two words"}, {"Depends", ""}, {"Files", "\n abc 1 a\n def 2 b"},
		{"Description", "a greeting\n with a\n .\n   long\ttext ü"},
	}
	for name, text := range map[string]string{
		"as it is": text, "without a newline at its end": text[:len(text)-1], "between blank lines": "\n" + text + "\n\n",
	} {
		got, err := deb822.Parse([]byte(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got := want.Get("pACKAGE"); got != "hello" {
		t.Errorf("the case of a name matters: %q", got)
	}
	if _, ok := want.Lookup("Depends"); !ok {
		t.Error("a field without a value is not there")
	}
	if got, ok := want.Lookup("Nothing"); ok || got != "" {
		t.Errorf("a field that is not there is %q", got)
	}
}

func TestWhatIsAppendedIsParsedAgain(t *testing.T) {
	stanza := deb822.Stanza{{"Package", "hello"}, {"Empty", ""}, {"Files", "\n abc 1 a\n def 2 b"}, {"Description", "a\n b\n ."}}
	var text []byte
	for _, f := range stanza {
		text = deb822.Append(text, f)
	}
	if want := "Package: hello\nEmpty:\nFiles:\n abc 1 a\n def 2 b\nDescription: a\n b\n .\n"; string(text) != want {
		t.Errorf("%q", text)
	}
	if got, err := deb822.Parse(text); err != nil || !slices.Equal(got, stanza) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTextsThatReadersTakeDifferentlyAreMalformed(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                    "",
		"newlines alone":             "\n\n",
		"two stanzas":                "A: 1\n\nB: 2\n",
		"a line of spaces":           "A: 1\n  \n b\n",
		"a field twice":              "A: 1\nB: 2\nA: 3\n",
		"a field twice in two cases": "Package: 1\npackage: 2\n",
		"a comment":                  "A: 1\n# comment: yes\n",
		"a line without a colon":     "A: 1\nB\n",
		"a name with a space":        "A : 1\n",
		"a name that is empty":       ": 1\n",
		"a name that begins with -":  "-A: 1\n",
		"a name beyond ASCII":        "Ä: 1\n",
		"a continuation of nothing":  " a\nB: 1\n",
		"a carriage return":          "A: 1\r\nB: 2\r\n",
		"a NUL":                      "A: 1\x00\n",
		"an escape":                  "A: \x1b[2J\n",
		"an escape of one byte":      "A: \u009b2J\n",
		"bytes that are not UTF-8":   "A: \xff\n",
		"a frame around the text":    "-----BEGIN PGP SIGNED MESSAGE-----\n\nA: 1\n",
		"too many fields":            manyFields(),
	} {
		if got, err := deb822.Parse([]byte(text)); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func manyFields() string {
	var b strings.Builder
	for i := range 1001 {
		b.WriteString("F" + strings.Repeat("x", i%90) + string(rune('a'+i/90)) + ": 1\n")
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("Package: hello\nDescription: a\n b\n .\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		stanza, err := deb822.Parse(text)
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		var again []byte
		for _, field := range stanza {
			again = deb822.Append(again, field)
		}
		if got, err := deb822.Parse(again); err != nil || !slices.Equal(got, stanza) {
			t.Errorf("%q became %q, %v", stanza, got, err)
		}
	})
}
