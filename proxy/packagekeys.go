package proxy

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"

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
	case p.Family() == scheme.RSA:
		return []string{publish.KeyFile(repository, p)}
	case sidecars && newest:
		return []string{filesKeyOf(p), filesKey}
	case sidecars:
		return []string{filesKeyOf(p)}
	}
	return nil
}

func filesKeyOf(k signing.PublicKey) string {
	return "files-" + strings.TrimPrefix(k.ID(), "sha256:")[:8] + ".pub"
}

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
		entries = append(entries, keyEntry{k.Purpose(), k.Public().Kind(), k.Public().Fingerprint(), names})
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
		all = append(all, k.PEM()...)
	}
	return all
}
