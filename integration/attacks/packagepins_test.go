package attacks

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hallmark/integration/world"
	"hallmark/signing"
)

// Rule: readers see one generation. Where an index and its signature are two requests, the second is answered from the
// generation of the first; and whoever asks anew sees what is new.

// A pair is an index and its signature in a repository.
type pair struct{ repository, index, signature string }

var pairs = []pair{
	{"rpm", "/rpm/repodata/repomd.xml", "/rpm/repodata/repomd.xml.asc"},
	{"arch", "/arch/x86_64/arch.db", "/arch/x86_64/arch.db.sig"},
	{"arch", "/arch/x86_64/arch.files", "/arch/x86_64/arch.files.sig"},
	{"raw", "/raw/a/SHA256SUMS", "/raw/a/SHA256SUMS.asc"},
}

// publish makes a new generation of a repository.
func (d *depot) publish(t *testing.T, repository string) {
	t.Helper()
	u := named(repository, "p"+strings.ToLower(rand.Text()))
	d.put(t, u.path, u.body)
}

// A visitor is a client program at our address. One that is careless opens a connection for each request.
type visitor struct {
	d        *depot
	agent    string
	careless bool
	api      *api
}

func (d *depot) visitor(agent string, careless bool) *visitor {
	return &visitor{d, agent, careless, newAPI(d.proxy.URL, world.User{})}
}

// newest is a program that nobody has seen before.
func (d *depot) newest() *visitor { return d.visitor("curl/"+rand.Text(), true) }

func (v *visitor) ask(t *testing.T, method, path string, headers ...string) answer {
	t.Helper()
	a := v.api
	if v.careless {
		a = newAPI(v.d.proxy.URL, world.User{})
		defer a.client.CloseIdleConnections()
	}
	return a.do(t, method, path, nil, append(headers, "User-Agent", v.agent)...)
}

// fits returns an error unless a signature is that of an index, and not that of others.
func (d *depot) fits(p pair, index, signature []byte) error {
	key := d.keys[p.repository].index
	if err := signing.VerifyOpenPGP(key, signing.Bytes(index), signature); err != nil {
		return err
	}
	if signing.VerifyOpenPGP(key, signing.Bytes(append(bytes.Clone(index), ' ')), signature) == nil {
		return fmt.Errorf("the signature verifies anything")
	}
	return nil
}

func TestAnIndexAndItsSignatureAreOfOneGeneration(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"rpm", "arch", "raw"}})
	for _, repository := range []string{"rpm", "arch", "raw"} {
		d.publish(t, repository)
	}
	for _, p := range pairs {
		for name, asked := range map[string][]string{ // H: HEAD of the index; I: the index; S: the signature
			"as zypper": {"H", "S", "I"}, "as dnf": {"I", "S"}, "as pacman": {"I", "S"}, "signature first": {"S", "I"},
			"twice":        {"I", "S", "I", "S"},
			"twice, mixed": {"I", "S", "S", "I"},
			"HEAD between": {"I", "S", "H", "S", "I"},
			"many times":   {"H", "S", "I", "H", "S", "I", "H", "S", "I"},
		} {
			for _, careless := range []bool{false, true} {
				for _, agent := range []string{"pacman/6.1.0", "ZYpp 17.31", "libdnf (Fedora)", "curl/8"} {
					what := fmt.Sprintf("%s %s, as %s, connections of their own: %t", p.index, name, agent, careless)
					v := d.visitor(agent+" "+rand.Text(), careless)
					var index, signature []byte
					for _, ask := range asked {
						switch ask {
						case "H":
							v.ask(t, http.MethodHead, p.index).expect(t, http.StatusOK)
						case "I":
							index = v.ask(t, http.MethodGet, p.index).expect(t, http.StatusOK).body
						case "S":
							signature = v.ask(t, http.MethodGet, p.signature).expect(t, http.StatusOK).body
						}
						if index != nil && signature != nil {
							if err := d.fits(p, index, signature); err != nil {
								t.Errorf("%s: %v", what, err)
							}
							index, signature = nil, nil
						}
						if strings.HasSuffix(agent, "8") || !careless { // otherwise it takes too long
							d.publish(t, p.repository)
						}
					}
				}
			}
		}
	}
}

// Somebody who asks again for the same file asks anew, whatever became of the other one.
func TestWhoAsksAgainSeesTheNewest(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"rpm", "arch", "raw"}})
	for _, p := range pairs {
		d.publish(t, p.repository)
		for _, careless := range []bool{false, true} {
			for _, path := range []string{p.index, p.signature} {
				v := d.visitor("pacman/6.1.0 "+rand.Text(), careless)
				tag := v.ask(t, http.MethodGet, path).expect(t, http.StatusOK).header.Get("Etag")
				for i := range 5 {
					// What it has is still good, and it is told so; that was an answer, too.
					v.ask(t, http.MethodGet, path, "If-None-Match", tag).expect(t, http.StatusNotModified)
					d.publish(t, p.repository)
					w := v.ask(t, http.MethodGet, path, "If-None-Match", tag)
					if w.status != http.StatusOK {
						t.Errorf("%s, ask %d: %d, though there is something new", path, i, w.status)
						continue
					}
					if want := d.newest().ask(t, http.MethodGet, path); !bytes.Equal(w.body, want.body) {
						t.Errorf("%s, ask %d: it is not the newest", path, i)
					}
					tag = w.header.Get("Etag")
				}
			}
		}
	}
}

// Two programs of one kind at one address, as behind a gateway, whose requests cannot be told apart.
func TestPackageManagersAtOneAddressDoNotDisturbEachOther(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"rpm", "arch"}})
	for _, p := range pairs[:3] {
		d.publish(t, p.repository)
		for _, careless := range []bool{false, true} {
			agent := "pacman/6.1.0 " + rand.Text()
			one, two := d.visitor(agent, careless), d.visitor(agent, careless)
			for range 3 {
				index1 := one.ask(t, http.MethodGet, p.index).body
				d.publish(t, p.repository)
				index2 := two.ask(t, http.MethodGet, p.index).body
				d.publish(t, p.repository)
				signature1 := one.ask(t, http.MethodGet, p.signature).body
				d.publish(t, p.repository)
				signature2 := two.ask(t, http.MethodGet, p.signature).body
				d.publish(t, p.repository)
				for who, err := range map[string]error{"one": d.fits(p, index1, signature1), "two": d.fits(p, index2, signature2)} {
					if err != nil {
						t.Errorf("%s, %s, connections of their own %t: %v", p.index, who, careless, err)
					}
				}
			}
		}
	}
}

// A snapshot is one generation for as long as it is asked for, and what is in it is nobody's to change.
func TestASnapshotIsOneGeneration(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"rpm"}})
	d.publish(t, "rpm")
	list := string(d.api.get(t, "/rpm/mirrorlist").expect(t, http.StatusOK).body)
	at := strings.TrimSpace(list)
	base, ok := strings.CutPrefix(at, d.proxy.URL)
	if !ok || !strings.HasPrefix(base, "/-/snapshots/rpm/") {
		t.Fatalf("the list of mirrors is %q", list)
	}
	base = strings.TrimSuffix(base, "/")
	want := d.api.get(t, base+"/repodata/repomd.xml").expect(t, http.StatusOK).body
	for range 3 {
		d.publish(t, "rpm")
		index := d.api.get(t, base+"/repodata/repomd.xml").expect(t, http.StatusOK).body
		signature := d.api.get(t, base+"/repodata/repomd.xml.asc").expect(t, http.StatusOK).body
		if !bytes.Equal(index, want) {
			t.Error("a snapshot has changed")
		}
		if err := d.fits(pairs[0], index, signature); err != nil {
			t.Error(err)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
		d.api.do(t, method, base+"/x.rpm", rpm{}.build()).refused(t, http.StatusMethodNotAllowed)
	}
	for _, path := range []string{"/-/snapshots/rpm/9999999/repodata/repomd.xml", "/-/snapshots/rpm/-1/repodata/repomd.xml", "/-/snapshots/rpm/x/repodata/repomd.xml",
		"/-/snapshots/rpm/9223372036854775807/repodata/repomd.xml", "/-/snapshots/nothing/1/x", "/-/snapshots/rpm/0/repodata/repomd.xml"} {
		if w := d.api.get(t, path); w.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
	}
	d.api.get(t, base+"/../../../debian").plainly(t, 400)
}
