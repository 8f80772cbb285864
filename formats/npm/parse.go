package npm

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"path"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// markDeprecated is the mark of a version that people are told not to use, with what they are told.
const markDeprecated = "deprecated"

// The groups of a package's shard, which is named as it is.
const (
	groupFull    = "full"    // ,"VERSION":MANIFEST
	groupInstall = "install" // the same in the short form
	groupAbout   = "about"   // an about
	groupTags    = "tags"    // pairs of tag and version, each a JSON array in a line
	groupBehind  = "behind"  // the same of the tags of an upstream, which give way to others of their names
)

// Parse reads a tarball or a distribution tag. What a tarball is says its package.json, and its address must agree.
func (f *Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	if strings.HasPrefix(op.Dir, "-/") {
		return parseTag(op, b)
	}
	r, err := readRelease(op, b)
	if err != nil {
		return format.Package{}, err
	}
	r.deprecated = op.Marks[markDeprecated]
	if err := r.sign(sigs); err != nil {
		return format.Package{}, err
	}
	var files []format.Beside
	if text := op.Marks[markProvenance]; text != "" {
		b, err := r.bundle(text)
		if err != nil {
			return format.Package{}, err
		}
		files = append(files, b)
	}
	p, err := r.pack(op.Time)
	p.Beside = files
	return p, err
}

// sign takes signatures over for dist.signatures.
func (r *release) sign(sigs []format.Signature) error {
	for _, s := range sigs {
		id, err := keyID(s.Fingerprint)
		if err != nil {
			return err
		}
		r.signatures = append(r.signatures, signature{id, base64.StdEncoding.EncodeToString(s.Value)})
	}
	return nil
}

// pack returns the package with its entries.
func (r *release) pack(at time.Time) (format.Package, error) {
	full, err := r.full()
	if err != nil {
		return format.Package{}, err
	}
	install, err := r.install()
	if err != nil {
		return format.Package{}, err
	}
	about, err := r.about(at)
	if err != nil {
		return format.Package{}, err
	}
	quoted, err := json.Marshal(r.version)
	if err != nil {
		return format.Package{}, err
	}
	member := "," + string(quoted) + ":"
	return format.Package{
		Path: tarballPath(r.name, r.version), Name: r.name, Version: r.version, Shard: r.name,
		Entries: []format.Entry{
			{Group: groupFull, Data: append([]byte(member), full...)},
			{Group: groupInstall, Data: append([]byte(member), install...)},
			{Group: groupAbout, Data: about},
		},
	}, nil
}

// readRelease reads a tarball, and holds its name and version against the address.
func readRelease(op format.Op, b format.Blob) (*release, error) {
	c, err := readTarball(b)
	if err != nil {
		return nil, err
	}
	r := &release{content: c}
	if r.name, err = c.manifest.String("name"); err != nil {
		return nil, err
	}
	if r.version, err = c.manifest.String("version"); err != nil {
		return nil, err
	}
	if err := checkName(r.name); err != nil {
		return nil, err
	}
	if !isVersion(r.version) {
		return nil, format.Malformedf("package.json has the version %.100q: npm publishes versions like 1.2.3 or 1.2.3-beta.1", r.version)
	}
	if want := tarballPath(r.name, r.version); want != op.Dir+"/-/"+op.Name {
		return nil, format.Malformedf("package.json says that this is %s@%s, which is kept at %s, and it was sent to %.300s",
			r.name, r.version, want, op.Dir+"/-/"+op.Name)
	}
	r.shasum, r.integrity = digests(b)
	return r, nil
}

// parseTag reads a distribution tag: a version as JSON text.
func parseTag(op format.Op, b format.Blob) (format.Package, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(op.Dir, tagFolder), strings.TrimSuffix(tagMiddle, "/"))
	if b.Size() > versionMost+8 {
		return format.Package{}, format.Malformedf("a tag is one version, and this has %d bytes", b.Size())
	}
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return format.Package{}, err
	}
	var version string
	if json.Unmarshal(data, &version) != nil || !isVersion(version) {
		return format.Package{}, format.Malformedf("the tag %.100s is set to %.100q, which is no version in quotes", op.Name, data)
	}
	if !isName(name) || !isTag(op.Name) {
		return format.Package{}, format.Malformedf("%.300q is not the address of a tag", op.Dir)
	}
	pair, err := json.Marshal([2]string{op.Name, version})
	return format.Package{
		Path: path.Join(op.Dir, op.Name), Name: name, Version: version, Shard: name, Overwrites: true,
		Entries: []format.Entry{{Group: groupTags, Data: append(pair, '\n')}},
	}, err
}

// Seal wishes for the registry's signature of a version: of its name, version and integrity, as npm verifies it. Parse has
// found the first two to be those of the address.
func (f *Format) Seal(_ format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	version, ok := splitTarball(op.Dir, "-/"+op.Name)
	if op.Kind != format.Put || !ok {
		return format.Sealing{}, nil // a tag, or a file of an upstream, whose signature is made from what its index says
	}
	_, integrity := digests(b)
	return format.Sealing{Seals: []format.Seal{vouch(op.Dir, version, integrity)}}, nil
}

func vouch(name, version, integrity string) format.Seal {
	return format.Seal{
		Name: "registry", Scheme: scheme.ECDSASHA256, Purpose: scheme.NPM, Text: []byte(name + "@" + version + ":" + integrity),
	}
}
