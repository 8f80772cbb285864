package oci

import (
	"net/http"
	"regexp"
	"strings"
)

// A Kind says which endpoint of the OCI distribution specification a path names.
type Kind int

const (
	Base      Kind = iota // /v2/
	Catalog               // /v2/_catalog
	Tags                  // /v2/<name>/tags/list
	Manifest              // /v2/<name>/manifests/<reference>
	Blob                  // /v2/<name>/blobs/<digest>
	Upload                // /v2/<name>/blobs/<anything else>: registries name upload sessions as they like
	Referrers             // /v2/<name>/referrers/<digest>
)

// An Access is a right that a request needs.
type Access string

// The rights that a rule of the configuration can grant.
const (
	Read   Access = "read"
	Push   Access = "push"
	Delete Access = "delete"
)

// A Route is what the path of a request under /v2/ asks for.
type Route struct {
	Kind      Kind
	Name      string // of the image: "team/app"; empty for Base and Catalog
	Reference string // of a manifest: a tag or a digest; of a blob or a subject: its digest
}

// Tag returns the reference of a manifest if it is a tag, otherwise "".
func (r Route) Tag() string {
	if r.Kind == Manifest && !strings.Contains(r.Reference, ":") {
		return r.Reference
	}
	return ""
}

// Digest returns the reference if it is a digest, otherwise "".
func (r Route) Digest() string {
	if strings.Contains(r.Reference, ":") {
		return r.Reference
	}
	return ""
}

// Access returns the right that method needs on the route.
func (r Route) Access(method string) Access {
	switch {
	case method == http.MethodGet || method == http.MethodHead:
		// The state of an upload is its uploader's business.
		if r.Kind == Upload {
			return Push
		}
		return Read
	case method == http.MethodDelete && r.Kind != Upload:
		return Delete
	}
	return Push
}

// The grammar of names, tags and digests is that of the OCI distribution specification 1.1, "Pulling manifests",
// and of the image specification, "Digests".
var (
	nameGrammar   = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	digestGrammar = regexp.MustCompile(`^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$`)
	sha256Grammar = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

const maxName = 255 // bytes; what clients and registries agree on

// ParseRoute reads the path of a request under /v2/, in its escaped form.
//
// It accepts only paths that mean the same to every server: nothing escaped, no empty, "." or ".." segments. What it
// refuses is an *Error; nothing that it refuses may be forwarded, since a laxer server could read another route in it.
func ParseRoute(escapedPath string) (Route, error) {
	rest, ok := strings.CutPrefix(escapedPath, "/v2/")
	if !ok {
		if escapedPath == "/v2" {
			return Route{Kind: Base}, nil
		}
		return Route{}, errorf(http.StatusNotFound, CodeNameUnknown, "%q is not a path of the registry: those begin with /v2/", escapedPath)
	}
	if rest == "" {
		return Route{Kind: Base}, nil
	}
	if strings.ContainsAny(rest, "%\\;") {
		return Route{}, errorf(http.StatusBadRequest, CodeNameInvalid, "the path has escaped or unusual characters, which names, tags and digests never need")
	}
	if rest == "_catalog" {
		return Route{Kind: Catalog}, nil
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i != len(segments)-1 {
			return Route{}, errorf(http.StatusBadRequest, CodeNameInvalid, "the path has an empty, \".\" or \"..\" segment")
		}
	}
	return parseNamed(segments)
}

// parseNamed reads a path from its end, since a name may itself hold segments such as "manifests".
func parseNamed(segments []string) (Route, error) {
	n := len(segments)
	if n >= 3 {
		name, verb, last := strings.Join(segments[:n-2], "/"), segments[n-2], segments[n-1]
		switch {
		case verb == "manifests":
			return manifestRoute(name, last)
		case verb == "tags" && last == "list":
			return named(Route{Kind: Tags, Name: name})
		case verb == "referrers":
			return digestRoute(Referrers, name, last)
		case verb == "blobs":
			return digestRoute(Blob, name, last)
		}
	}
	// Upload sessions: /blobs/uploads/, /blobs/uploads/<id>, and what other registries make of it.
	for i := n - 3; i >= 1; i-- {
		if segments[i] == "blobs" {
			return named(Route{Kind: Upload, Name: strings.Join(segments[:i], "/"), Reference: ""})
		}
	}
	return Route{}, errorf(http.StatusNotFound, CodeUnsupported, "no such endpoint of the registry: a name is followed by /manifests/, /blobs/, /tags/list or /referrers/")
}

func named(r Route) (Route, error) {
	if len(r.Name) > maxName || !nameGrammar.MatchString(r.Name) {
		return Route{}, errorf(http.StatusBadRequest, CodeNameInvalid, "%q is not a name for an image: lower-case letters and digits, separated by one of . _ __ - and /", r.Name)
	}
	return r, nil
}

func manifestRoute(name, reference string) (Route, error) {
	if strings.Contains(reference, ":") {
		return digestRoute(Manifest, name, reference)
	}
	if !tagGrammar.MatchString(reference) {
		return Route{}, errorf(http.StatusBadRequest, CodeTagInvalid, "%q is not a tag: up to 128 letters, digits, . _ and -, and no . or - at the beginning", reference)
	}
	return named(Route{Kind: Manifest, Name: name, Reference: reference})
}

func digestRoute(kind Kind, name, digest string) (Route, error) {
	valid := digestGrammar.MatchString(digest) && len(digest) <= 256
	if strings.HasPrefix(digest, "sha256:") {
		valid = sha256Grammar.MatchString(digest)
	}
	if !valid {
		return Route{}, errorf(http.StatusBadRequest, CodeDigestInvalid, "%q is not a digest: an algorithm, a colon and the hash in hex, such as sha256:<64 lower-case hex digits>", digest)
	}
	return named(Route{Kind: kind, Name: name, Reference: digest})
}
