package proxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"hallmark/proxy/publish"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// The names of the key files of a package repository. The first two hold all that a package manager is told to trust,
// the others what verifies F.asc and F.sigstore.json.
const (
	openpgpArmored  = "openpgp.asc"
	openpgpBinary   = "openpgp.gpg"
	filesArmored    = "files.asc"
	filesBinary     = "files.gpg"
	filesKey        = "files.pub"
	upstreamArmored = "upstream.asc"   // of the packages of an upstream
	alpineKey       = "alpine.rsa.pub" // leads to the newest key's own name
	certificates    = "x509.pem"       // of all keys that have one, the newest last
	npmKeys         = "npm.json"       // what npm gets from /-/npm/v1/keys
)

// keyFiles returns the names of the files that hold a key of a package repository.
func keyFiles(repository string, k *signing.Key, newest bool) []string {
	p := k.Public()
	sidecars := k.Purpose() == scheme.File
	switch {
	case p.Family() == scheme.OpenPGP && sidecars:
		return []string{filesArmored, filesBinary}
	case p.Family() == scheme.OpenPGP:
		return []string{openpgpArmored, openpgpBinary}
	case p.Certificate() != nil:
		return []string{certificates, "x509-" + shortID(p) + ".pem"}
	case k.Purpose() == scheme.NPM:
		return []string{npmKeys, publish.KeyFile(repository, p)}
	case !sidecars:
		return []string{publish.KeyFile(repository, p)}
	case newest:
		return []string{filesKeyOf(p), filesKey}
	}
	return []string{filesKeyOf(p)}
}

func filesKeyOf(k signing.PublicKey) string { return "files-" + shortID(k) + ".pub" }

// shortID tells the keys of a repository apart in the names of files.
func shortID(k signing.PublicKey) string { return strings.TrimPrefix(k.ID(), "sha256:")[:8] }

// servePackageKeys answers with a key file of a package repository.
func (s *Server) servePackageKeys(t *transaction, req *http.Request, repo *Repository, file string) error {
	var files = make(map[string][]signing.PublicKey)
	entries := []keyEntry{}
	all := repo.Ring.All()
	for i, k := range all {
		newest := !slices.ContainsFunc(all[i+1:], func(o *signing.Key) bool {
			return o.Purpose() == k.Purpose() && o.Public().Family() == k.Public().Family()
		})
		names := keyFiles(repo.Name, k, newest)
		for _, name := range names {
			files[name] = append(files[name], k.Public())
		}
		entries = append(entries, newKeyEntry(k, names))
	}
	if file == "" || file == "index.json" {
		return serveJSON(t, http.StatusOK, map[string]any{"keys": entries})
	}
	if rsa := repo.Ring.Keys(scheme.Index); file == alpineKey && len(rsa) > 0 && rsa[len(rsa)-1].Public().Family() == scheme.RSA {
		http.Redirect(t, req, publish.KeyFile(repo.Name, rsa[len(rsa)-1].Public()), http.StatusFound)
		return nil
	}
	if up := repo.Packages.UpstreamKeys; file == upstreamArmored && up != nil {
		t.Header().Set("Content-Type", "application/pgp-keys")
		t.Write(up)
		return nil
	}
	keys := files[file]
	if len(keys) == 0 {
		return notFound("the repository %s has no key file %q; /-/keys/%s/index.json lists them", repo.Name, file, repo.Name)
	}
	if file == npmKeys {
		return serveJSON(t, http.StatusOK, map[string]any{"keys": npmKeyList(keys)})
	}
	t.Header().Set("Content-Type", cmp.Or(map[string]string{".asc": "application/pgp-keys", ".gpg": "application/pgp-keys"}[path.Ext(file)], "application/x-pem-file"))
	t.Write(keyFileContent(file, keys))
	return nil
}

func keyFileContent(file string, keys []signing.PublicKey) []byte {
	switch path.Ext(file) {
	case ".asc":
		return signing.ArmoredKeyring(keys...)
	case ".gpg":
		var all []byte
		for _, k := range keys {
			all = append(all, k.Binary()...)
		}
		return all
	}
	var all []byte
	for _, k := range keys {
		if path.Ext(file) == ".pem" {
			all = append(all, k.CertificatePEM()...)
		} else {
			all = append(all, k.PEM()...)
		}
	}
	return all
}

// npmKey is a key as npm's registry lists it. npm finds it by its ID alone, and reads neither type nor scheme.
type npmKey struct {
	Expires *time.Time `json:"expires"` // nil: never
	ID      string     `json:"keyid"`
	Type    string     `json:"keytype"`
	Scheme  string     `json:"scheme"`
	Key     []byte     `json:"key"` // SubjectPublicKeyInfo
}

func npmKeyList(keys []signing.PublicKey) []npmKey {
	var all []npmKey
	for _, k := range keys {
		block, _ := pem.Decode(k.PEM())
		sum := sha256.Sum256(block.Bytes)
		curve := "ecdsa-sha2-nist" + k.Kind()
		all = append(all, npmKey{
			ID: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), Type: curve, Scheme: curve, Key: block.Bytes,
		})
	}
	return all
}
