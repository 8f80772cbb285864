package formattest

import (
	"bytes"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

func checkSetup(tb testing.TB, s Subject) {
	empty, full := NewHouse(tb, s.Format), s.filled(tb)
	for _, h := range []*House{empty, full} {
		r, ok := h.guard.format.(format.Renderer)
		if !ok {
			h.guard.breach("it is no format.Renderer, so that no client can be set up")
		}
		setup := func(site format.Site, client string) (text []byte, err error) {
			h.guard.calling("Setup for "+client, func() { text, err = r.Setup(site, client) })
			return text, err
		}
		for _, client := range h.guard.spec.Clients {
			text, err := setup(h.rendererSite(), client)
			if err != nil {
				h.guard.breach("Setup for %q: %v", client, err)
			}
			h.checkScript(client, text)
			again, err := setup(h.rendererSite(), client)
			if err != nil || !bytes.Equal(text, again) {
				h.guard.breach("Setup for %q is not the same each time", client)
			}
		}
		for _, client := range []string{"", "no-such-client", "../x"} {
			if _, err := setup(h.rendererSite(), client); err == nil {
				h.guard.breach("Setup for %q, which is no client, is no error", client)
			} else if !errors.Is(err, fs.ErrNotExist) {
				h.guard.breach("Setup for %q gets %v, want fs.ErrNotExist", client, err)
			}
		}
		var err error
		none := format.Op{Kind: format.Render, Document: "no/such"}
		h.guard.calling("Render", func() { _, err = r.Render(h.rendererSite(), none) })
		if !errors.Is(err, fs.ErrNotExist) {
			h.guard.breach("Render of a document that there is not gets %v, want fs.ErrNotExist", err)
		}
	}
}

// checkScript looks at a set-up text.
func (h *House) checkScript(client string, text []byte) {
	h.tb.Helper()
	site, script := h.rendererSite(), string(text)
	switch {
	case !strings.HasPrefix(script, "#"):
		h.guard.breach("the set-up text for %q does not begin with what it does", client)
	case !strings.HasSuffix(script, "\n") || hasControl(strings.NewReplacer("\n", "", "\t", "").Replace(script)):
		h.guard.breach("the set-up text for %q does not end its last line, or has control characters", client)
	case !strings.Contains(script, site.URL) && !strings.Contains(script, site.SnapshotURL):
		h.guard.breach("the set-up text for %q does not name the repository's address", client)
	case !strings.Contains(script, site.KeysURL) && !h.namesKeys(script):
		h.guard.breach("the set-up text for %q does not name the repository's keys", client)
	case h.namesSidecarKeys(script):
		h.guard.breach("the set-up text for %q holds a key of sidecars, which no package manager must trust", client)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		h.tb.Logf("no shell reads the set-up text: %v", err)
		return
	}
	cmd := exec.Command(shell, "-n")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.guard.breach("the set-up text for %q is no shell script: %v\n%s\n%s", client, err, out, script)
	}
}

// namesKeys reports whether a text has all keys that a client trusts, in themselves or by the names of their files.
func (h *House) namesKeys(script string) bool {
	for _, key := range h.Trusted().Keys() {
		if !strings.Contains(script, key.File) && !strings.Contains(script, string(key.Armored)+string(key.PEM)) {
			return false
		}
	}
	return true
}

// namesSidecarKeys reports whether a text has a key of sidecars.
func (h *House) namesSidecarKeys(script string) bool {
	return slices.ContainsFunc(h.ring.public().Of(scheme.File, scheme.OpenPGP), func(key format.Key) bool {
		return strings.Contains(script, string(key.Armored))
	})
}
