package attacks

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
	"hallmark/signing"
)

// A house is a proxy, what stands behind it, and ways to speak to both.
type house struct {
	proxy  *world.Proxy
	api    *api              // to the proxy
	behind *api              // past the proxy, where that is possible: straight to the upstream
	up     *world.Recorder   // between the proxy and the upstream; nil: the embedded registry
	reg    *world.Registry   // nil: the embedded registry
	key    signing.PublicKey // of the repository "images"
}

// settings of a house, of which the zero value needs no credentials.
type settings struct {
	config   string                          // more of the config file
	upstream string                          // more of the upstream section, indented by six
	images   string                          // more of the repository, indented by four
	args     []string                        // of the command
	auth     world.Auth                      // of the upstream
	user     world.User                      // whom the clients are
	only     string                          // the names that the repository takes; empty: all
	wrap     func(*testing.T, string) string // puts something between the recorder and the registry
}

// everywhere runs a test with the embedded registry and with an upstream.
func everywhere(t *testing.T, s settings, test func(*testing.T, *house)) {
	t.Run("embedded", func(t *testing.T) { test(t, embedded(t, s)) })
	t.Run("upstream", func(t *testing.T) { test(t, upstream(t, s)) })
}

// repository returns the section of the repository "images".
func (s settings) repository() string {
	return fmt.Sprintf("repositories:\n  images:\n    format: oci\n    images: [%q]\n%s", cmp.Or(s.only, "*"), s.images)
}

func embedded(t *testing.T, s settings) *house {
	t.Helper()
	h := &house{}
	h.start(t, s.config+s.repository(), s)
	h.behind = h.api
	return h
}

func upstream(t *testing.T, s settings) *house {
	t.Helper()
	h := &house{reg: world.StartRegistry(t, world.RegistryOptions{Auth: s.auth})}
	target := h.reg.URL
	if s.wrap != nil {
		target = s.wrap(t, target)
	}
	h.up = world.Record(t, target)
	h.start(t, s.config+s.repository()+"    upstream:\n      url: "+h.up.URL+"\n"+s.upstream, s)
	h.behind = newAPI(h.reg.URL, s.user)
	return h
}

func (h *house) start(t *testing.T, config string, s settings) {
	t.Helper()
	h.proxy = world.StartProxy(t, world.ProxyOptions{Config: config, Args: s.args})
	h.api = newAPI(h.proxy.URL, s.user)
	pem := h.api.get(t, "/-/keys/images/cosign.pub").expect(t, http.StatusOK).body
	key, err := signing.ParsePublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	h.key = key
}

// image returns what a signature of a digest must say here.
func (h *house) image(name, digest string) signing.Image {
	return signing.Image{Reference: h.proxy.Addr + "/" + name, Name: name, Digest: digest}
}

// signed returns an error unless the registry that a speaks to has a signature of ours for a digest.
func (h *house) signed(a *api, name, digest string) error {
	w, err := a.try(http.MethodGet, "/v2/"+name+"/manifests/"+sigTag(digest), nil)
	if err != nil {
		return err
	}
	if w.status != http.StatusOK {
		return fmt.Errorf("%s@%s has no signature: %d %s", name, digest, w.status, w.body)
	}
	var m manifestJSON
	if err := w.decode(&m); err != nil {
		return fmt.Errorf("%s@%s: the signature manifest: %w", name, digest, err)
	}
	fault := fmt.Errorf("%s@%s: none of the %d signatures in its signature manifest is ours", name, digest, len(m.Layers))
	for _, l := range m.Layers {
		p, err := a.try(http.MethodGet, "/v2/"+name+"/blobs/"+l.Digest, nil)
		if err != nil {
			return err
		}
		if p.status != http.StatusOK || int64(len(p.body)) != l.Size {
			fault = fmt.Errorf("%s@%s: the payload %s: status %d, %d bytes, want %d", name, digest, l.Digest, p.status, len(p.body), l.Size)
			continue
		}
		sig, err := decodeBase64(l.Annotations[signatureAnnotation])
		if err == nil {
			err = signing.VerifyImage(h.key, p.body, sig, h.image(name, digest))
		}
		if err == nil {
			return nil
		}
	}
	return fault
}

// mustBeSigned fails the test unless the manifest that a reference names is there and signed, both as seen by clients and
// behind the proxy. It returns the digest.
func (h *house) mustBeSigned(t *testing.T, name, reference string) string {
	t.Helper()
	digest := ""
	for _, a := range []*api{h.behind, h.api} {
		w := a.get(t, "/v2/"+name+"/manifests/"+reference)
		if w.status != http.StatusOK {
			t.Fatalf("%s:%s is not there: %d %s\n%s", name, reference, w.status, w.body, h.lastRequests())
		}
		digest = digestOf(w.body)
		if err := h.signed(a, name, digest); err != nil {
			t.Fatalf("%v\n%s", err, h.lastRequests())
		}
	}
	return digest
}

// invariant fails the test if anything under a name is visible behind the proxy and has no signature, or if a signature
// was logged for a digest that may not have one.
func (h *house) invariant(t *testing.T, name string, digests ...string) {
	t.Helper()
	for _, tag := range h.behind.tags(t, name) {
		if strings.HasPrefix(tag, "sha256-") {
			continue
		}
		w := h.behind.get(t, "/v2/"+name+"/manifests/"+tag)
		if w.status == http.StatusNotFound {
			continue
		}
		w.expect(t, http.StatusOK)
		digests = append(digests, digestOf(w.body))
	}
	for _, d := range digests {
		w := h.behind.get(t, "/v2/"+name+"/manifests/"+d)
		if w.status == http.StatusNotFound {
			continue
		}
		if err := h.signed(h.behind, name, d); err != nil {
			t.Errorf("visible and unsigned: %v\n%s", err, h.lastRequests())
		}
	}
}

// row is a row of the ledger, as /-/signatures tells it.
type row struct{ Digest, Scheme, State, By string }

func (h *house) rows(t *testing.T, name, digest string) []row {
	t.Helper()
	w := h.api.get(t, "/-/signatures/images/"+name+"@"+digest)
	if w.status == http.StatusNotFound {
		return nil
	}
	var doc struct{ Signatures []row }
	if err := w.expect(t, http.StatusOK).decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Signatures
}

// states returns the states of the ledger's rows for a digest, in order: "made void".
func (h *house) states(t *testing.T, name, digest string) string {
	t.Helper()
	var all []string
	for _, r := range h.rows(t, name, digest) {
		all = append(all, r.State)
	}
	return strings.Join(all, " ")
}

var madeCounter = regexp.MustCompile(`(?m)^hallmark_signatures_total\{.*\} (\d+)$`)

// A state is all that an attack must not change.
type state struct {
	tags map[string][]string // name → tags
	made string              // how many signatures were asked for
	rows string              // of the ledger, for the digests that the attack might get signed
}

func (h *house) state(t *testing.T, name string, digests ...string) state {
	t.Helper()
	s := state{tags: make(map[string][]string)}
	var catalog struct{ Repositories []string }
	if err := h.behind.get(t, "/v2/_catalog").expect(t, http.StatusOK).decode(&catalog); err != nil {
		t.Fatal(err)
	}
	for _, n := range append(catalog.Repositories, name) {
		for _, tag := range h.behind.tags(t, n) {
			w := h.behind.get(t, "/v2/"+n+"/manifests/"+tag)
			s.tags[n] = append(s.tags[n], tag+"="+digestOf(w.body))
		}
		slices.Sort(s.tags[n])
		s.tags[n] = slices.Compact(s.tags[n])
	}
	for _, m := range madeCounter.FindAllStringSubmatch(string(h.api.get(t, "/metrics").body), -1) {
		s.made += m[1] + " "
	}
	for _, d := range digests {
		s.rows += h.states(t, name, d) + ";"
		if there := h.behind.get(t, "/v2/"+name+"/manifests/"+d).status == http.StatusOK; there {
			s.rows += "there;"
		}
	}
	return s
}

// unchanged fails the test if an attack left a trace: a tag, a manifest, a signature, a row of the ledger.
func (h *house) unchanged(t *testing.T, before state, name string, digests ...string) {
	t.Helper()
	after := h.state(t, name, digests...)
	if !maps.EqualFunc(before.tags, after.tags, slices.Equal) {
		t.Errorf("the tags were\n%v\nand are\n%v\n%s", before.tags, after.tags, h.lastRequests())
	}
	if before.made != after.made || before.rows != after.rows {
		t.Errorf("something was signed, or stored by its digest: %+v, before %+v\n%s", after, before, h.lastRequests())
	}
}

// lastRequests tells what the upstream was asked last, for the message of a failure.
func (h *house) lastRequests() string {
	if h.up == nil {
		return "(embedded: the log of the proxy has the requests)"
	}
	all := h.up.Requests()
	all = all[max(0, len(all)-25):]
	var b strings.Builder
	b.WriteString("the upstream was asked:\n")
	for _, r := range all {
		b.WriteString("  " + r.Line() + "\n")
	}
	return b.String()
}

// passwords writes an htpasswd file.
func passwords(t *testing.T, users ...world.User) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, world.Htpasswd(t, users...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
