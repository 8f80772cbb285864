package config

import (
	"strings"
	"testing"
)

func TestMeant(t *testing.T) {
	known := []string{"url", "order", "timeout", "token_origins"}
	for _, tt := range []struct{ name, word, want string }{
		{"a letter left out", "timout", " (did you mean timeout?)"},
		{"a letter too many", "urll", " (did you mean url?)"},
		{"two letters exchanged", "oredr", " (did you mean order?)"},
		{"capitals", "URL", " (did you mean url?)"},
		{"an abbreviation", "token", " (did you mean token_origins?)"},
		{"the nearest of several", "torder", " (did you mean order?)"},
		{"nothing near", "password", " (known: url, order, timeout, token_origins)"},
		{"no text", "", " (known: url, order, timeout, token_origins)"},
		{"a very long word", strings.Repeat("url", 1000), " (known: url, order, timeout, token_origins)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := meant(tt.word, known); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
