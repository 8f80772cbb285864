package maven

import (
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"hallmark/formats/format"
)

// The groups of entries. That of checksums is one of the shard "", which lists all files; the others are of the folder that a
// maven-metadata.xml is in.
const (
	groupChecksums = "checksums"
	groupVersions  = "versions" // of an artifact: a versionEntry for each pom, and those that snapshots raise
	groupPoms      = "poms"     // of a snapshot: a versionEntry for each pom
	groupFiles     = "files"    // of a snapshot: a fileEntry for each file
	groupPlugins   = "plugins"  // of a group: a plugin for each artifact that is one
	groupUpstream  = "upstream" // what the upstream's maven-metadata.xml says
)

// A versionEntry is a version that its pom has made.
type versionEntry struct {
	Version string
	Updated string  `json:",omitempty"`
	Plugin  *plugin `json:",omitempty"`
}

// A fileEntry is a file of a snapshot.
type fileEntry struct {
	snapshotVersion
	Stamp string `json:",omitempty"`
	Build int    `json:",omitempty"`
}

// The most bytes of files that are read.
const (
	maxPom       = 4 << 20
	maxModule    = 16 << 20
	maxSignature = 64 << 10
	maxBundle    = 1 << 20
)

// updatedForm is the form of dates in maven-metadata.xml.
const updatedForm = "20060102150405"

// Parse says what an uploaded file is. A pom and Gradle's module file must be of the coordinates that their path says; of other
// files nothing is read.
func (f *Format) Parse(op format.Op, b format.Blob, _ []format.Signature) (format.Package, error) {
	base, suffix, isSignature := cutSignature(op.Name)
	p, err := placeOf(op.Dir, base)
	if err != nil {
		return format.Package{}, err
	}
	pkg := format.Package{Name: p.group + ":" + p.artifact, Version: p.fileVersion(), Shard: p.shard()}
	if isSignature {
		pkg.Path, pkg.Overwrites = f.signaturePath(p, suffix), true
		pkg.Entries = []format.Entry{checksumEntry(pkg.Path, b.Digest(crypto.SHA256))}
		return pkg, checkSignature(op.Name, suffix, b)
	}
	plugin, err := f.look(p, b)
	if err != nil {
		return format.Package{}, err
	}
	pkg.Path, pkg.Overwrites = p.path(), p.isSnapshot() && p.build == 0
	if pkg.Entries, err = entries(p, b.Digest(crypto.SHA256), op.Time.Format(updatedForm), plugin); err != nil {
		return format.Package{}, err
	}
	for _, c := range checksums {
		pkg.Beside = append(pkg.Beside, format.Beside{Path: p.path() + c.suffix, Data: fmt.Appendf(nil, "%x", b.Digest(c.hash))})
	}
	return pkg, nil
}

// look reads a file that says itself what it is, which must be what its place says. It returns the plugin that a pom makes, or nil.
func (f *Format) look(p place, b format.Blob) (*plugin, error) {
	switch {
	case p.isPom():
		m, err := readPom(b)
		if err != nil {
			return nil, err
		}
		return m.plugin(), m.fits(p)
	case p.extension == "module" && p.classifier == "":
		return nil, checkModule(p, b)
	}
	return nil, nil
}

// entries returns what the indexes hold of a file. The plugin is what its pom makes of the version.
func entries(p place, digest []byte, updated string, plugin *plugin) ([]format.Entry, error) {
	if p.build > 0 {
		updated = strings.Replace(p.stamp, ".", "", 1)
	}
	all := []format.Entry{checksumEntry(p.path(), digest)}
	add := func(group string, entry any) error {
		data, err := json.Marshal(entry)
		all = append(all, format.Entry{Group: group, Data: data})
		return err
	}
	if p.isPom() {
		group := groupVersions
		if p.isSnapshot() {
			group = groupPoms
		}
		if err := add(group, versionEntry{p.version, updated, plugin}); err != nil {
			return nil, err
		}
	}
	if !p.isSnapshot() {
		return all, nil
	}
	return all, add(groupFiles, fileEntry{
		snapshotVersion{Classifier: p.classifier, Extension: p.extension, Value: p.fileVersion(), Updated: updated}, p.stamp, p.build,
	})
}

// checksumEntry is the line of a file in the list of all.
func checksumEntry(at string, digest []byte) format.Entry {
	return format.Entry{Group: groupChecksums, Root: true, Data: fmt.Appendf(nil, "%x  %s\n", digest, at)}
}

// signaturePath is where an author's signature is served. It replaces an earlier one there, since each run of a build makes
// another.
func (f *Format) signaturePath(p place, suffix string) string {
	if f.settings.Signatures == authors && suffix == signature {
		return p.path() + suffix
	}
	return p.path() + author + suffix
}

// checkSignature looks at the form of a signature that an author has made of a file, which need not be there yet.
func checkSignature(name, suffix string, b format.Blob) error {
	if suffix == bundle {
		if data, err := readAll(b, maxBundle); err != nil || !json.Valid(data) || data[0] != '{' {
			return format.Malformedf("%.100q is no bundle of Sigstore: that is an object in JSON of at most %d bytes", name, maxBundle)
		}
		return nil
	}
	data, err := readAll(b, maxSignature)
	text := strings.TrimSpace(string(data))
	if err != nil || !strings.HasPrefix(text, "-----BEGIN PGP SIGNATURE-----") || !strings.HasSuffix(text, "-----END PGP SIGNATURE-----") {
		return format.Malformedf("%.100q is no armored OpenPGP signature of at most %d bytes: make it with gpg --armor --detach-sign",
			name, maxSignature)
	}
	return nil
}

// readAll reads a file, which has at most some bytes.
func readAll(b format.Blob, most int64) ([]byte, error) {
	if b.Size() > most {
		return nil, format.Malformedf("it has %d bytes, and at most %d are read", b.Size(), most)
	}
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}

// Seal wishes for nothing: F.asc is made for every file.
func (f *Format) Seal(format.Site, format.Op, format.Blob) (format.Sealing, error) {
	return format.Sealing{}, nil
}
