package formattest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"hallmark/formats/format"
)

// What one hostile upload may cost.
const (
	memoryDefault = 64 << 20
	timeLimit     = 20 * time.Second
	readsPerByte  = 32 // how often a format may read a file
	readsSpare    = 1 << 20
)

func checkBadBytes(tb testing.TB, s Subject) {
	t := &hostile{Subject: s, house: newHouse(tb, s.Format, older)}
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, arch := range s.Archs {
		u := s.Upload(tb, sampleName(0), s.Versions[0], arch)
		for _, n := range lengths(rnd, len(u.Body)) {
			t.refuse(fmt.Sprintf("the first %d of %d bytes", n, len(u.Body)), u, u.Body[:n])
		}
		for range 400 {
			bit := rnd.IntN(8 * len(u.Body))
			_ = t.survive(fmt.Sprintf("a package with bit %d flipped", bit), u, flipped(u.Body, bit))
		}
		for _, junk := range [][]byte{{0}, {'\n'}, []byte("junk"), u.Body, make([]byte, 512)} {
			t.refuse(fmt.Sprintf("a package with %d bytes behind it", len(junk)), u, slices.Concat(u.Body, junk))
			t.refuse(fmt.Sprintf("a package with %d bytes before it", len(junk)), u, slices.Concat(junk, u.Body))
		}
		t.pad(u)
	}
	u := s.Upload(tb, sampleName(0), s.Versions[0], s.Archs[0])
	for range 200 {
		body := make([]byte, rnd.IntN(4096))
		for i := range body {
			body[i] = byte(rnd.Uint32())
		}
		t.refuse("random bytes", u, body)
		t.refuse("a package's head and random bytes", u, slices.Concat(u.Body[:rnd.IntN(min(256, len(u.Body)))], body))
	}
	for _, u := range s.Extra {
		for range 100 {
			if len(u.Body) > 0 {
				// What is cut off may be whole: a text has no end of its own.
				_ = t.survive("a part of "+u.Path, u, u.Body[:rnd.IntN(len(u.Body))])
				_ = t.survive(u.Path+" with a bit flipped", u, flipped(u.Body, rnd.IntN(8*len(u.Body))))
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(s.Malformed)) {
		t.malformed(what, s.Malformed[what])
	}
}

// A hostile sends what is no package.
type hostile struct {
	Subject
	house *House
}

// lengths returns lengths at which a file of some size is cut off: all of its head, some of the rest, and near the end.
func lengths(rnd *rand.Rand, size int) []int {
	var all []int
	for n := range min(size, 128) {
		all = append(all, n)
	}
	for range 128 {
		all = append(all, rnd.IntN(size))
	}
	for n := max(0, size-48); n < size; n++ {
		all = append(all, n)
	}
	return all
}

func flipped(data []byte, bit int) []byte {
	data = bytes.Clone(data)
	data[bit/8] ^= 1 << (bit % 8)
	return data
}

// refuse sends bytes that are no package to the address of one.
func (t *hostile) refuse(what string, u Upload, body []byte) {
	t.house.tb.Helper()
	if bytes.Equal(body, u.Body) {
		return
	}
	if err := t.survive(what, u, body); err == nil && !t.Opaque {
		t.house.guard.breach("Parse takes %s for a package", what)
	} else if err != nil && t.Opaque {
		t.house.guard.breach("any bytes are said to be a package, and Parse refuses %s: %v", what, err)
	}
}

// survive sends bytes that may be a package or not. Those that are go the whole way.
func (t *hostile) survive(what string, u Upload, body []byte) error {
	t.house.tb.Helper()
	u.Body = body
	changes, err := t.unwrap(what, u)
	for _, c := range changes {
		if err != nil {
			return err
		}
		if c.op.Kind != format.Put {
			continue
		}
		blob := NewBlob(c.body)
		if err = t.measured(what, c.op, blob, blob); err == nil {
			_, err = t.house.stage(c.op, c.body)
		}
	}
	return err
}

// unwrap returns what an upload asks for, whose address is good.
func (t *hostile) unwrap(what string, u Upload) (changes []change, err error) {
	t.house.tb.Helper()
	op, err := t.house.guard.Route(u.request())
	if err != nil {
		t.house.tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
	}
	if op.Kind != format.Unwrap {
		return []change{{op, u.Body}}, nil
	}
	err = t.cheap("Unwrap of "+what, int64(len(u.Body)), nil, func() error {
		changes, err = t.house.guard.unwrap(u.request(), u.Body)
		return err
	})
	return changes, err
}

// pad sends a package with many zeros behind it.
func (t *hostile) pad(u Upload) {
	t.house.tb.Helper()
	op, err := t.house.guard.Route(u.request())
	if err != nil {
		t.house.tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
	}
	blob := padded{NewBlob(u.Body), 64 << 20}
	if err := t.measured("a package with zeros behind it", op, blob, blob.Blob); err == nil && !t.Opaque {
		t.house.guard.breach("Parse takes a package with zeros behind it")
	}
}

// malformed sends what the format's own test says is malformed, be it for its bytes or its address.
func (t *hostile) malformed(what string, u Upload) {
	t.house.tb.Helper()
	_, err := t.house.guard.Route(u.request())
	if err == nil {
		err = t.survive(what, u, u.Body)
	}
	if !errors.Is(err, format.ErrMalformed) {
		t.house.guard.breach("an upload with a fault (%s) gets %v, want format.ErrMalformed", what, err)
	}
	t.house.tb.Logf("%s: %v", what, err)
}

// measured calls Parse and ends the test if that costs too much. An error of Parse is one of format.ErrMalformed.
func (t *hostile) measured(what string, op format.Op, b format.Blob, reads *Blob) error {
	t.house.tb.Helper()
	return t.cheap("Parse of "+what, b.Size(), reads, func() error {
		_, err := t.house.guard.parse(op, b, nil)
		return err
	})
}

// cheap ends the test if what runs costs too much.
func (t *hostile) cheap(what string, size int64, reads *Blob, run func() error) error {
	t.house.tb.Helper()
	limit := t.Memory
	if limit == 0 {
		limit = memoryDefault
	}
	var before, after runtime.MemStats
	start := time.Now()
	runtime.ReadMemStats(&before)
	err := run()
	runtime.ReadMemStats(&after)
	switch took := int64(after.TotalAlloc - before.TotalAlloc); {
	case took > limit:
		t.house.guard.breach("%s allocates %d MiB, more than %d", what, took>>20, limit>>20)
	case reads != nil && reads.Read() > readsPerByte*size+readsSpare:
		t.house.guard.breach("%s reads %d bytes of %d", what, reads.Read(), size)
	case time.Since(start) > timeLimit:
		t.house.guard.breach("%s takes %v", what, time.Since(start))
	case err != nil && !errors.Is(err, format.ErrMalformed):
		t.house.guard.breach("%s returns %v, want format.ErrMalformed", what, err)
	}
	return err
}
