package formattest

import (
	"path"
	"testing"

	"hallmark/formats/format"
)

// Fuzz sends uploads of a fuzzer's choice the whole way of an upload that is not published. The corpus begins with the
// samples.
func Fuzz(f *testing.F, s Subject) {
	for _, u := range append(s.samples(f), s.Extra...) {
		f.Add(u.method(), u.Path, u.Body)
	}
	for _, u := range s.Malformed {
		f.Add(u.method(), u.Path, u.Body)
	}
	f.Fuzz(func(t *testing.T, method, p string, body []byte) {
		if !isRequestPath(p) {
			t.Skip("the house refuses such a path before a format sees it")
		}
		h := &hostile{Subject: s, house: newHouse(t, s.Format, older)}
		op, err := h.house.guard.Route(format.Request{Method: method, Path: p})
		if err != nil || op.Kind != format.Put {
			return
		}
		_ = h.survive("an upload", Upload{Method: method, Path: p, Body: body}, body)
	})
}

// isRequestPath reports whether a path is one that a format.Request can have.
func isRequestPath(p string) bool {
	clean := path.Clean("/" + p)[1:]
	return p == "" || pathFault(clean) == "" && (p == clean || p == clean+"/")
}
