package npm

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
)

// Limits of a request that publishes or changes packages.
const (
	versionsMost    = 20_000
	tagsMost        = 1000
	attachmentsMost = 8
)

// Unwrap reads what npm sends to publish a version, to deprecate some, and before it unpublishes one: a packument, with the
// tarballs in it as base64. Of what it says of versions only their deprecations count, and the digests that it must agree
// with. Of tags all count.
func (f *Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	name, _, _ := splitName(r.Path)
	skeleton, refs, err := readEnvelope(b)
	if err != nil {
		return nil, err
	}
	doc, err := strictjson.Parse(skeleton)
	if err != nil {
		return nil, err
	}
	if err := checkSame(doc, "name", name); err != nil {
		return nil, err
	}
	versions, err := doc.Object("versions")
	if err != nil {
		return nil, err
	}
	tags, err := doc.Object("dist-tags")
	if err != nil {
		return nil, err
	}
	attachments, err := doc.Object("_attachments")
	if err != nil {
		return nil, err
	}
	if len(versions) > versionsMost || len(tags) > tagsMost || len(attachments) > attachmentsMost {
		return nil, format.Malformedf("the request has %d versions, %d tags and %d attachments: at most %d, %d and %d are taken",
			len(versions), len(tags), len(attachments), versionsMost, tagsMost, attachmentsMost)
	}
	changes, err := uploads(name, versions, attachments, source{b, refs})
	if err != nil {
		return nil, err
	}
	marks, err := deprecations(name, versions, len(changes) > 0)
	if err != nil {
		return nil, err
	}
	changes = append(changes, marks...)
	for _, t := range tags {
		change, err := tagged(name, t, tags)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return nil, format.Malformedf("the request changes nothing: it has no versions, tags or attachments")
	}
	return changes, nil
}

func checkSame(o strictjson.Object, member, want string) error {
	switch got, err := o.String(member); {
	case err != nil:
		return err
	case got != want:
		return format.Malformedf("the request says that its %s is %.100q, and its address %.100q", member, got, want)
	}
	return nil
}

// uploads returns the tarballs among the attachments.
func uploads(name string, versions, attachments strictjson.Object, from source) ([]format.Change, error) {
	provenance, err := bundles(name, attachments, versions)
	if err != nil {
		return nil, err
	}
	var changes []format.Change
	for _, a := range attachments {
		if strings.HasSuffix(a.Name, bundleEnd) {
			continue
		}
		version, ok := strings.CutSuffix(strings.TrimPrefix(a.Name, name+"-"), tarballEnd)
		manifest, err := versions.Object(version)
		if err != nil {
			return nil, err
		}
		if !ok || manifest == nil || !isVersion(version) {
			return nil, format.Malformedf("the attachment %.200q is no tarball of a version that the request has", a.Name)
		}
		if err := checkSame(manifest, "name", name); err != nil {
			return nil, err
		}
		if err := checkSame(manifest, "version", version); err != nil {
			return nil, err
		}
		body, err := from.attachment(a)
		if err != nil {
			return nil, err
		}
		checked, err := newChecked(body, manifest)
		if err != nil {
			return nil, err
		}
		deprecated, err := manifest.String("deprecated")
		if err != nil {
			return nil, err
		}
		change := format.Change{Op: putTarball(name, version), Body: checked}
		change.Op.Marks = map[string]string{}
		for mark, text := range map[string]string{markDeprecated: deprecated, markProvenance: provenance[version]} {
			if text != "" {
				change.Op.Marks[mark] = text
			}
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// deprecations returns the marks of versions that are there already. Where a version is published, npm sends no others, and
// what it says is in its upload.
func deprecations(name string, versions strictjson.Object, publishes bool) ([]format.Change, error) {
	var changes []format.Change
	for _, v := range versions {
		if publishes {
			break
		}
		if !isVersion(v.Name) {
			return nil, format.Malformedf("%.100q is no version", v.Name)
		}
		manifest, err := versions.Object(v.Name)
		if err != nil {
			return nil, err
		}
		text, err := manifest.String("deprecated")
		if err != nil {
			return nil, err
		}
		changes = append(changes, format.Change{Op: format.Op{
			Kind: format.Mark, Paths: []string{tarballPath(name, v.Name)}, Marks: map[string]string{markDeprecated: text},
		}})
	}
	return changes, nil
}

// tagged returns the upload of a tag.
func tagged(name string, t strictjson.Member, tags strictjson.Object) (format.Change, error) {
	version, err := tags.String(t.Name)
	if err != nil {
		return format.Change{}, err
	}
	if !isTag(t.Name) || !isVersion(version) {
		return format.Change{}, format.Malformedf("the tag %.100q of the version %.100q cannot be: tags look like latest, versions like 1.2.3",
			t.Name, version)
	}
	body, err := json.Marshal(version)
	return format.Change{Op: putTag(name, t.Name), Body: bytes.NewReader(body)}, err
}

// A source has the long texts of an envelope.
type source struct {
	b    format.Blob
	refs []section
}

// attachment returns the bytes of an attachment.
func (s source) attachment(a strictjson.Member) (io.Reader, error) {
	o, err := strictjson.Parse(a.Value)
	if err != nil {
		return nil, format.Malformedf("the attachment %.200q is no object", a.Name)
	}
	data, err := o.String("data")
	if err != nil {
		return nil, err
	}
	var text io.Reader = strings.NewReader(data)
	if ref, ok := s.ref(data); ok {
		text = io.NewSectionReader(s.b, ref.from, ref.to-ref.from)
	}
	return &decoded{name: a.Name, r: base64.NewDecoder(base64.StdEncoding.Strict(), text)}, nil
}

// decoded says what is wrong with base64 in a sentence.
type decoded struct {
	name string
	r    io.Reader
}

func (d *decoded) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || err == io.ErrUnexpectedEOF {
		err = format.Malformedf("the data of the attachment %.200q is not base64", d.name)
	}
	return n, err
}

// checked compares the digests of a tarball with what the request says of them when all of it is read.
type checked struct {
	r                 io.Reader
	sha1, sha512      hash.Hash
	shasum, integrity string // empty: it says nothing
}

func newChecked(r io.Reader, manifest strictjson.Object) (io.Reader, error) {
	dist, err := manifest.Object("dist")
	if err != nil {
		return nil, err
	}
	c := &checked{sha1: sha1.New(), sha512: sha512.New()}
	if c.shasum, err = dist.String("shasum"); err != nil {
		return nil, err
	}
	if c.integrity, err = dist.String("integrity"); err != nil {
		return nil, err
	}
	c.r = io.TeeReader(r, io.MultiWriter(c.sha1, c.sha512))
	return c, nil
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != io.EOF {
		return n, err
	}
	if got := hex.EncodeToString(c.sha1.Sum(nil)); c.shasum != "" && c.shasum != got {
		return n, format.Malformedf("the tarball has the shasum %s, and the request says %.100q", got, c.shasum)
	}
	got := integrityOf(c.sha512.Sum(nil))
	if strings.HasPrefix(c.integrity, "sha512-") && !strings.Contains(" "+c.integrity+" ", " "+got+" ") {
		return n, format.Malformedf("the tarball has the integrity %s, and the request says %.200q", got, c.integrity)
	}
	return n, err
}

// integrityOf returns a SHA-512 as Subresource Integrity has it (w3.org/TR/SRI).
func integrityOf(sha512 []byte) string {
	return fmt.Sprintf("sha512-%s", base64.StdEncoding.EncodeToString(sha512))
}
