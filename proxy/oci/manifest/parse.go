package manifest

import (
	"crypto/sha256"
	_ "crypto/sha512" // go-digest knows the algorithms that are linked in
	"encoding/hex"
	"mime"

	"github.com/opencontainers/go-digest"
)

// Parse reads a manifest that was sent, or stored, with the given Content-Type. Every error wraps ErrInvalid.
//
// Parameters of the Content-Type are ignored. An empty one is accepted if the body's mediaType names a type that Parse
// reads; otherwise the two must agree. Docker's types must stand in the body too.
//
// What Parse accepts, every conforming parser reads in the same way: UTF-8, one object and nothing after it, no name
// twice in any object, no field of the specification in another case, no fields of one type of manifest in another.
// Unknown fields are allowed, as the specification demands. Of the fields that are required none is missing, digests
// are well-formed and sizes are whole numbers; whether what they name exists is the registry's to check.
//
// Parse takes time and memory in proportion to the body; the caller limits its size.
func Parse(contentType string, body []byte) (*Manifest, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	var d document
	present, err := r.object(rootFields(), func(name string) error { return d.field(r, name) })
	if err != nil {
		return nil, err
	}
	if !present {
		return nil, invalid("the body is null; it must be an object")
	}
	mediaType, err := d.settleType(contentType)
	if err != nil {
		return nil, err
	}
	if err := d.check(mediaType); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &Manifest{
		MediaType: mediaType, ArtifactType: d.artifactType,
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(body)),
		Config: d.config, Layers: append(d.layers, d.blobs...), Manifests: d.manifests,
		Subject: d.subject, Annotations: d.annotations,
	}, nil
}

// rootFields returns the fields that a specification names at the top level, whichever the type of manifest. fsLayers
// is schema 1's, and there to be refused.
func rootFields() []string {
	return []string{
		"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "blobs", "subject", "annotations", "fsLayers",
	}
}

func descriptorFields() []string {
	return []string{"mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"}
}

// platformFields returns the fields of a platform; features is Docker's.
func platformFields() []string {
	return []string{"architecture", "os", "os.version", "os.features", "variant", "features"}
}

// A document is a manifest as it is written, before its fields are weighed against its type.
type document struct {
	has map[string]bool // which of rootFields are there, be it as null

	schemaVersion            int64
	mediaType, artifactType  string
	config, subject          *Descriptor
	layers, manifests, blobs []Descriptor // nil if missing or null
	annotations              map[string]string
}

// field reads the field of the top level that r stands before.
func (d *document) field(r *reader, name string) (err error) {
	if d.has == nil {
		d.has = make(map[string]bool)
	}
	d.has[name] = true
	switch name {
	case "schemaVersion":
		d.schemaVersion, err = r.integer()
	case "mediaType":
		d.mediaType, err = r.text()
	case "artifactType":
		d.artifactType, err = r.text()
	case "config":
		d.config, err = readDescriptor(r)
	case "subject":
		d.subject, err = readDescriptor(r)
	case "layers":
		d.layers, err = readDescriptors(r)
	case "manifests":
		d.manifests, err = readDescriptors(r)
	case "blobs":
		d.blobs, err = readDescriptors(r)
	case "annotations":
		d.annotations, err = r.annotations()
	default:
		err = r.skip()
	}
	return err
}

// settleType returns the media type that Content-Type and body agree on.
func (d *document) settleType(contentType string) (string, error) {
	if d.isSchema1(contentType) {
		return "", invalid("this is a schema 1 manifest, a format that was given up because nothing can verify it; push the image again with a docker, podman or crane of this decade")
	}
	if contentType == "" {
		if d.mediaType == "" {
			return "", invalid("neither a Content-Type nor a mediaType says what it is; send the Content-Type of the manifest")
		}
		if !supported(d.mediaType) {
			return "", unsupported("mediaType", d.mediaType)
		}
		return d.mediaType, nil
	}
	sent, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", invalid("the Content-Type %s cannot be read: %s", quoted(contentType), err)
	}
	if !supported(sent) {
		return "", unsupported("Content-Type", sent)
	}
	if d.mediaType == "" && (sent == DockerManifest || sent == DockerList) {
		return "", invalid("mediaType is missing, which a manifest of Docker's must have; set it to %q", sent)
	}
	if d.has["mediaType"] && d.mediaType != sent {
		return "", invalid("the Content-Type is %s and the mediaType in the body is %s; they must be the same", quoted(sent), quoted(d.mediaType))
	}
	return sent, nil
}

func (d *document) isSchema1(contentType string) bool {
	sent, _, _ := mime.ParseMediaType(contentType)
	switch sent {
	case "application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws":
		return true
	}
	return d.has["fsLayers"] || d.schemaVersion == 1
}

func supported(mediaType string) bool {
	switch mediaType {
	case OCIManifest, OCIIndex, OCIArtifact, DockerManifest, DockerList:
		return true
	}
	return false
}

func unsupported(where, mediaType string) error {
	return invalid("the %s %s is none of the manifests that work here: %s, %s, %s, %s, %s", where, quoted(mediaType), OCIManifest, OCIIndex, DockerManifest, DockerList, OCIArtifact)
}

// check weighs the fields against the type. A field that makes another type of manifest is refused even as null, since
// a parser may go by the names that it finds.
func (d *document) check(mediaType string) error {
	var foreign []string
	switch mediaType {
	case OCIManifest, DockerManifest:
		foreign = []string{"manifests", "blobs"}
	case OCIIndex, DockerList:
		foreign = []string{"config", "layers", "blobs"}
	case OCIArtifact:
		foreign = []string{"config", "layers", "manifests"}
	}
	for _, name := range foreign {
		if d.has[name] {
			return wrong("has the field %q, which %s does not have; one manifest cannot be of two types", name, mediaType)
		}
	}

	if mediaType == OCIArtifact {
		if d.artifactType == "" {
			return missing("artifactType", mediaType)
		}
		if d.has["schemaVersion"] && d.schemaVersion != 2 {
			return invalid("schemaVersion is %d; it must be 2, or be left out", d.schemaVersion)
		}
		return nil
	}
	switch {
	case !d.has["schemaVersion"]:
		return missing("schemaVersion", mediaType)
	case d.schemaVersion != 2:
		return invalid("schemaVersion is %d; it must be 2", d.schemaVersion)
	case mediaType == OCIIndex || mediaType == DockerList:
		if d.manifests == nil {
			return missing("manifests", mediaType)
		}
	case d.config == nil:
		return missing("config", mediaType)
	case d.layers == nil:
		return missing("layers", mediaType)
	}
	return nil
}

// missing says what a required field must be. It covers null, which is no array and no object.
func missing(name, mediaType string) error {
	must := ""
	switch name {
	case "layers", "manifests":
		must = " (an array, which may be empty)"
	}
	return invalid("%s is missing, which %s must have%s", name, mediaType, must)
}

// readDescriptors reads an array of descriptors; an empty one is not nil, a null is.
func readDescriptors(r *reader) ([]Descriptor, error) {
	all := []Descriptor{}
	present, err := r.array(func() error {
		d, err := readDescriptor(r)
		if err != nil {
			return err
		}
		if d == nil {
			return wrong("is null; it must be a descriptor")
		}
		all = append(all, *d)
		return nil
	})
	if err != nil || !present {
		return nil, err
	}
	return all, nil
}

// readDescriptor reads a descriptor, or nil for null.
func readDescriptor(r *reader) (*Descriptor, error) {
	var d Descriptor
	sized := false
	present, err := r.object(descriptorFields(), func(name string) (err error) {
		switch name {
		case "mediaType":
			d.MediaType, err = r.text()
		case "digest":
			d.Digest, err = r.text()
		case "size":
			sized = true
			d.Size, err = r.integer()
		case "urls":
			err = r.skipTexts()
		case "annotations":
			d.Annotations, err = r.annotations()
		case "data":
			err = r.skipBase64()
		case "platform":
			d.Platform, err = readPlatform(r)
		case "artifactType":
			d.ArtifactType, err = r.text()
		}
		return err
	})
	if err != nil || !present {
		return nil, err
	}
	if d.MediaType == "" {
		return nil, wrong("has no mediaType, which every descriptor must have")
	}
	if !sized {
		return nil, wrong("has no size, which every descriptor must have")
	}
	if err := digest.Digest(d.Digest).Validate(); err != nil {
		return nil, wrong("has the digest %s: %s; write sha256: and 64 lower-case hexadecimal digits", quoted(d.Digest), err)
	}
	return &d, nil
}

// readPlatform reads a platform, or nil for null.
func readPlatform(r *reader) (*Platform, error) {
	var p Platform
	present, err := r.object(platformFields(), func(name string) (err error) {
		switch name {
		case "architecture":
			p.Architecture, err = r.text()
		case "os":
			p.OS, err = r.text()
		case "os.version":
			p.OSVersion, err = r.text()
		case "variant":
			p.Variant, err = r.text()
		case "os.features", "features":
			err = r.skipTexts()
		}
		return err
	})
	if err != nil || !present {
		return nil, err
	}
	return &p, nil
}
