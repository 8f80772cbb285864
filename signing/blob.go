package signing

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"

	"hallmark/signing/internal/strictjson"
)

// digestAlgorithm is SHA-256 in the enumeration dev.sigstore.common.v1 of
// github.com/sigstore/protobuf-specs.
const digestAlgorithm = "SHA2_256"

// blobBundle is a Sigstore bundle of a file: dev.sigstore.bundle.v1.Bundle
// with a MessageSignature, in protobuf's JSON mapping.
type blobBundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial verificationMaterial `json:"verificationMaterial"`
	MessageSignature     messageSignature     `json:"messageSignature"`
}

type messageSignature struct {
	MessageDigest messageDigest `json:"messageDigest"`
	Signature     []byte        `json:"signature"`
}

type messageDigest struct {
	Algorithm string `json:"algorithm"`
	Digest    []byte `json:"digest"`
}

// signBlob makes a bundle that cosign verify-blob --key accepts.
//
// The signature is over SHA-256 on every curve, since that is what cosign
// verifies when it is given nothing but a key.
func signBlob(k *Key, m Message) (value, sig []byte, err error) {
	sum, err := digest(m, crypto.SHA256)
	if err != nil {
		return nil, nil, err
	}
	if sig, err = signECDSA(k, sum); err != nil {
		return nil, nil, err
	}
	b := blobBundle{
		MediaType:        BundleMediaType,
		MessageSignature: messageSignature{MessageDigest: messageDigest{Algorithm: digestAlgorithm, Digest: sum}, Signature: sig},
	}
	b.VerificationMaterial.PublicKey.Hint = keyHint(k.public)
	return mustMarshal(b), sig, nil
}

// VerifyBlobBundle returns nil if bundle is a Sigstore bundle v0.3 with the
// key's signature over a message, which must be known by SHA-256. An error for
// the signature wraps [ErrSignature].
//
// Transparency log entries and timestamps are not looked at, and neither is
// the key's hint. Documents that two programs could read differently are
// refused, and more than 64 KiB.
func VerifyBlobBundle(pub PublicKey, bundle []byte, m Message) error {
	sum, err := digest(m, crypto.SHA256)
	if err != nil {
		return err
	}
	if err := openBlobBundle(pub, bundle, sum); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

func openBlobBundle(pub PublicKey, data, sum []byte) error {
	if len(data) > maxDocument {
		return fmt.Errorf("longer than %d bytes", maxDocument)
	}
	doc, err := strictjson.Parse(data)
	if err != nil {
		return err
	}
	if err := equals(doc, BundleMediaType, "mediaType"); err != nil {
		return err
	}
	if _, err := strictjson.Get[strictjson.Object](doc, "verificationMaterial", "publicKey"); err != nil {
		return err
	}
	if _, isImage := doc["dsseEnvelope"]; isImage {
		return errors.New("it is over a statement, not over a file")
	}
	signature, err := strictjson.Get[strictjson.Object](doc, "messageSignature")
	if err != nil {
		return err
	}
	named, err := strictjson.Get[strictjson.Object](signature, "messageDigest")
	if err != nil {
		return err
	}
	if err := equals(named, digestAlgorithm, "algorithm"); err != nil {
		return err
	}
	of, err := getBase64(named, "digest")
	if err != nil {
		return err
	}
	if !bytes.Equal(of, sum) {
		return fmt.Errorf("%w: it is over a file with the digest %x, not %x", ErrSignature, of, sum)
	}
	sig, err := getBase64(signature, "signature")
	if err != nil {
		return err
	}
	return verifyECDSA(pub, sum, sig)
}
