package npm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// packumentMost is how many bytes of an upstream's packument are read. Those of packages with thousands of versions have
// some tens of millions.
const packumentMost = 128 << 20

// signaturesMost is how many signatures of a version are tried.
const signaturesMost = 16

// Scope returns the name of the package that a path belongs to: its packument says what there is of it.
func (f *Format) Scope(p string) (string, bool) {
	if strings.HasPrefix(p, attestationsFolder+"/") {
		return attestationsFolder, true
	}
	for _, folder := range []string{fullFolder, installFolder} {
		if rest, ok := strings.CutPrefix(p, folder); ok {
			name, ok := strings.CutSuffix(rest, documentEnd)
			return name, ok && isName(name)
		}
	}
	if rest, ok := strings.CutPrefix(p, tagFolder); ok {
		p = rest
	}
	name, _, ok := splitName(p)
	return name, ok
}

// Follow emits the versions of a package's full packument, each with the tags that it has. Where the upstream has a key, each
// version must be signed by it, as its registry signs: name, version and integrity. All else that a packument says, such as
// what a version depends on, nobody signs in this protocol.
//
// The keys that the upstream itself publishes are not asked for: who can change a packument can change them.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	if scope == attestationsFolder {
		return format.Edition{Shard: scope, Open: true}, nil
	}
	if !isName(scope) {
		return format.Edition{}, format.NotFoundf("%.200q is not the name of a package", scope)
	}
	b, err := u.Fetch(scope, format.Wanted{Limit: packumentMost})
	if err != nil {
		return format.Edition{}, err
	}
	p, err := readPackument(b, scope, func(version string, manifest []byte) error { return verify(u, scope, version, manifest) })
	if err != nil {
		return format.Edition{}, err
	}
	for _, v := range p.versions {
		stanza := make([]byte, v.to-v.from)
		if _, err := b.ReadAt(stanza, v.from); err != nil && err != io.EOF {
			return format.Edition{}, err
		}
		context, err := json.Marshal(p.beside(v.version))
		if err != nil {
			return format.Edition{}, err
		}
		if err := u.Emit("versions", string(context), stanza); err != nil {
			return format.Edition{}, err
		}
	}
	return format.Edition{Shard: scope}, nil
}

// verify checks the upstream's signatures of a version: one by a key of it is enough.
func verify(u format.Upstream, name, version string, manifest []byte) error {
	d, err := readDist(manifest)
	if err != nil {
		return err
	}
	text := name + "@" + version + ":" + d.signed()
	_, err = u.Verify(scheme.ECDSASHA256, strings.NewReader(text), nil) // good where nothing is verified
	for _, s := range d.Signatures[:min(len(d.Signatures), signaturesMost)] {
		if !errors.Is(err, format.ErrMalformed) {
			break
		}
		if sig, bad := base64.StdEncoding.DecodeString(s.Sig); bad == nil && len(sig) > 0 {
			_, err = u.Verify(scheme.ECDSASHA256, strings.NewReader(text), sig)
		}
	}
	if errors.Is(err, format.ErrMalformed) {
		return format.Malformedf("%s@%.100s has no good signature of the registry: %v", name, version, err)
	}
	return err
}

// Found returns a document with the provenance of a version.
func (f *Format) Found(p string, sha256 []byte, size int64) (format.Foreign, error) {
	name, version, ok := splitProvenance(p)
	if !ok {
		return format.Foreign{}, format.NotFoundf("there is nothing at %.200q", p)
	}
	return format.Foreign{
		Package: format.Package{Path: p, Name: name, Version: version, Shard: attestationsFolder},
		Size:    size, SHA256: sha256,
	}, nil
}

// beside is what a packument says of a version outside of its manifest.
type beside struct {
	Version string    `json:"version"`
	Time    time.Time `json:"time,omitzero"`
	Tags    []string  `json:"tags,omitempty"`
}

// Describe reads the manifest of a version. It stands in our packument as it came, but for what is ours to say.
func (f *Format) Describe(scope, context string, stanza []byte, sigs []format.Signature) (format.Foreign, error) {
	var b beside
	if err := json.Unmarshal([]byte(context), &b); err != nil || !isName(scope) || !isVersion(b.Version) ||
		slices.ContainsFunc(b.Tags, func(tag string) bool { return !isTag(tag) }) {
		return format.Foreign{}, format.Malformedf("%.200q is not what a packument of %.200q says of a version", context, scope)
	}
	r, d, err := theirs(scope, b.Version, stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	check, err := d.check()
	if err != nil {
		return format.Foreign{}, err
	}
	source, err := d.source(scope)
	if err != nil {
		return format.Foreign{}, err
	}
	if d.Integrity != "" {
		r.integrity = check
	}
	if err := r.sign(sigs); err != nil {
		return format.Foreign{}, err
	}
	p, err := r.pack(b.Time)
	if err != nil {
		return format.Foreign{}, err
	}
	if len(b.Tags) > 0 {
		var pairs []byte
		for _, tag := range b.Tags {
			pair, err := json.Marshal([2]string{tag, b.Version})
			if err != nil {
				return format.Foreign{}, err
			}
			pairs = append(append(pairs, pair...), '\n')
		}
		p.Entries = append(p.Entries, format.Entry{Group: groupBehind, Data: pairs})
	}
	foreign := format.Foreign{
		Package: p, Source: source, Size: -1, Check: check, Seals: []format.Seal{vouch(scope, b.Version, check)},
	}
	if r.deprecated != "" {
		foreign.Marks = map[string]string{markDeprecated: r.deprecated}
	}
	return foreign, nil
}
