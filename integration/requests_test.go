package integration

import (
	"strings"
	"testing"

	"hallmark/integration/world"
)

// count tells how many requests have the method, the end of the path, and the status.
func count(requests []world.Request, method, pathEnd string, status int) int {
	var n int
	for _, r := range requests {
		if r.Method == method && strings.HasSuffix(r.Path, pathEnd) && r.Status == status {
			n++
		}
	}
	return n
}

// lines returns requests as text, for the message of a failure.
func lines(requests []world.Request) string {
	var text strings.Builder
	for _, r := range requests {
		text.WriteString(r.Line() + "\n")
	}
	return text.String()
}

// digest returns the digest that ref names.
func digest(t *testing.T, crane *world.Crane, ref string) string {
	t.Helper()
	return strings.TrimSpace(crane.Run(t, "digest", ref))
}
