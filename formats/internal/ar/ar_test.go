package ar_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/ar"
)

// member returns a member with its padding.
func member(name, data string) string {
	b := append(ar.AppendHeader(nil, name, int64(len(data))), data...)
	if len(data)%2 == 1 {
		b = append(b, '\n')
	}
	return string(b)
}

func members(data string) ([]ar.Member, error) {
	return ar.Members(strings.NewReader(data), int64(len(data)))
}

func TestMembersAreFound(t *testing.T) {
	for _, data := range []string{
		ar.Magic + member("debian-binary", "2.0\n") + member("odd", "abc") + member("empty", ""),
		ar.Magic + member("debian-binary/", "2.0\n") + member("odd/", "abc") + member("empty/", ""),
	} {
		got, err := members(data)
		want := []ar.Member{{"debian-binary", 68, 4}, {"odd", 132, 3}, {"empty", 196, 0}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if got, err := members(ar.Magic); err != nil || len(got) != 0 {
		t.Errorf("an empty archive: %v, %v", got, err)
	}
}

func TestArchivesThatAreNotExactAreMalformed(t *testing.T) {
	good := ar.Magic + member("debian-binary", "2.0\n") + member("odd", "abc")
	if _, err := members(good); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"nothing":                       "",
		"text":                          "hello, world",
		"a thin archive":                "!<thin>\n" + good[8:],
		"the same name twice":           good + member("odd", "def"),
		"the same name in another form": good + member("odd/", "def"),
		"bytes after the end":           good + "x",
		"a newline after the end":       good + "\n",
		"no padding":                    good[:len(good)-1],
		"padding of another kind":       good[:len(good)-1] + "x",
		"a cut member":                  good[:len(good)-3],
		"a cut header":                  good[:100],
		"a header that is none":         strings.Replace(good, "`\n", "``", 1),
		"a size that is negative":       ar.Magic + strings.Replace(member("a", "xx"), "2         `", "-2        `", 1),
		"a size with a sign":            ar.Magic + strings.Replace(member("a", "xx"), "2         `", "+2        `", 1),
		"a size that is none":           ar.Magic + strings.Replace(member("a", "xx"), "2         `", "          `", 1),
		"a size that is huge":           ar.Magic + strings.Replace(member("a", "xx"), "2         `", "9999999999`", 1),
		"a symbol table":                ar.Magic + member("/", "xx"),
		"a table of names":              ar.Magic + member("//", "xx"),
		"a name by number":              ar.Magic + member("/12", "xx"),
		"a name of BSD":                 ar.Magic + member("#1/20", "xx"),
		"a name with a path":            ar.Magic + member("../a", "xx"),
		"a name with a NUL":             ar.Magic + member("a\x00b", "xx"),
		"too many members":              ar.Magic + manyMembers(17),
	} {
		if got, err := members(data); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(member(fmt.Sprintf("m%d", i), "xx"))
	}
	return b.String()
}

func FuzzMembers(f *testing.F) {
	f.Add([]byte(ar.Magic + member("debian-binary", "2.0\n") + member("control.tar.gz", "abc")))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ar.Members(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Errorf("a fault of the archive was taken for one of ours: %v", err)
			}
			return
		}
		end := int64(len(ar.Magic))
		for _, m := range got {
			if m.Offset != end+ar.HeaderSize {
				t.Errorf("bytes before %q belong to nobody", m.Name)
			}
			end = m.Offset + m.Size + m.Size%2
		}
		if end != int64(len(data)) {
			t.Errorf("the members end at %d of %d bytes", end, len(data))
		}
	})
}
