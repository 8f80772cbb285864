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

// The schemes.
const (
	Cosign Scheme = "cosign" // a simple signing payload in a layer of a .sig manifest
	Bundle Scheme = "bundle" // a Sigstore bundle, attached as an OCI referrer
)
