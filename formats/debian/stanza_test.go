package debian

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"hallmark/formats/format"
)

func TestStanzasAreSplitAtBlankLines(t *testing.T) {
	long := strings.Repeat("x", maxText-2)
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"\n\n\n", nil},
		{"a: 1\n", []string{"a: 1\n\n"}},
		{"a: 1", []string{"a: 1\n\n"}},
		{"a: 1\n\n", []string{"a: 1\n\n"}},
		{"\n\na: 1\nb: 2\n\n\n\nc: 3\n", []string{"a: 1\nb: 2\n\n", "c: 3\n\n"}},
		{"a: 1\n \nb: 2\n\nc: 3", []string{"a: 1\n \nb: 2\n\n", "c: 3\n\n"}},
		{long + "\n\nb: 2\n", []string{long + "\n\n", "b: 2\n\n"}},
		{strings.Repeat("a: 1\nb: 2\n\n", 50_000), slices.Repeat([]string{"a: 1\nb: 2\n\n"}, 50_000)},
	} {
		readers := map[string]func(io.Reader) io.Reader{"at once": iotest.DataErrReader}
		if len(tt.text) < 100 {
			readers["byte by byte"] = iotest.OneByteReader
		}
		for how, reader := range readers {
			var got []string
			err := eachStanza(reader(strings.NewReader(tt.text)), func(stanza []byte) error {
				got = append(got, string(stanza))
				return nil
			})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%.40q, %s: %d stanzas, %v, want %d", tt.text, how, len(got), err, len(tt.want))
			}
		}
	}
}

func TestAStanzaThatIsTooLongIsRefused(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 2*maxText), "a: 1\n\n" + strings.Repeat("x\n", maxText) + "\n"} {
		err := eachStanza(strings.NewReader(text), func([]byte) error { return nil })
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}

func TestStanzasEndWithTheirReader(t *testing.T) {
	broken, enough := errors.New("broken"), errors.New("enough")
	all := func([]byte) error { return nil }
	if err := eachStanza(io.MultiReader(strings.NewReader("a: 1\n\nb"), iotest.ErrReader(broken)), all); !errors.Is(err, broken) {
		t.Errorf("a reader that breaks: %v", err)
	}
	if err := eachStanza(strings.NewReader("a: 1\n\nb: 2\n\n"), func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a function that ends it: %v", err)
	}
}
