// Package scheme names what a signature is for and how it is made.
//
// It imports nothing, so that code that parses hostile input can name a
// signature without being able to make one.
package scheme

// A Purpose is the one use of a key. A signature that is given for one purpose
// is worthless for any other, because every purpose has keys of its own.
type Purpose string

// The purposes.
const (
	Image   Purpose = "image"   // a container image or another OCI artifact
	Index   Purpose = "index"   // the index of a package repository
	Package Purpose = "package" // a package, in the package format's own way
	File    Purpose = "file"    // the sidecars of an uploaded file
	NPM     Purpose = "npm"     // an npm registry's signature of a package version
	Note    Purpose = "note"    // a signed note, such as a checksum database's
)

// Valid reports whether p is one of the purposes above.
func (p Purpose) Valid() bool {
	switch p {
	case Image, Index, Package, File, NPM, Note:
		return true
	}
	return false
}

// A Scheme is the form of a signature.
type Scheme string

// The schemes of images.
const (
	Cosign Scheme = "cosign" // a simple signing payload in a layer of a .sig manifest
	Bundle Scheme = "bundle" // a Sigstore bundle, attached as an OCI referrer
)

// The schemes of packages, their indexes and uploaded files.
const (
	OpenPGPClearsigned Scheme = "openpgp-clearsigned" // the text itself in the frame of RFC 9580 section 7, such as InRelease
	OpenPGPArmored     Scheme = "openpgp-armored"     // a detached signature in ASCII armor, such as Release.gpg
	OpenPGPBinary      Scheme = "openpgp-binary"      // a detached signature as bare packets, such as a pacman .sig
	RSASHA256          Scheme = "rsa-sha256"          // RSASSA-PKCS1-v1_5, such as Alpine's .SIGN.RSA256
	RSASHA1            Scheme = "rsa-sha1"            // the same over SHA-1, for clients that take nothing else: .SIGN.RSA
	BlobBundle         Scheme = "blob-bundle"         // a Sigstore bundle over a file, for cosign verify-blob
	ECDSASHA256        Scheme = "ecdsa-sha256"        // ECDSA in ASN.1 form over SHA-256, such as npm's dist.signatures
)

// Family returns the family of the keys that sign in the scheme of a package,
// an index or a file. It is empty for the schemes of images, which every key
// but OpenPGP's can make, and for what is no scheme.
func (s Scheme) Family() Family {
	switch s {
	case OpenPGPClearsigned, OpenPGPArmored, OpenPGPBinary:
		return OpenPGP
	case RSASHA256, RSASHA1:
		return RSA
	case BlobBundle, ECDSASHA256:
		return ECDSA
	}
	return ""
}

// A Family is what keys have in common that can take each other's place in a
// client: the form of their public half and of their signatures.
type Family string

// The families.
const (
	OpenPGP Family = "openpgp" // a certificate with user ID and subkeys, whatever its algorithm
	ECDSA   Family = "ecdsa"   // a bare key on a curve of NIST
	RSA     Family = "rsa"     // a bare RSA key
	Ed25519 Family = "ed25519" // a bare Ed25519 key
)

// Valid reports whether f is one of the families above.
func (f Family) Valid() bool {
	switch f {
	case OpenPGP, ECDSA, RSA, Ed25519:
		return true
	}
	return false
}
