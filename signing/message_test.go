package signing

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestMessagesHaveTheSameStates(t *testing.T) {
	text := strings.Repeat("message", 1000)
	hashes := []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	hashed, err := ReadHashed(strings.NewReader(text), hashes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hashes {
		want := h.New()
		want.Write([]byte(text + "more"))
		for name, m := range map[string]Message{"bytes": Bytes(text), "hashed": hashed} {
			for range 2 { // what is written to a state stays there
				s, err := m.State(h)
				if err != nil {
					t.Fatal(err)
				}
				s.Write([]byte("more"))
				if !bytes.Equal(s.Sum(nil), want.Sum(nil)) {
					t.Errorf("%s: another %v", name, h)
				}
			}
		}
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s, _ := hashed.State(crypto.SHA256)
			s.Write([]byte("more"))
		})
	}
	group.Wait()
}

func TestAHashThatIsNotKeptIsNotMadeUp(t *testing.T) {
	m, err := NewHashed(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.State(crypto.SHA512)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want errors.ErrUnsupported", err)
	}
	if _, err := NewHashed(crypto.MD4); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("MD4: %v", err)
	}
	if _, err := Bytes("x").State(crypto.MD4); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("MD4: %v", err)
	}
}
