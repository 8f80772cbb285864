package maven

import (
	"bufio"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	metadataMost  = 16 << 20 // bytes of an upstream's maven-metadata.xml
	checksumsMost = 512 << 20
	signatureMost = 64 << 10
	lineMost      = 4 << 10
	versionsMost  = 100_000 // of an artifact
)

// upstreamName is where the upstream's maven-metadata.xml is served as it came.
const upstreamName = "maven-metadata.upstream.xml"

// Scope returns the folder whose maven-metadata.xml says something of a path: that of an artifact, of a snapshot, or of the file
// itself. The tree alone decides over all other paths.
func (f *Format) Scope(p string) (string, bool) {
	dir, name := path.Split(p)
	if isMetadata(name) {
		return strings.TrimSuffix(dir, "/"), folderForm.MatchString(strings.TrimSuffix(dir, "/"))
	}
	at, err := filePlace(dir, name)
	return at.shard(), err == nil
}

// folderForm is a folder with artifacts.
var folderForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.+~-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.+~-]*)*$`)

// Follow reads what the upstream says of a folder. Nobody signs the maven-metadata.xml that most servers have, and so it is
// followed where the upstream is trusted without a key. It lists versions; a file of one is fetched when somebody asks for it.
//
// With a key, the upstream must have a signed list of all its files, checksums.sha256 and checksums.sha256.asc, as
// Hallmark has: the files of the folder that stand in it are there, and no others.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	if !folderForm.MatchString(scope) {
		return format.Edition{}, format.NotFoundf("%.200q is no folder of artifacts", scope)
	}
	// Only without a key is no signature at all a good one.
	switch _, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil); {
	case err == nil:
		return followMetadata(u, scope)
	case !errors.Is(err, format.ErrMalformed):
		return format.Edition{}, err
	}
	return followChecksums(u, scope)
}

// A description is the stanza of an upstream's maven-metadata.xml.
type description struct {
	SHA256   []byte
	Size     int64
	Metadata metadata
}

func followMetadata(u format.Upstream, scope string) (format.Edition, error) {
	edition := format.Edition{Shard: scope, Open: true}
	b, err := u.Fetch(scope+"/"+metadataName, format.Wanted{Limit: metadataMost})
	if errors.Is(err, fs.ErrNotExist) {
		return edition, nil // there may be files all the same
	}
	if err != nil {
		return edition, err
	}
	data, err := readAll(b, metadataMost)
	if err != nil {
		return edition, err
	}
	d := description{SHA256: b.Digest(crypto.SHA256), Size: b.Size()}
	if err := readXML(data, &d.Metadata); err != nil {
		return edition, err
	}
	d.Metadata.keep()
	stanza, err := json.Marshal(d)
	if err != nil {
		return edition, err
	}
	return edition, u.Emit(metadataName, "", stanza)
}

// keep drops what no client could ask this repository for.
func (m *metadata) keep() {
	m.Plugins = slices.DeleteFunc(m.Plugins, func(p plugin) bool { return !p.good() })
	if v := m.Versioning; v != nil {
		v.Versions = slices.DeleteFunc(v.Versions, func(s string) bool { return !versionForm.MatchString(s) })
		v.Files = slices.DeleteFunc(v.Files, func(s snapshotVersion) bool { return !s.good() })
		if v.Snapshot != nil && !v.Snapshot.good() {
			v.Snapshot = nil
		}
		if !isDate(v.LastUpdated) {
			v.LastUpdated = ""
		}
	}
}

// good reports whether there is nothing in it that keep would have dropped.
func (m *metadata) good() bool {
	ok := !slices.ContainsFunc(m.Plugins, func(p plugin) bool { return !p.good() })
	if v := m.Versioning; v != nil {
		ok = ok && len(v.Versions) <= versionsMost && len(v.Files) <= versionsMost && (v.LastUpdated == "" || isDate(v.LastUpdated)) &&
			(v.Snapshot == nil || v.Snapshot.good()) &&
			!slices.ContainsFunc(v.Versions, func(s string) bool { return !versionForm.MatchString(s) }) &&
			!slices.ContainsFunc(v.Files, func(s snapshotVersion) bool { return !s.good() })
	}
	return ok
}

func (p plugin) good() bool {
	return artifactForm.MatchString(p.Prefix) && artifactForm.MatchString(p.ArtifactID) && isText(p.Name)
}

func (s snapshotVersion) good() bool {
	end := "." + s.Extension
	if s.Classifier != "" {
		end = "-" + s.Classifier + end
	}
	return versionForm.MatchString(s.Value) && isDate(s.Updated) && endForm.MatchString(end)
}

func (b *snapshotBuild) good() bool {
	m := stampForm.FindString(b.Timestamp + "-1")
	return m != "" && m == b.Timestamp+"-1" && b.BuildNumber > 0
}

func isDate(s string) bool { return len(s) == len(updatedForm) && strings.Trim(s, "0123456789") == "" }

// isText reports whether a text can stand in XML.
func isText(s string) bool {
	return len(s) <= 1<<10 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\uFFFD' || r == '\uFFFE' || r == '\uFFFF' })
}

// followChecksums emits the lines of the upstream's list that are of the folder.
func followChecksums(u format.Upstream, scope string) (format.Edition, error) {
	edition := format.Edition{Shard: scope}
	list, err := u.Fetch(checksumsName, format.Wanted{Limit: checksumsMost})
	if errors.Is(err, fs.ErrNotExist) {
		return edition, unlisted(u, scope)
	}
	if err != nil {
		return edition, err
	}
	var sig []byte
	switch b, err := u.Fetch(checksumsName+signature, format.Wanted{Limit: signatureMost}); {
	case err == nil:
		if sig, err = readAll(b, signatureMost); err != nil {
			return edition, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return edition, err
	}
	if _, err := u.Verify(scheme.OpenPGPArmored, io.NewSectionReader(list, 0, list.Size()), sig); err != nil {
		return edition, err
	}
	lines := bufio.NewScanner(io.NewSectionReader(list, 0, list.Size()))
	lines.Buffer(nil, lineMost)
	for lines.Scan() {
		_, of, _, err := parseLine(lines.Text())
		if err != nil {
			return edition, err
		}
		if of.shard() != scope {
			continue
		}
		if err := u.Emit(checksumsName, "", lines.Bytes()); err != nil {
			return edition, err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return edition, format.Malformedf("%s has a line of more than %d bytes", checksumsName, lineMost)
	}
	return edition, lines.Err()
}

// unlisted says what is the matter with an upstream that has no list of its files: it has nothing of the folder at all, or it
// cannot be followed with a key.
func unlisted(u format.Upstream, scope string) error {
	_, err := u.Fetch(scope+"/"+metadataName, format.Wanted{Limit: metadataMost})
	if err == nil {
		return format.Malformedf("the upstream has no %s: where there is an upstream.key, it must list its files in it and sign it, as Hallmark "+
			"does; if nobody can tamper with what comes from there, write trust: unverified in place of the key", checksumsName)
	}
	return err
}

// parseLine reads a line of the list: the path of a file, and the place of it or, for a signature, of what it is of.
func parseLine(line string) (file string, of place, digest []byte, err error) {
	const width = 2 * sha256.Size
	if len(line) < width+3 || line[width:width+2] != "  " {
		return "", of, nil, format.Malformedf("%s has the line %.100q, which is no SHA-256, two blanks and a path", checksumsName, line)
	}
	if digest, err = hex.DecodeString(line[:width]); err != nil {
		return "", of, nil, format.Malformedf("%s has the line %.100q, which begins with no SHA-256 in hex", checksumsName, line)
	}
	file = line[width+2:]
	dir, name := path.Split(file)
	base, _, _ := cutSignature(name)
	of, err = placeOf(dir, base)
	return file, of, digest, err
}

// Describe reads a stanza of either.
func (f *Format) Describe(scope, _ string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	if !folderForm.MatchString(scope) {
		return format.Foreign{}, format.Malformedf("%.200q is no folder of artifacts", scope)
	}
	if len(stanza) > 0 && stanza[0] == '{' {
		return describeMetadata(scope, stanza)
	}
	file, of, digest, err := parseLine(string(stanza))
	if err != nil {
		return format.Foreign{}, err
	}
	if of.shard() != scope {
		return format.Foreign{}, format.Malformedf("%.200q is not of the folder %.200q", file, scope)
	}
	found := foreign(of, file, digest, -1)
	if file == of.path() { // a pom makes its version
		found.Entries, err = entries(of, digest, "", nil)
	}
	return found, err
}

func describeMetadata(scope string, stanza []byte) (format.Foreign, error) {
	var d description
	if err := json.Unmarshal(stanza, &d); err != nil || len(d.SHA256) != sha256.Size || d.Size < 0 || !d.Metadata.good() {
		return format.Foreign{}, format.Malformedf("the %s of %.200q says what none can say", metadataName, scope)
	}
	data, err := json.Marshal(d.Metadata)
	if err != nil {
		return format.Foreign{}, err
	}
	return format.Foreign{
		Package: format.Package{
			Path: scope + "/" + upstreamName, Name: metadataName, Shard: scope,
			Entries: []format.Entry{{Group: groupUpstream, Data: data}},
		},
		Source: scope + "/" + metadataName, Size: d.Size, SHA256: d.SHA256,
	}, nil
}

// Found returns a file of an artifact. The upstream's signature of a file is found under the name that an author's has, since
// ours is served in its place; checksums are those that the upstream has, and stand in no list.
func (f *Format) Found(p string, digest []byte, size int64) (format.Foreign, error) {
	dir, name := path.Split(p)
	of, err := filePlace(dir, name)
	if err != nil {
		return format.Foreign{}, format.NotFoundf("%.200q is no file of an artifact", p)
	}
	inner, isChecksum := cutChecksum(name)
	base, suffix, isSignature := cutSignature(inner)
	if isSignature && inner != base+author+suffix {
		return format.Foreign{}, format.NotFoundf("%.200q is made here once somebody has asked for %.200q; the upstream's is %.200q",
			name, base, base+author+suffix)
	}
	found := foreign(of, p, digest, size)
	if isSignature {
		found.Source = dir + base + suffix + strings.TrimPrefix(name, inner)
	}
	if isChecksum {
		found.Entries = nil
	}
	return found, nil
}

// foreign describes a file of an upstream.
func foreign(of place, file string, digest []byte, size int64) format.Foreign {
	return format.Foreign{
		Package: format.Package{
			Path: file, Name: of.group + ":" + of.artifact, Version: of.fileVersion(), Shard: of.shard(),
			Entries: []format.Entry{checksumEntry(file, digest)},
		},
		Size: size, SHA256: digest,
	}
}
