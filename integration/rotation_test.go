package integration

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"testing"

	"hallmark/integration/world"
)

// A repository changes its key without a break: both sign for a while, whoever is set up in that time has both, and
// whoever was set up before goes on as if nothing had happened. A key that no longer signs is worth nothing then.
func TestARepositoryMovesFromOneKeyToAnother(t *testing.T) {
	for _, m := range world.Managers() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			older, newer := privateKey(t, m.Kind), privateKey(t, m.Kind)
			signedBy := func(keys ...string) map[string]repository {
				var r repository
				for _, key := range keys {
					r.keys += indexKey("key: \"file:" + key + "\"")
				}
				return map[string]repository{repositoryOf(m.Kind): r}
			}
			d := openDepot(t, signedBy(older))
			// goesOn publishes a version and brings clients to it.
			goesOn := func(version string, clients map[string]world.PackageManager) {
				t.Helper()
				b, _ := d.build(t, m.Kind, version)
				for who, c := range clients {
					if err := c.Refresh(t); err != nil {
						t.Errorf("%s: %s: %v", version, who, err)
					} else if err := c.Install(t, "hello", ""); err != nil {
						t.Errorf("%s: %s: %v", version, who, err)
					} else if has := c.Installed(t, "hello"); has != b.Version {
						t.Errorf("%s has %q, want %s", who, has, b.Version)
					}
				}
			}
			setUp := func() world.PackageManager {
				t.Helper()
				c := m.New(t)
				d.setup(t, m, c)
				return c
			}

			d.build(t, m.Kind, "1.0.0")
			before := setUp()
			goesOn("1.1.0", map[string]world.PackageManager{"who has the older key": before})
			olderKeys := d.publicKeys(t, m.Kind)

			d.reconfigure(t, signedBy(older, newer))
			during := setUp()
			goesOn("2.0.0", map[string]world.PackageManager{
				"who has the older key, while both sign": before, "who has both keys, while both sign": during,
			})

			d.reconfigure(t, signedBy(newer))
			after := setUp()
			goesOn("3.0.0", map[string]world.PackageManager{
				"who has both keys, while the newer signs": during, "who has the newer key": after,
			})
			// dnf, told yes to all, would take the newer key from where its configuration says.
			d.Intercept(world.Alter(regexp.MustCompile(`^/-/keys/`), func(string, []byte) []byte { return olderKeys }))
			distrusts(t, "an index by the newer key, by who has the older", before.Refresh(t))
			d.Intercept(nil)
			d.setup(t, m, before)
			goesOn("3.1.0", map[string]world.PackageManager{"who was set up anew": before})

			if !onlyFirst[m.Name] {
				d.reconfigure(t, signedBy(older, newer))
				goesOn("4.0.0", map[string]world.PackageManager{"who has the newer key alone, while both sign": after})
			}
		})
	}
}

// onlyFirst are the package managers that must have the key of the first signature, whatever other there is.
var onlyFirst = map[string]bool{"zypper": true, "pacman": true}

// publicKeys fetches what a set-up text trusts for packages of a kind.
func (d *depot) publicKeys(t *testing.T, kind world.Kind) []byte {
	t.Helper()
	name := map[bool]string{true: "alpine.rsa.pub", false: "openpgp.asc"}[kind == world.Alpine]
	return []byte(world.Get(t, d.URL+"/-/keys/"+repositoryOf(kind)+"/"+name))
}

// privateKey makes a key that signs the index of a kind of package, and returns its file.
func privateKey(t *testing.T, kind world.Kind) string {
	t.Helper()
	if kind != world.Alpine {
		return world.NewOpenPGP(t, "ed25519").Secret(t)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return write(t, "index.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}
