package formattest

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
)

func checkRoutes(tb testing.TB, s Subject) {
	h := s.filled(tb)
	uploads := s.samples(tb)
	whole := slices.Concat(slices.Sorted(maps.Keys(h.Indexes())), slices.Sorted(maps.Keys(h.Packages())))
	for _, u := range uploads {
		whole = append(whole, u.Path)
	}
	words := nasty()
	for _, p := range whole {
		words = append(words, strings.Split(p, "/")...)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	parsed := 0
	for n := range 20_000 {
		r := format.Request{
			Method: []string{"GET", "PUT", "POST", "DELETE", "PATCH", ""}[rnd.IntN(6)],
			Path:   randomPath(rnd, words, whole),
		}
		if n == 0 {
			r.Path = ""
		}
		op, err := h.guard.Route(r)
		again, errAgain := h.guard.Route(r)
		if !reflect.DeepEqual(op, again) || (err == nil) != (errAgain == nil) {
			h.guard.breach("Route(%s %q) returns %+v, %v and then %+v, %v", r.Method, r.Path, op, err, again, errAgain)
		}
		if err == nil && op.Kind == format.Put && parsed < 300 {
			// What a package is called and where it stands may come from the address.
			parsed++
			_, _ = h.guard.Parse(op, NewBlob(uploads[rnd.IntN(len(uploads))].Body), nil)
		}
	}
}

// randomPath returns a path as a Request has it.
func randomPath(rnd *rand.Rand, words, whole []string) string {
	var segments []string
	if rnd.IntN(3) == 0 {
		segments = strings.Split(whole[rnd.IntN(len(whole))], "/")
		switch i := rnd.IntN(len(segments)); rnd.IntN(4) {
		case 0:
			segments[i] = words[rnd.IntN(len(words))]
		case 1:
			segments = slices.Delete(segments, i, i+1)
		case 2:
			segments = slices.Insert(segments, i, words[rnd.IntN(len(words))])
		case 3:
			segments[i] = cut(rnd, segments[i])
		}
	} else {
		for range rnd.IntN(7) {
			segments = append(segments, words[rnd.IntN(len(words))])
		}
	}
	p := strings.Join(segments, "/")
	if rnd.IntN(6) == 0 && p != "" {
		p += "/"
	}
	for len(p) > 2048 {
		_, p, _ = strings.Cut(p, "/")
	}
	return p
}

// cut returns a part of a word, or the word with something behind it.
func cut(rnd *rand.Rand, word string) string {
	runes := []rune(word)
	switch i := rnd.IntN(len(runes)); rnd.IntN(3) {
	case 0:
		word = string(runes[:i])
	case 1:
		word = string(runes[i:])
	default:
		word += nasty()[rnd.IntN(len(nasty()))]
	}
	if word == "" || word == "." || word == ".." {
		return "x"
	}
	return word
}
