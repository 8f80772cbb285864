package world

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What apk 2.14 and apk 3.0 do with each of these is measured; where they differ, the reader does what the
// stricter one does.
func TestAPKReaderTakesWhatBothVersionsOfAPKTake(t *testing.T) {
	one, two := newAPKKey(t, "one.rsa.pub"), newAPKKey(t, "two.rsa.pub")
	renamed := one
	renamed.name = "renamed.rsa.pub"
	trusted := keyring(one)

	p := parts(t, "hello", "1.0.0")
	good := p.bytes()
	text := indexOf("hello", "1.0.0-r1", p.control, len(good))
	plain := tarOf("DESCRIPTION", "test", "APKINDEX", text)

	t.Run("index", func(t *testing.T) {
		for name, test := range map[string]struct {
			file []byte
			good bool
		}{
			"signed with SHA-256":              {slices.Concat(one.sign("RSA256", packed(plain)), packed(plain)), true},
			"signed with SHA-1":                {slices.Concat(one.sign("RSA", packed(plain)), packed(plain)), true},
			"signed with SHA-512":              {slices.Concat(one.sign("RSA512", packed(plain)), packed(plain)), true},
			"without DESCRIPTION":              {signedBy(one, tarOf("APKINDEX", text)), true},
			"without the end of a tar archive": {signedBy(one, bytes.TrimRight(plain, "\x00")), true},
			"one member of many segments":      {slices.Concat(one.sign("RSA256", segments(plain)), segments(plain)), true},
			"an unknown kind of signature beside ours": {slices.Concat(packed(slices.Concat(
				two.signature("ED25519", packed(plain)), two.signature("RSA256", packed(plain)), one.signature("RSA256", packed(plain)),
			)), packed(plain)), true},

			"not signed":                   {packed(plain), false},
			"signed by another key":        {signedBy(two, plain), false},
			"signed under another name":    {signedBy(renamed, plain), false},
			"signed for another index":     {slices.Concat(one.sign("RSA256", packed(tarOf("APKINDEX", "x"))), packed(plain)), false},
			"two members":                  {inTwo(one, plain), false},
			"two members, both signed":     {twoSigned(one, plain), false},
			"a byte after the end":         {append(signedBy(one, plain), 0), false},
			"a bit flipped":                {FlipBit(signedBy(one, plain)), false},
			"truncated":                    {signedBy(one, plain)[:300], false},
			"no APKINDEX":                  {signedBy(one, tarOf("DESCRIPTION", "test")), false},
			"two of APKINDEX":              {signedBy(one, tarOf("APKINDEX", text, "APKINDEX", text)), false},
			"an entry without a checksum":  {signedBy(one, tarOf("APKINDEX", "P:hello\nV:1\nS:1\n\n")), false},
			"an entry without a name":      {signedBy(one, tarOf("APKINDEX", strings.Replace(text, "P:", "X:", 1))), false},
			"empty":                        {nil, false},
			"a signature and nothing else": {one.sign("RSA256", nil), false},
		} {
			entries, err := readAPKIndex(test.file, trusted)
			if (err == nil) != test.good {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && !Distrusted(err) {
				t.Errorf("%s: refused for another reason: %v", name, err)
			}
			if err == nil && (len(entries) != 1 || entries[0].name != "hello" || entries[0].version != "1.0.0-r1" ||
				entries[0].size != int64(len(good)) || entries[0].control != sha1.Sum(p.control)) {
				t.Errorf("%s: read as %+v", name, entries)
			}
		}
	})

	t.Run("package", func(t *testing.T) {
		other := parts(t, "hello", "2.0.0")
		for name, test := range map[string]struct {
			file         []byte
			good, signed bool
		}{
			"without a signature":      {good, true, false},
			"signed":                   {slices.Concat(one.sign("RSA256", p.control), good), true, true},
			"signed by another key":    {slices.Concat(two.sign("RSA256", p.control), good), true, false},
			"signed for another":       {slices.Concat(one.sign("RSA256", other.control), good), true, false},
			"signed over all of it":    {slices.Concat(one.sign("RSA256", good), good), true, false},
			"the data of another":      {slices.Concat(p.control, other.data), false, false},
			"two data members":         {slices.Concat(good, p.data), false, false},
			"no data":                  {p.control, false, false},
			"the middle flipped":       {FlipBit(slices.Clone(good)), false, false},
			"truncated":                {good[:len(good)-1], false, false},
			"empty":                    {nil, false, false},
			"more members than it may": {bytes.Repeat(packed(nil), 100), false, false},
		} {
			if _, err := readAPK(test.file); (err == nil) != test.good || (err != nil && !Distrusted(err)) {
				t.Errorf("%s: %v", name, err)
			}
			// The control member names the data's digest: its signature is good whatever the data are.
			if err := signedAPK(test.file, trusted); (err == nil) != test.signed {
				t.Errorf("%s: signature: %v", name, err)
			}
		}
	})
}

// The same scene as for every other package manager, with a repository made by hand.
func TestAPKReaderReadsARepository(t *testing.T) {
	t.Parallel()
	dir, key := t.TempDir(), newAPKKey(t, "one.rsa.pub")
	arch := makeDir(t, dir, archOf("", Alpine))
	write := func(name string, data []byte) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(arch, name), data, 0o644))
	}
	var text string
	add := func(version string) Built {
		t.Helper()
		p := parts(t, "hello", version)
		file := slices.Concat(key.sign("RSA256", p.control), p.bytes())
		write("hello-"+version+"-r1.apk", file)
		text += indexOf("hello", version+"-r1", p.control, len(file))
		write("APKINDEX.tar.gz", signedBy(key, tarOf("APKINDEX", text)))
		return Built{Name: "hello", Version: version + "-r1"}
	}
	rec := Record(t, static(t, dir, key.file(t)))
	script := "curl -fsS " + rec.URL + "/key.asc -o /etc/apk/keys/" + key.name + " && echo " + rec.URL + " >> /etc/apk/repositories"

	first, second := add("1.9.0"), add("1.10.0")
	c := NewAPKReader(t)
	if err := c.Refresh(t); err == nil {
		t.Error("no repository is fresh")
	}
	must(t, c.Setup(t, script))
	must(t, c.Refresh(t))
	installs(t, c, first.Version, first)
	if out := c.Command("cat").Run(t, "/opt/hello/version"); out != "1.9.0\n" {
		t.Errorf("the file that was installed holds %q", out)
	}
	installs(t, c, "", second)
	removes(t, c, "hello")
	if _, err := c.Root(t).Stat("opt/hello/version"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file that was removed: %v", err)
	}
	rec.Intercept(Flip(regexp.MustCompile(`\.apk$`)))
	refuses(t, "a package with one bit flipped", c.Install(t, "hello", ""))
	rec.Intercept(Alter(regexp.MustCompile(`\.apk$`), func(string, []byte) []byte { return parts(t, "hello", "9.0.0").bytes() }))
	refuses(t, "another package", c.Install(t, "hello", ""))
	rec.Intercept(nil)
	installs(t, c, "", second)
	if err := c.Install(t, "hello", "9.9.9-r9"); err == nil || Distrusted(err) {
		t.Errorf("a version that is not there: %v", err)
	}

	add("3.0.0")
	rec.Intercept(Flip(regexp.MustCompile(`APKINDEX`)))
	refuses(t, "an index with one bit flipped", c.Refresh(t))
	rec.Intercept(nil)
	must(t, c.Refresh(t))

	other := newAPKKey(t, key.name)
	must(t, c.Setup(t, "curl -fsS "+Serve(t, serveFile(other.file(t)))+" -o /etc/apk/keys/"+key.name))
	refuses(t, "an index by another key", c.Refresh(t))
}

func TestAPKReaderComparesVersionsByTheirNumbers(t *testing.T) {
	inOrder := []string{"0.9-r9", "1.0.0-r0", "1.0.0-r1", "1.0.0-r10", "1.9.0-r0", "1.10.0-r0", "2-r0"}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if newerAPK(a, b) != (i > j) {
				t.Errorf("%s after %s: %t", a, b, !(i > j))
			}
		}
	}
}

func FuzzAPK(f *testing.F) {
	key := newAPKKey(f, "one.rsa.pub")
	plain := tarOf("APKINDEX", "P:a\nV:1\nS:1\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n")
	f.Add(signedBy(key, plain))
	f.Add(inTwo(key, plain))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := readAPKIndex(file, keyring(key)); err != nil && !Distrusted(err) {
			t.Errorf("refused for another reason: %v", err)
		}
		readAPK(file)
		signedAPK(file, keyring(key))
	})
}

// apkParts are the members of a package without a signature.
type apkParts struct{ control, data []byte }

func (p apkParts) bytes() []byte { return slices.Concat(p.control, p.data) }

// parts builds a package and takes it apart.
func parts(t *testing.T, name, version string) apkParts {
	t.Helper()
	members, err := gzipMembers(Package{Name: name, Version: version}.Build(t, Alpine).Bytes(t), maxAPKMember)
	must(t, err)
	if len(members) != 2 {
		t.Fatalf("nfpm's package has %d members", len(members))
	}
	return apkParts{members[0].packed, members[1].packed}
}

func indexOf(name, version string, control []byte, size int) string {
	sum := sha1.Sum(control)
	return fmt.Sprintf("C:Q1%s\nP:%s\nV:%s\nA:%s\nS:%d\nI:6\nT:A test.\n\n",
		base64.StdEncoding.EncodeToString(sum[:]), name, version, archOf("", Alpine), size)
}

// An apkKey signs for Alpine.
type apkKey struct {
	name string
	key  *rsa.PrivateKey
}

func newAPKKey(t T, name string) apkKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return apkKey{name, key}
}

// sign returns a member with one signature over a message.
func (k apkKey) sign(algorithm string, message []byte) []byte {
	return packed(k.signature(algorithm, message))
}

// signature returns a signature as a tar archive without an end, so that more can follow.
func (k apkKey) signature(algorithm string, message []byte) []byte {
	hash := map[string]crypto.Hash{"RSA": crypto.SHA1, "RSA256": crypto.SHA256, "RSA512": crypto.SHA512}[algorithm]
	if hash == 0 {
		hash = crypto.SHA256
	}
	h := hash.New()
	h.Write(message)
	signature, err := rsa.SignPKCS1v15(nil, k.key, hash, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	whole := tarOf(".SIGN."+algorithm+"."+k.name, string(signature))
	return whole[:len(whole)-1024]
}

func (k apkKey) public() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (k apkKey) file(t T) string {
	t.Helper()
	return file(t, k.name, string(k.public()))
}

// keyring returns the keys as a client has them.
func keyring(keys ...apkKey) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		for _, k := range keys {
			if k.name == name {
				return k.public(), nil
			}
		}
		return nil, fs.ErrNotExist
	}
}

func signedBy(k apkKey, plain []byte) []byte {
	return slices.Concat(k.sign("RSA256", packed(plain)), packed(plain))
}

// inTwo returns an index whose second half is a member of its own, which apk 2 takes.
func inTwo(k apkKey, plain []byte) []byte {
	both := slices.Concat(packed(plain[:512]), packed(plain[512:]))
	return slices.Concat(k.sign("RSA256", both), both)
}

// twoSigned returns an index in two members whose signature is over the first alone.
func twoSigned(k apkKey, plain []byte) []byte {
	return slices.Concat(k.sign("RSA256", packed(plain)), packed(plain), packed(plain))
}

func packed(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(plain)
	z.Close()
	return b.Bytes()
}

// segments returns one member that is flushed in between.
func segments(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for part := range slices.Chunk(plain, 100) {
		z.Write(part)
		z.Flush()
	}
	z.Close()
	return b.Bytes()
}

// tarOf returns an archive of files: name, contents, name, contents.
func tarOf(files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for pair := range slices.Chunk(files, 2) {
		w.WriteHeader(&tar.Header{Name: pair[0], Mode: 0o644, Size: int64(len(pair[1]))})
		w.Write([]byte(pair[1]))
	}
	w.Close()
	return b.Bytes()
}
