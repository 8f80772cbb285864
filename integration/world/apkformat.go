package world

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The formats are those of apk-tools 2.14 and 3.0, src/package.c, src/database.c and src/extract_v2.c.

// An apkEntry is a stanza of an APKINDEX.
type apkEntry struct {
	name, version string
	size          int64
	control       [sha1.Size]byte // of the compressed control member
}

// An apkPackage is a package whose parts agree with each other.
type apkPackage struct {
	name, version string
	control       [sha1.Size]byte
	data          []byte // a tar archive
}

const (
	maxAPKIndex  = 64 << 20  // plain bytes of an index
	maxAPKMember = 256 << 20 // plain bytes of a member of a package
)

// readAPKIndex checks an APKINDEX.tar.gz as both versions of apk do together, and returns what it lists.
// It is one gzip member that holds nothing but signatures, and one more, since apk 3 takes no index in
// parts. keys returns a public key's file by its name. The error is a distrustError.
func readAPKIndex(file []byte, keys func(name string) ([]byte, error)) ([]apkEntry, error) {
	members, err := gzipMembers(file, maxAPKIndex)
	if err != nil {
		return nil, distrusted("the index: %v", err)
	}
	if len(members) != 2 {
		return nil, distrusted("the index has %d gzip members, and should have a signature and one more", len(members))
	}
	if err := verifyAPK(members[0].plain, members[1].packed, keys); err != nil {
		return nil, distrusted("the index: %v", err)
	}
	text, err := tarFile(members[1].plain, "APKINDEX")
	if err != nil {
		return nil, distrusted("the index: %v", err)
	}
	var entries []apkEntry
	for stanza := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n\n") {
		if stanza == "" {
			continue
		}
		e, err := parseAPKEntry(stanza)
		if err != nil {
			return nil, distrusted("the index: %v in %q", err, stanza)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func parseAPKEntry(stanza string) (apkEntry, error) {
	fields := apkFields(stanza)
	e := apkEntry{name: fields["P"], version: fields["V"]}
	if e.name == "" || e.version == "" {
		return e, errors.New("it has no name or no version")
	}
	var err error
	if e.size, err = strconv.ParseInt(fields["S"], 10, 64); err != nil {
		return e, fmt.Errorf("the size: %w", err)
	}
	sum, ok := strings.CutPrefix(fields["C"], "Q1")
	control, err := base64.StdEncoding.DecodeString(sum)
	if !ok || err != nil || copy(e.control[:], control) != sha1.Size || len(control) != sha1.Size {
		return e, errors.New("the checksum is not Q1 and a SHA-1")
	}
	return e, nil
}

// apkFields returns the fields of a stanza: a letter, a colon, the value. The first of a letter counts.
func apkFields(stanza string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.SplitSeq(stanza, "\n") {
		letter, value, ok := strings.Cut(line, ":")
		if _, had := fields[letter]; ok && !had {
			fields[letter] = value
		}
	}
	return fields
}

// readAPK takes a package apart: signatures if there are any, one control member, one data member whose
// digest stands in the control member. It believes no signature: signedAPK does. The error is a distrustError.
func readAPK(file []byte) (apkPackage, error) {
	members, err := gzipMembers(file, maxAPKMember)
	if err != nil {
		return apkPackage{}, distrusted("the package: %v", err)
	}
	for len(members) > 0 && isSignature(members[0].plain) {
		members = members[1:]
	}
	if len(members) != 2 {
		return apkPackage{}, distrusted("the package has %d members, and should have control and data", len(members))
	}
	info, err := tarFile(members[0].plain, ".PKGINFO")
	if err != nil {
		return apkPackage{}, distrusted("the package: %v", err)
	}
	fields := make(map[string]string)
	for line := range strings.SplitSeq(string(info), "\n") {
		if name, value, ok := strings.Cut(line, " = "); ok {
			fields[name] = value
		}
	}
	if sum := sha256.Sum256(members[1].packed); fields["datahash"] != hex.EncodeToString(sum[:]) {
		return apkPackage{}, distrusted("the data's SHA-256 is %x, and the package says %q", sum, fields["datahash"])
	}
	return apkPackage{fields["pkgname"], fields["pkgver"], sha1.Sum(members[0].packed), members[1].plain}, nil
}

// signedAPK checks the signature inside a package, over its control member. The error is a distrustError.
func signedAPK(file []byte, keys func(name string) ([]byte, error)) error {
	members, err := gzipMembers(file, maxAPKMember)
	if err != nil {
		return distrusted("the package: %v", err)
	}
	if len(members) != 3 || !isSignature(members[0].plain) {
		return distrusted("the package has no signature before its control member")
	}
	if err := verifyAPK(members[0].plain, members[1].packed, keys); err != nil {
		return distrusted("the package: %v", err)
	}
	return nil
}

// isSignature tells whether a member begins with a signature.
func isSignature(plain []byte) bool {
	header, err := tar.NewReader(bytes.NewReader(plain)).Next()
	return err == nil && strings.HasPrefix(header.Name, ".SIGN.")
}

// verifyAPK checks that one of the signatures is by a key that is there under the name in the signature's.
func verifyAPK(signatures, message []byte, keys func(name string) ([]byte, error)) error {
	why := errors.New("there is none")
	for r := tar.NewReader(bytes.NewReader(signatures)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return fmt.Errorf("no signature by a key that is trusted: %w", why)
		}
		if err != nil {
			return err
		}
		rest, ok := strings.CutPrefix(header.Name, ".SIGN.")
		algorithm, name, named := strings.Cut(rest, ".")
		hash, known := map[string]crypto.Hash{
			"RSA": crypto.SHA1, "RSA256": crypto.SHA256, "RSA512": crypto.SHA512,
		}[algorithm]
		if !ok {
			return fmt.Errorf("%s among signatures", header.Name)
		}
		if !named || !known {
			continue
		}
		text, err := keys(name)
		if err != nil {
			why = err
			continue
		}
		key, err := rsaKey(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		signature, err := io.ReadAll(io.LimitReader(r, 4<<10))
		if err != nil {
			return err
		}
		h := hash.New()
		h.Write(message)
		if err := rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), signature); err != nil {
			return fmt.Errorf("bad signature by %s: %w", name, err)
		}
		return nil
	}
}

func rsaKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T", key)
	}
	return public, nil
}

// A gzipMember is one member of a file.
type gzipMember struct{ packed, plain []byte }

// gzipMembers takes a file of gzip members apart, each with at most limit plain bytes.
func gzipMembers(file []byte, limit int64) ([]gzipMember, error) {
	var members []gzipMember
	for r := bytes.NewReader(file); r.Len() > 0; { // which gzip never reads ahead of
		start := len(file) - r.Len()
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", start, err)
		}
		z.Multistream(false)
		plain, err := io.ReadAll(io.LimitReader(z, limit+1))
		if err != nil {
			return nil, fmt.Errorf("in the member at byte %d: %w", start, err)
		}
		if int64(len(plain)) > limit {
			return nil, fmt.Errorf("the member at byte %d has more than %d bytes", start, limit)
		}
		members = append(members, gzipMember{file[start : len(file)-r.Len()], plain})
		if len(members) > 16 {
			return nil, errors.New("too many gzip members")
		}
	}
	return members, nil
}

// tarFile returns the contents of the only file of that name.
func tarFile(archive []byte, name string) ([]byte, error) {
	var found []byte
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err == io.EOF && found != nil {
			return found, nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("there is no %s", name)
		}
		if err != nil {
			return nil, err
		}
		if header.Name != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("there are two of %s", name)
		}
		if found, err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

func distrusted(format string, args ...any) error {
	return &distrustError{fmt.Sprintf(format, args...)}
}
