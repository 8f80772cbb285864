package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// command is the proxy's program with the credentials of the house's user, as docker login leaves them. Its configuration
// says where the proxy listens, too, since that is what signatures say.
func (h *house) command(t *testing.T) world.Command {
	t.Helper()
	c := h.proxy.Command(t)
	c.Env = append(append(c.Env, "HALLMARK_LISTEN="+h.proxy.Addr), h.crane(t).Env...)
	return c
}

// Every adopter has images that were there before. They are signed through the running proxy, and by the command itself
// where none runs.
func TestRepoSign(t *testing.T) {
	in(t, everywhere, settings{}, func(t *testing.T, h *house) {
		crane := h.crane(t)
		for _, image := range []string{"team/app:1.0.0", "team/app:2.0.0", "other:1.0.0"} {
			if err := crane.Push(t, h.direct()+"/"+image); err != nil {
				t.Fatal(err)
			}
		}
		if err := crane.PushIndex(t, h.direct()+"/multi:1.0.0"); err != nil {
			t.Fatal(err)
		}
		h.notVerified(t, h.ref("team/app:1.0.0"))
		proxy := h.command(t)
		proxy.Refuses(t, []string{"not signed"}, "repo", "verify", "images")

		out := proxy.Run(t, "repo", "sign", "images", "team/app:1.0.0")
		if !strings.Contains(out, "team/app:1.0.0@sha256:") || strings.Contains(out, "2.0.0") {
			t.Errorf("one tag was to be signed: %s", out)
		}
		h.verified(t, h.ref("team/app:1.0.0"))
		h.notVerified(t, h.ref("team/app:2.0.0"))

		if status := h.proxy.Terminate(); status != 0 {
			t.Errorf("the proxy ended with status %d", status)
		}
		proxy.Run(t, "repo", "sign", "images")
		proxy.Run(t, "repo", "verify", "images")
		h.proxy.Start(t)
		h.verified(t, h.ref("team/app:2.0.0"), h.ref("other:1.0.0"), h.ref("multi:1.0.0"))
		if out := proxy.Run(t, "repo", "verify"); !strings.Contains(out, "4 tags, all signed") {
			t.Errorf("repo verify says: %s", out)
		}
		if out := proxy.Run(t, "repo", "sign", "images"); !strings.Contains(out, "0 manifests signed") {
			t.Errorf("everything is signed already: %s", out)
		}
		proxy.Refuses(t, []string{"nothing"}, "repo", "sign", "nothing")
	})
}

// Is this image signed by this repository's key? The data folder says which key that is, or --key does.
func TestVerifyCommand(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		proxy := h.command(t)
		for _, args := range [][]string{
			{h.ref("team/app:1.0.0")},
			{h.ref("team/app@" + d), "--key", h.key()},
		} {
			if out := proxy.Run(t, append([]string{"verify"}, args...)...); !strings.Contains(out, d) {
				t.Errorf("verify %q says: %s", args, out)
			}
		}
		var found struct{ Digest, Key string }
		if err := json.Unmarshal([]byte(proxy.Run(t, "verify", "--json", h.ref("team/app:1.0.0"))), &found); err != nil || found.Digest != d {
			t.Errorf("verify --json: %+v, %v", found, err)
		}
		pem := filepath.Join(t.TempDir(), "cosign.pub")
		if err := os.WriteFile(pem, []byte(proxy.Run(t, "keys", "export", "images")), 0o600); err != nil {
			t.Fatal(err)
		}
		proxy.Run(t, "verify", "--key", pem, h.ref("team/app:1.0.0"))

		proxy.Refuses(t, []string{"not signed"}, "verify", "--key", anotherKey(t), h.ref("team/app:1.0.0"))
		if err := h.crane(t).Push(t, h.direct()+"/team/app:unsigned"); err != nil {
			t.Fatal(err)
		}
		proxy.Refuses(t, []string{"not signed"}, "verify", h.ref("team/app:unsigned"))
		// A signature of one name is none of another.
		h.crane(t).Run(t, "copy", "--all-tags", h.direct()+"/team/app", h.direct()+"/team/other")
		proxy.Refuses(t, []string{"not signed"}, "verify", h.ref("team/other:1.0.0"))
		proxy.Refuses(t, []string{"404"}, "verify", h.ref("team/app:nothing"))
	})
}

// The garbage collector keeps the signature of every image that is there, tagged or not, and removes those whose images
// have gone.
func TestGarbageCollection(t *testing.T) {
	h := build(t, embedded, settings{repository: "    signatures: [cosign, bundle]\n"})
	crane, w := h.crane(t), h.wire(t, "team/app")
	tagged := h.push(t, "team/app:tagged")
	untagged := h.push(t, "team/app:untagged")
	gone := h.push(t, "team/app:gone")
	if err := crane.PushIndex(t, h.ref("team/app:multi")); err != nil {
		t.Fatal(err)
	}
	children := w.children(t, "multi")
	// Untagged through the proxy; and gone behind its back, so that the signature stays as an orphan.
	w.do(t, http.MethodDelete, "/manifests/untagged", nil)
	h.directWire(t, "team/app").do(t, http.MethodDelete, "/manifests/"+gone, nil)
	if a := w.do(t, http.MethodGet, "/manifests/"+sigTag(gone), nil); a.Status != http.StatusOK {
		t.Fatalf("the orphan is not there: %d", a.Status)
	}

	proxy := h.command(t)
	out := proxy.Run(t, "repo", "gc")
	if !strings.Contains(out, sigTag(gone)) || strings.Contains(out, sigTag(tagged)) {
		t.Errorf("gc says: %s", out)
	}
	h.verified(t, h.ref("team/app:tagged"), h.ref("team/app@"+untagged), h.ref("team/app:multi"))
	for _, child := range children {
		h.verified(t, h.ref("team/app@"+child))
	}
	if a := w.do(t, http.MethodGet, "/manifests/"+sigTag(gone), nil); a.Status != http.StatusNotFound {
		t.Errorf("the signature of an image that has gone is still there: %d", a.Status)
	}
	// Everything that was uploaded can be uploaded again: no cache believes in what was removed.
	h.push(t, "team/app:gone")

	// On a stopped server's data, and the untagged ones too.
	h.proxy.Terminate()
	proxy.Run(t, "repo", "gc", "images", "--untagged")
	h.proxy.Start(t)
	if a := w.do(t, http.MethodGet, "/manifests/"+untagged, nil); a.Status != http.StatusNotFound {
		t.Errorf("the untagged manifest is still there: %d", a.Status)
	}
	if a := w.do(t, http.MethodGet, "/manifests/"+sigTag(untagged), nil); a.Status != http.StatusNotFound {
		t.Errorf("its signature is still there: %d", a.Status)
	}
	h.verified(t, h.ref("team/app:tagged"), h.ref("team/app:multi"))
	for _, child := range children {
		h.verified(t, h.ref("team/app@"+child))
	}
	if err := crane.Pull(t, h.ref("team/app:tagged")); err != nil {
		t.Error(err)
	}
	h.push(t, "team/app:new")
}

// children returns the digests that an index names.
func (w *wire) children(t *testing.T, tag string) []string {
	t.Helper()
	var digests []string
	for _, m := range decode[struct{ Manifests []struct{ Digest string } }](t, w.get(t, "/manifests/"+tag).Body).Manifests {
		digests = append(digests, m.Digest)
	}
	if len(digests) == 0 {
		t.Fatalf("%s is no index", tag)
	}
	return digests
}

func TestRepoListAndShow(t *testing.T) {
	h := build(t, embedded, settings{})
	proxy := h.command(t)
	var list []struct {
		Name string
		Keys []struct{ Kind, Fingerprint string }
	}
	if err := json.Unmarshal([]byte(proxy.Run(t, "repo", "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name != "images" || len(list[0].Keys) != 1 || list[0].Keys[0].Kind != "p256" {
		t.Errorf("repo list --json: %+v", list)
	}
	if out := proxy.Run(t, "repo", "show", "images"); !strings.Contains(out, list[0].Keys[0].Fingerprint) {
		t.Errorf("repo show: %s", out)
	}
	if out := proxy.Run(t, "keys", "list"); !strings.Contains(out, list[0].Keys[0].Fingerprint) {
		t.Errorf("keys list: %s", out)
	}
}
