package format_test

import (
	"errors"
	"strings"
	"testing"

	"hallmark/formats/format"
)

func TestAddressesOfFilesArePlain(t *testing.T) {
	for text, plain := range map[string]bool{
		"https://files.example.org/a%2Bb.whl":                     true,
		"http://127.0.0.1:8080/a":                                 true,
		"https://files.example.org":                               true,
		"ftp://files.example.org/a":                               false,
		"https://a:b@files.example.org/a":                         false,
		"https://a@files.example.org/a":                           false,
		"https://files.example.org/a?b":                           false,
		"https://files.example.org/a#b":                           false,
		"https:///a":                                              false,
		"https:a":                                                 false,
		"//files.example.org/a":                                   false,
		"https://files.example.org/a\nb":                          false,
		"https://[/a":                                             false,
		"https://files.example.org/" + strings.Repeat("x", 2<<10): false,
		"a/b": false,
		"":    false,
	} {
		if _, err := format.ParseAddress(text); plain != (err == nil) || err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}
