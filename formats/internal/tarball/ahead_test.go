package tarball

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestAheadReadsTheSame(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, aheadSize - 1, aheadSize, aheadSize + 1, 7*aheadSize + 5} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		if err := iotest.TestReader(Ahead(io.NopCloser(bytes.NewReader(data))), data); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		broken := errors.New("broken")
		r := Ahead(io.NopCloser(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))))
		if got, err := io.ReadAll(r); !errors.Is(err, broken) || !bytes.Equal(got, data) {
			t.Errorf("%d bytes and an error give %d bytes and %v", size, len(got), err)
		}
	}
}

// closing counts how often it is closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return nil
}

func TestAheadIsClosedBeforeItsEnd(t *testing.T) {
	endless := &closing{Reader: iotest.DataErrReader(zeros{})}
	r := Ahead(endless)
	if _, err := io.ReadFull(r, make([]byte, 3*aheadSize)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil || endless.closed != 1 {
		t.Errorf("it was closed %d times: %v", endless.closed, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("hostile") }

func TestAPanicAheadIsAnError(t *testing.T) {
	r := Ahead(io.NopCloser(panics{}))
	if _, err := io.ReadAll(r); err == nil {
		t.Error("it reads on")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
