package signing

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"hallmark/signing/internal/strictjson"
)

// The names of the formats that a bundle of an image is made of.
const (
	// BundleMediaType is the media type of a bundle, of its layer and of the
	// artifact that holds it.
	BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// BundlePredicateType is the type of the statement in a bundle, which says
	// that an image is signed and nothing more.
	BundlePredicateType = "https://sigstore.dev/cosign/sign/v1"

	inTotoPayloadType = "application/vnd.in-toto+json"
	inTotoStatement   = "https://in-toto.io/Statement/v1"
)

// An ImageBundle is one key's signature of an image as a Sigstore bundle.
type ImageBundle struct {
	Key  PublicKey
	JSON []byte
}

// The types below are written in the order of the fields of their
// specifications:
//
//   - the bundle: dev.sigstore.bundle.v1.Bundle in
//     github.com/sigstore/protobuf-specs, in protobuf's JSON mapping;
//   - the envelope: github.com/secure-systems-lab/dsse, envelope.md;
//   - the statement: github.com/in-toto/attestation, spec/v1/statement.md and
//     spec/v1/resource_descriptor.md.
type (
	bundle struct {
		MediaType            string               `json:"mediaType"`
		VerificationMaterial verificationMaterial `json:"verificationMaterial"`
		DSSEEnvelope         envelope             `json:"dsseEnvelope"`
	}
	verificationMaterial struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	}
	envelope struct {
		Payload     []byte              `json:"payload"`
		PayloadType string              `json:"payloadType"`
		Signatures  []envelopeSignature `json:"signatures"`
	}
	envelopeSignature struct {
		Sig []byte `json:"sig"`
	}
	statement struct {
		Type          string    `json:"_type"`
		Subject       []subject `json:"subject"`
		PredicateType string    `json:"predicateType"`
		Predicate     struct{}  `json:"predicate"`
	}
	subject struct {
		Digest      map[string]string `json:"digest"`
		Annotations map[string]string `json:"annotations"`
	}
)

// BundleImage signs an image with every key of purpose image, in the order of
// [Ring.Keys], and returns a bundle for each. It returns at least one or an
// error, and all of them or none. The same image gives the same bytes every
// time, if the keys are those of the standard library.
func (r *Ring) BundleImage(img Image) ([]ImageBundle, error) {
	if err := img.Validate(); err != nil {
		return nil, err
	}
	keys, err := r.imageKeys()
	if err != nil {
		return nil, err
	}
	payload := img.statement()
	message := preAuthEncoding(inTotoPayloadType, payload)
	bundles := make([]ImageBundle, 0, len(keys))
	for _, k := range keys {
		sig, err := k.sign(message)
		if err != nil {
			return nil, err
		}
		b := bundle{
			MediaType: BundleMediaType,
			DSSEEnvelope: envelope{
				Payload:     payload,
				PayloadType: inTotoPayloadType,
				Signatures:  []envelopeSignature{{Sig: sig}},
			},
		}
		b.VerificationMaterial.PublicKey.Hint = keyHint(k.public)
		bundles = append(bundles, ImageBundle{Key: k.public, JSON: mustMarshal(b)})
	}
	return bundles, nil
}

// VerifyBundle returns nil if bundle is a Sigstore bundle v0.3 with one
// signature, made by pub, over a statement of type [BundlePredicateType] with
// one subject: img.Digest, annotated with "repository" as img.Name.
// An error for the signature wraps [ErrSignature].
//
// Transparency log entries and timestamps are not looked at, and neither is
// the key's hint. Attestations, which clients accept as signatures if they
// bear a key's signature, are refused here.
//
// Like [CheckPayload] it refuses documents that two programs could read
// differently, and more than 64 KiB.
func VerifyBundle(pub PublicKey, bundle []byte, img Image) error {
	if err := img.Validate(); err != nil {
		return err
	}
	payload, err := openBundle(pub, bundle)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	if err := checkStatement(payload, img); err != nil {
		return fmt.Errorf("bundle: statement: %w", err)
	}
	return nil
}

// openBundle returns the payload of a bundle after verifying its signature.
func openBundle(pub PublicKey, data []byte) ([]byte, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("longer than %d bytes", maxDocument)
	}
	doc, err := strictjson.Parse(data)
	if err != nil {
		return nil, err
	}
	if err := equals(doc, BundleMediaType, "mediaType"); err != nil {
		return nil, err
	}
	if _, err := strictjson.Get[strictjson.Object](doc, "verificationMaterial", "publicKey"); err != nil {
		return nil, err
	}
	env, err := strictjson.Get[strictjson.Object](doc, "dsseEnvelope")
	if err != nil {
		return nil, err
	}
	if err := equals(env, inTotoPayloadType, "payloadType"); err != nil {
		return nil, err
	}
	payload, err := getBase64(env, "payload")
	if err != nil {
		return nil, err
	}
	signature, err := single(env, "signatures")
	if err != nil {
		return nil, err
	}
	sig, err := getBase64(signature, "sig")
	if err != nil {
		return nil, err
	}
	if err := pub.Verify(preAuthEncoding(inTotoPayloadType, payload), sig); err != nil {
		return nil, err
	}
	return payload, nil
}

func checkStatement(payload []byte, img Image) error {
	doc, err := strictjson.Parse(payload, "annotations", "predicate")
	if err != nil {
		return err
	}
	if err := equals(doc, inTotoStatement, "_type"); err != nil {
		return err
	}
	if err := equals(doc, BundlePredicateType, "predicateType"); err != nil {
		return err
	}
	s, err := single(doc, "subject")
	if err != nil {
		return err
	}
	digest, err := strictjson.Get[strictjson.Object](s, "digest")
	if err != nil {
		return err
	}
	if err := digest.Only("sha256"); err != nil {
		return err
	}
	return errors.Join(
		equals(digest, strings.TrimPrefix(img.Digest, "sha256:"), "sha256"),
		equals(s, img.Name, "annotations", "repository"))
}

// statement returns the in-toto statement that img is signed.
func (img Image) statement() []byte {
	return mustMarshal(statement{
		Type: inTotoStatement,
		Subject: []subject{{
			Digest: map[string]string{"sha256": strings.TrimPrefix(img.Digest, "sha256:")},
			// Where cosign 3 compares -a repository=NAME.
			Annotations: map[string]string{"repository": img.Name},
		}},
		PredicateType: BundlePredicateType,
	})
}

// preAuthEncoding is PAE of the DSSE specification (protocol.md, "Signature
// Definition"): the bytes that are signed for a payload and its type. Its
// prefix keeps a signature in an envelope from passing for one over a file.
func preAuthEncoding(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// keyHint is what cosign writes to tell a verifier with several keys which one
// to take.
func keyHint(pub PublicKey) string {
	sum := sha256.Sum256([]byte(pub.spki))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// equals returns an error unless the string at path is want.
func equals(o strictjson.Object, want string, path ...string) error {
	got, err := strictjson.Get[string](o, path...)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s is %.300q, not %q", strings.Join(path, "."), got, want)
	}
	return nil
}

// single returns the object that is the only element of an array.
func single(o strictjson.Object, key string) (strictjson.Object, error) {
	array, err := strictjson.Get[[]any](o, key)
	if err != nil {
		return nil, err
	}
	if len(array) != 1 {
		return nil, fmt.Errorf("%d %q where there must be one", len(array), key)
	}
	object, ok := array[0].(strictjson.Object)
	if !ok {
		return nil, fmt.Errorf("%q holds no object", key)
	}
	return object, nil
}

func getBase64(o strictjson.Object, key string) ([]byte, error) {
	text, err := strictjson.Get[string](o, key)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", key, err)
	}
	return data, nil
}
