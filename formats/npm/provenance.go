package npm

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
)

// Provenance is a bundle of Sigstore by which a public log says who has built a version. npm makes it with "npm publish
// --provenance", and asks for it at dist.attestations.url. Only that log's keys can vouch for it, so it passes as it came.

// attestationsFolder is where provenance is, that of each version as NAME@VERSION. In front of an upstream it is the scope of
// all of it: no packument has its digest.
const attestationsFolder = "-/npm/v1/attestations"

const (
	bundleEnd = ".sigstore" // of an attachment
	// markProvenance is the mark of a version that has a bundle: the bundle.
	markProvenance = "provenance"
	bundleMost     = 64 << 10 // bytes
)

func attestationsPath(name, version string) string {
	return attestationsFolder + "/" + name + "@" + version
}

// provenanceRoute returns the path of provenance that an address means. npm puts the path of dist.attestations.url behind the
// address of the registry, so that the registry's own path comes twice.
func provenanceRoute(p string) (string, bool) {
	at := strings.Index(p, attestationsFolder+"/")
	if at < 0 || at > 0 && p[at-1] != '/' {
		return "", false
	}
	p = p[at:]
	_, _, ok := splitProvenance(p)
	return p, ok
}

// splitProvenance returns the version that provenance is of.
func splitProvenance(p string) (name, version string, ok bool) {
	rest, ok := strings.CutPrefix(p, attestationsFolder+"/")
	at := strings.LastIndex(rest, "@")
	if !ok || at <= 0 {
		return "", "", false
	}
	name, version = rest[:at], rest[at+1:]
	return name, version, isName(name) && isVersion(version)
}

// attested puts what a packument says of provenance into the version.
func (r *release) attested(provenance json.RawMessage) error {
	data, err := json.Marshal(map[string]any{"url": here + "/" + attestationsPath(r.name, r.version), "provenance": provenance})
	r.attestations = data
	return err
}

// bundle puts the bundle that came with an upload into the version, and returns the file that npm asks for.
func (r *release) bundle(text string) (format.Beside, error) {
	s, err := readBundle(text)
	if err != nil {
		return format.Beside{}, err
	}
	kind, err := json.Marshal(map[string]string{"predicateType": s.PredicateType})
	if err != nil {
		return format.Beside{}, err
	}
	if err := r.attested(kind); err != nil {
		return format.Beside{}, err
	}
	data, err := json.Marshal(map[string]any{
		"attestations": []any{map[string]any{"predicateType": s.PredicateType, "bundle": json.RawMessage(text)}},
	})
	return format.Beside{Path: attestationsPath(r.name, r.version), Data: data}, err
}

// statement is what a bundle says (github.com/in-toto/attestation).
type statement struct {
	PredicateType string
	Subject       []struct{ Digest map[string]string }
}

// readBundle reads the statement in a bundle. Nothing of it is verified.
func readBundle(text string) (s statement, err error) {
	if len(text) > bundleMost {
		return s, format.Malformedf("the provenance has %d bytes, at most %d are taken", len(text), bundleMost)
	}
	if _, err := strictjson.Parse([]byte(text)); err != nil {
		return s, format.Malformedf("the provenance: %v", err)
	}
	var b struct{ DSSEEnvelope struct{ Payload string } }
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return s, format.Malformedf("the provenance is no bundle of Sigstore")
	}
	payload, err := base64.StdEncoding.DecodeString(b.DSSEEnvelope.Payload)
	if err != nil || json.Unmarshal(payload, &s) != nil || s.PredicateType == "" || len(s.Subject) == 0 {
		return s, format.Malformedf("the provenance has no statement in it")
	}
	return s, nil
}

// covers reports whether a statement is of a tarball with an integrity.
func (s *statement) covers(integrity string) bool {
	c, err := parseCheck(integrity)
	if err != nil {
		return false
	}
	for _, subject := range s.Subject {
		if sum, err := hex.DecodeString(subject.Digest["sha512"]); err == nil && string(sum) == string(c.want) {
			return true
		}
	}
	return false
}

// bundles returns the bundles among the attachments, by the versions that they are of.
func bundles(name string, attachments, versions strictjson.Object) (map[string]string, error) {
	all := map[string]string{}
	for _, a := range attachments {
		version, ok := strings.CutSuffix(strings.TrimPrefix(a.Name, name+"-"), bundleEnd)
		if !ok {
			continue
		}
		o, err := strictjson.Parse(a.Value)
		if err != nil {
			return nil, format.Malformedf("the attachment %.200q is no object", a.Name)
		}
		text, err := o.String("data")
		if err != nil {
			return nil, err
		}
		s, err := readBundle(text)
		if err != nil {
			return nil, err
		}
		manifest, err := versions.Object(version)
		if err != nil {
			return nil, err
		}
		dist, err := manifest.Object("dist")
		if err != nil {
			return nil, err
		}
		integrity, err := dist.String("integrity")
		if err != nil {
			return nil, err
		}
		if !s.covers(integrity) {
			return nil, format.Malformedf("the provenance %.200q is of another tarball than the one that comes with it", a.Name)
		}
		all[version] = text
	}
	return all, nil
}
