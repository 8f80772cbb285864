// Package formattest is the conformance test that every package format passes.
//
// It holds a small house that keeps packages in memory and uses a format as the write path does, and asks of the format
// what the write path relies on. A format's own test supplies packages and a client in miniature.
package formattest

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"testing"

	"hallmark/formats/format"
)

// A Subject is a format with what the tests need to know of it.
type Subject struct {
	Format format.Format

	// Upload returns the upload of a package. The name is of small letters, the version one of Versions, the architecture
	// one of Archs. The same arguments give the same bytes, and others another package.
	Upload func(tb testing.TB, name, version, arch string) Upload

	// Versions are at least two versions of packages, the oldest first. Archs are architectures, at least one, which may
	// be empty.
	Versions, Archs []string

	// Extra are more uploads that are accepted in their order, such as a set of several files.
	Extra []Upload

	// Malformed are uploads that are refused with format.ErrMalformed, by what is wrong with them.
	Malformed map[string]Upload

	// Attacks are uploads that are refused or harmless: no client takes what is served of them for an index.
	Attacks map[string]Upload

	// Client is a client in miniature. It follows the signed index of the repository to every file, as far as the uploads
	// above go, checks what a real client checks, and returns the paths of the packages and the digests of the bytes that
	// it fetched. It returns an error if anything is missing or not as signed.
	//
	// It is run with the oldest key of the repository, with both, and with the newer one alone. With that one it may find a
	// signature of a Single seal not to be good, and then its error wraps ErrSignature.
	Client func(r Repository) (map[string][sha256.Size]byte, error)

	// Verify, if there is any signature in or beside a package, verifies it as a client does that has the package and no
	// index. It returns an error if there is none. It is run with the same keys as Client.
	Verify func(r Repository, path string) error

	// Uncovered, if there are any, returns the sections of a package that the index says nothing of, and that a client
	// takes as they come: Alpine's signature in front of the package is one.
	Uncovered func(data []byte) []format.Section

	// Unsigned, if there are any, reports whether a path is one of an index file that no signature covers as a whole. A flipped
	// bit in it may be taken, as long as that makes the client take no other package.
	Unsigned func(path string) bool

	// Aside, if there are any, reports whether a path is one of a package that no client comes to by the index: an author's
	// signature, a name for a version.
	Aside func(path string) bool

	// Opaque says that any bytes are a package.
	Opaque bool

	// Memory is how many bytes one call of Parse may allocate for a hostile upload of some kilobytes, in total. Zero is
	// 64 MiB.
	Memory int64
}

// An Upload is a file that is uploaded.
type Upload struct {
	Method string // PUT if it is empty
	Path   string // a query may follow behind "?"
	Type   string // the Content-Type
	Body   []byte
}

func (u Upload) request() format.Request {
	r := request(u.method(), u.Path)
	r.Type = u.Type
	return r
}

// request returns a request for a path with a query behind "?".
func request(method, target string) format.Request {
	path, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		values = nil
	}
	return format.Request{Method: method, Path: path, Query: values}
}

func (u Upload) method() string {
	if u.Method == "" {
		return "PUT"
	}
	return u.Method
}

// A Repository is what a client in miniature knows.
type Repository struct {
	// Fetch gets a file, at a path that a query may follow behind "?". The error wraps fs.ErrNotExist if there is none.
	Fetch func(path string) ([]byte, error)
	// Trusted is the client's keyring.
	Trusted Trusted
}

// Run runs all tests.
func Run(t *testing.T, s Subject) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

// A rule is one part of the contract, and the test that checks it.
type rule struct {
	name string
	run  func(testing.TB, Subject)
}

// checks returns all checks. Each is run by itself, and relies on no other.
func checks() []rule {
	return []rule{
		{"the spec is sane", checkSpec},
		{"versions have a total order", checkOrder},
		{"every request is routed or refused", checkRoutes},
		{"calls do not disturb each other", checkPurity},
		{"a package is taken, served and removed", checkLife},
		{"an index file is neither uploaded nor deleted", checkIndexPaths},
		{"bad bytes are refused in bounded memory", checkBadBytes},
		{"sealing what is sealed changes nothing", checkSealing},
		{"a package's own signature holds", checkPackageSignatures},
		{"an index is the same each time", checkDeterminism},
		{"adding one by one equals rebuilding", checkRebuilding},
		{"adding and removing leaves what was there", checkRemoving},
		{"a client follows the index with either key", checkClient},
		{"a client refuses a repository that is not signed by a key it trusts", checkUntrusted},
		{"a client refuses what was tampered with", checkTampering},
		{"a client refuses files of two generations that do not belong together", checkMixing},
		{"no signature is taken for an index's", checkOracle},
		{"a mirror lists what its upstream lists", checkMirror},
		{"a mirror takes from an upstream only what that has signed", checkMirrorTrust},
		{"a mirror reads hostile bytes in bounded memory", checkMirrorHostile},
		{"a set-up text is a shell script that names repository and keys", checkSetup},
	}
}
