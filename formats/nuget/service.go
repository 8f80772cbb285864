package nuget

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Render makes the documents that hold what this request asked, or addresses and keys alone.
func (f *Format) Render(s format.Site, op format.Op) (format.Document, error) {
	name, question, _ := strings.Cut(op.Document, "?")
	switch name {
	case documentIndex:
		return document(index(s))
	case documentSigning:
		return signers(s)
	case documentCertificate:
		return certificateOf(s, question)
	case documentLeaf:
		return oneLeaf(s, question)
	case documentSearch:
		return search(s, question)
	case documentComplete:
		return complete(s, question)
	}
	return format.Document{}, format.NotFoundf("a repository of NuGet packages has no document %.100q", op.Document)
}

func document(v any) (format.Document, error) {
	data, err := json.Marshal(v)
	return format.Document{Type: "application/json", Data: append(data, '\n')}, err
}

// A resource is one of the service index.
type resource struct {
	ID   string `json:"@id"`
	Type string `json:"@type"`
}

// index returns the service index (learn.microsoft.com/nuget/api/service-index). NuGet reads RepositorySignatures by https
// alone, and fails where the address is another.
func index(s format.Site) any {
	var all []resource
	add := func(at string, kinds ...string) {
		for _, kind := range kinds {
			all = append(all, resource{s.URL + "/" + at, kind})
		}
	}
	add(flat+"/", "PackageBaseAddress/3.0.0")
	add(registration+"/", "RegistrationsBaseUrl", "RegistrationsBaseUrl/3.0.0-beta", "RegistrationsBaseUrl/3.0.0-rc",
		"RegistrationsBaseUrl/3.4.0", "RegistrationsBaseUrl/3.6.0")
	add(searching, "SearchQueryService", "SearchQueryService/3.0.0-beta", "SearchQueryService/3.0.0-rc", "SearchQueryService/3.5.0")
	add(completing, "SearchAutocompleteService", "SearchAutocompleteService/3.0.0-beta", "SearchAutocompleteService/3.0.0-rc",
		"SearchAutocompleteService/3.5.0")
	add(publishing, "PackagePublish/2.0.0")
	if strings.HasPrefix(s.URL, "https://") {
		add(signing, "RepositorySignatures/4.7.0", "RepositorySignatures/4.9.0", "RepositorySignatures/5.0.0")
	}
	return map[string]any{"version": "3.0.0", "resources": all}
}

// A signerOf is a certificate of RepositorySignatures (learn.microsoft.com/nuget/api/repository-signatures-resource).
type signerOf struct {
	Fingerprints map[string]string `json:"fingerprints"`
	Subject      string            `json:"subject"`
	Issuer       string            `json:"issuer"`
	NotBefore    time.Time         `json:"notBefore"`
	NotAfter     time.Time         `json:"notAfter"`
	Content      string            `json:"contentUrl"`
}

// signers says by which certificates packages are signed. In front of an upstream there are some that are not.
func signers(s format.Site) (format.Document, error) {
	all := []signerOf{}
	for _, key := range s.Keys.Of(scheme.Package, scheme.RSA) {
		c, err := x509.ParseCertificate(key.Certificate)
		if err != nil {
			return format.Document{}, err
		}
		fingerprint := fingerprintOf(key)
		all = append(all, signerOf{
			Fingerprints: map[string]string{oidSHA256: fingerprint}, Subject: c.Subject.String(), Issuer: c.Issuer.String(),
			NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Content: s.URL + "/" + path.Join(certificates, fingerprint+certificate),
		})
	}
	return document(map[string]any{"allRepositorySigned": s.Behind == nil, "signingCertificates": all})
}

// fingerprintOf returns the fingerprint of a key's certificate, by which NuGet's trustedSigners name it.
func fingerprintOf(key format.Key) string {
	sum := sha256.Sum256(key.Certificate)
	return hex.EncodeToString(sum[:])
}

// certificateOf returns the certificate of a fingerprint, in DER.
func certificateOf(s format.Site, fingerprint string) (format.Document, error) {
	for _, key := range s.Keys.Of(scheme.Package, scheme.RSA) {
		if fingerprintOf(key) == fingerprint {
			return format.Document{Type: "application/x-x509-ca-cert", Data: key.Certificate}, nil
		}
	}
	return format.Document{}, format.NotFoundf("no key of the repository has a certificate with the SHA-256 %.100q", fingerprint)
}

// oneLeaf returns what the registration says of one version, which is named as ID/VERSION.
func oneLeaf(s format.Site, of string) (format.Document, error) {
	id, number, _ := strings.Cut(of, "/")
	v, _ := parseVersion(number)
	address := `{"@id":"` + here(registration, id, v.lower()+leafSuffix) + `",`
	for data, err := range s.Tree.Entries(id, groupLeaves) {
		if err != nil {
			return format.Document{}, err
		}
		if one := strings.TrimPrefix(string(data), ","); strings.HasPrefix(one, address) {
			return format.Document{Type: "application/json", Data: []byte(strings.ReplaceAll(one, format.Here, s.URL) + "\n")}, nil
		}
	}
	return format.Document{}, format.NotFoundf("there is no version %.80q of a package %.120q", number, id)
}
