package signing

import (
	"encoding/json"
	"errors"
	"fmt"

	"hallmark/signing/internal/strictjson"
)

// cosignType is the type of a payload. It keeps the signature of an image from
// passing for one of anything else.
const cosignType = "cosign container image signature"

// maxDocument bounds payloads and bundles that are read. Ours have less than
// 4 KiB.
const maxDocument = 64 << 10

// An ImageSignature is one key's signature of an image in cosign's form: the
// layer of a .sig manifest and what its annotation
// dev.cosignproject.cosign/signature holds in base64.
type ImageSignature struct {
	Key       PublicKey
	Payload   []byte
	Signature []byte
}

// SignImage signs an image with every key of purpose image, in the order of
// [Ring.Keys]. It returns at least one signature or an error, and all of them
// or none. The same image gives the same bytes every time, if the keys are
// those of the standard library.
//
// The payload is built from img alone, so an image key cannot be made to sign
// anything but a statement about an image.
func (r *Ring) SignImage(img Image) ([]ImageSignature, error) {
	if err := img.Validate(); err != nil {
		return nil, err
	}
	keys, err := r.imageKeys()
	if err != nil {
		return nil, err
	}
	payload := img.Payload()
	signatures := make([]ImageSignature, 0, len(keys))
	for _, k := range keys {
		sig, err := k.sign(payload)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, ImageSignature{Key: k.public, Payload: payload, Signature: sig})
	}
	return signatures, nil
}

// VerifyImage returns nil if sig is the key's signature over payload, and
// payload is about img. An error for the signature wraps [ErrSignature].
func VerifyImage(pub PublicKey, payload, sig []byte, img Image) error {
	// The signature first: nothing is read into bytes that anyone may have
	// written.
	if len(payload) > maxDocument {
		return fmt.Errorf("payload is longer than %d bytes", maxDocument)
	}
	if err := pub.Verify(payload, sig); err != nil {
		return err
	}
	return CheckPayload(payload, img)
}

// simpleSigning is a payload of Red Hat's simple signing as cosign writes it:
// the names and the order of the fields are those of the Go types in
// github.com/sigstore/sigstore/pkg/signature/payload.
type simpleSigning struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional struct {
		Repository string `json:"repository"`
	} `json:"optional"`
}

// Payload returns what is signed for img, always the same bytes. The format is
// specified in containers-signature(5) of github.com/containers/image.
//
// The repository stands in it twice: cosign does not compare
// docker-reference with the image that it verifies, but with
// -a repository=NAME it compares the optional field.
//
// Payload does not check img; see [Image.Validate].
func (img Image) Payload() []byte {
	var p simpleSigning
	p.Critical.Identity.DockerReference = img.Reference
	p.Critical.Image.DockerManifestDigest = img.Digest
	p.Critical.Type = cosignType
	p.Optional.Repository = img.Name
	return mustMarshal(p)
}

// CheckPayload returns nil if payload says that img is signed: its type is
// cosign's, its digest is img.Digest, and it names the repository, either as
// img.Reference in docker-reference or as img.Name in the optional field
// "repository". It verifies no signature.
//
// It refuses a payload that two programs could read differently (duplicate
// keys, also such as differ in case, except under "optional", whose keys are
// the user's; data after the end), an unknown critical field, as
// containers-signature(5) demands, and more than 64 KiB.
func CheckPayload(payload []byte, img Image) error {
	if err := img.Validate(); err != nil {
		return err
	}
	if err := checkPayload(payload, img); err != nil {
		return fmt.Errorf("signature payload: %w", err)
	}
	return nil
}

func checkPayload(payload []byte, img Image) error {
	if len(payload) > maxDocument {
		return fmt.Errorf("longer than %d bytes", maxDocument)
	}
	doc, err := strictjson.Parse(payload, "optional")
	if err != nil {
		return err
	}
	critical, err := strictjson.Get[strictjson.Object](doc, "critical")
	if err != nil {
		return err
	}
	if err := errors.Join(doc.Only("critical", "optional"), critical.Only("identity", "image", "type")); err != nil {
		return err
	}
	typ, err := strictjson.Get[string](critical, "type")
	if err != nil {
		return err
	}
	digest, err := strictjson.Get[string](critical, "image", "docker-manifest-digest")
	if err != nil {
		return err
	}
	reference, err := strictjson.Get[string](critical, "identity", "docker-reference")
	if err != nil {
		return err
	}
	// Optional is null where nobody gave annotations.
	repository, _ := strictjson.Get[string](doc, "optional", "repository")
	switch {
	case typ != cosignType:
		return fmt.Errorf("type is %.100q, not %q", typ, cosignType)
	case digest != img.Digest:
		return fmt.Errorf("digest is %.100q, not %s", digest, img.Digest)
	case reference != img.Reference && repository != img.Name:
		return fmt.Errorf("image is %.300q (repository %.300q), not %s", reference, repository, img.Reference)
	}
	return nil
}

// mustMarshal encodes a value of strings, structs and maps of strings, for
// which encoding/json has no errors.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("signing: " + err.Error())
	}
	return data
}
