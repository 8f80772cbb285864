package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

// keyEntry is one key of /-/keys/<repository>/index.json.
type keyEntry struct {
	Purpose     scheme.Purpose `json:"purpose"`
	Kind        string         `json:"kind"`
	Fingerprint string         `json:"fingerprint"` // sha256:<hex of the digest of the SubjectPublicKeyInfo>
	Files       []string       `json:"files"`
	// Certificate is the SHA-256 in hex of the key's X.509 certificate, by which NuGet's trustedSigners name it, and Expires
	// its end.
	Certificate string     `json:"certificate,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
}

func newKeyEntry(k *signing.Key, files []string) keyEntry {
	p := k.Public()
	e := keyEntry{Purpose: k.Purpose(), Kind: p.Kind(), Fingerprint: p.Fingerprint(), Files: files}
	if der := p.Certificate(); der != nil {
		sum := sha256.Sum256(der)
		e.Certificate = hex.EncodeToString(sum[:])
	}
	if end := p.Expires(); !end.IsZero() {
		e.Expires = &end
	}
	return e
}

// newestKeyFile holds one key, since cosign reads but one of a file.
const newestKeyFile = "cosign.pub"

func keyFile(k signing.PublicKey) string {
	return "cosign-" + strings.TrimPrefix(k.Fingerprint(), "sha256:")[:8] + ".pub"
}

// serveKeys answers /-/keys/<repository>/<file>. Public keys are for everybody.
func (s *Server) serveKeys(t *transaction, req *http.Request, rest string) error {
	if err := onlyReading(req); err != nil {
		return err
	}
	name, file, _ := strings.Cut(rest, "/")
	repo, ok := s.repositories[name]
	if !ok {
		return notFound("there is no repository %q here", name)
	}
	if repo.Packages != nil {
		return s.servePackageKeys(t, req, repo, file)
	}
	keys := repo.Ring.Keys(scheme.Image)
	if file == "" || file == "index.json" {
		entries := []keyEntry{}
		for i, k := range keys {
			files := []string{keyFile(k.Public())}
			if i == len(keys)-1 {
				files = append(files, newestKeyFile)
			}
			entries = append(entries, newKeyEntry(k, files))
		}
		return serveJSON(t, http.StatusOK, map[string]any{"keys": entries})
	}
	for i, k := range keys {
		if file == keyFile(k.Public()) || file == newestKeyFile && i == len(keys)-1 {
			t.Header().Set("Content-Type", "application/x-pem-file")
			t.Write(k.Public().PEM())
			return nil
		}
	}
	return notFound("the repository %s has no key file %q; /-/keys/%s/index.json lists them", name, file, name)
}
