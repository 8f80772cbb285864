package oci

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// A Registry is what stands behind the signing middleware: the embedded registry, or another one by HTTP.
// It is safe for concurrent use.
type Registry interface {
	// ServeHTTP answers a client's request under /v2/ as a registry does, without any signing.
	http.Handler

	// As opens a session with the rights of whoever sent r. It makes no request and keeps nothing of r but its
	// credentials.
	As(r *http.Request) Session
}

// A Session is what the middleware itself asks of the registry on behalf of one client.
//
// Methods may be called concurrently. A refusal by another registry is an *Answer; an answer that did not come, or made
// no sense, is an *Error with status 502. What is not there is an error that wraps fs.ErrNotExist, and only that:
// never a failure to find out.
type Session interface {
	Reader
	Writer
}

// Reader is the reading half of a Session.
type Reader interface {
	// Stat returns the digest of the manifest that a tag or digest names.
	Stat(ctx context.Context, name, reference string) (digest string, err error)

	// Manifest returns the manifest that a tag or digest names, of at most maxManifest bytes. Its digest is computed
	// from the bytes, and if reference is a digest they agree.
	Manifest(ctx context.Context, name, reference string) (*Stored, error)

	// Blob returns a blob of at most max bytes, checked against digest. A larger one is an error that wraps ErrTooLarge.
	Blob(ctx context.Context, name, digest string, max int64) ([]byte, error)

	// Referrers returns the registry's own list of a digest's referrers, an OCI index, or an error that wraps
	// errors.ErrUnsupported if it keeps none.
	Referrers(ctx context.Context, name, digest string) (index []byte, err error)
}

// Writer is the writing half of a Session. When a method returns nil, the change is as durable as the registry makes it.
type Writer interface {
	// PutBlob stores content. It calls granted once, as soon as the registry has let the client in, and in any case
	// before it returns nil; granted may be nil. Storing what is there already is no error.
	PutBlob(ctx context.Context, name string, content []byte, granted func()) error

	// PutManifest stores a manifest under a tag or its digest. If a blob or manifest that it names is not there, the
	// error wraps ErrBlobUnknown. It reports whether the registry itself lists the manifest as a referrer of its
	// subject (OCI-Subject).
	PutManifest(ctx context.Context, name, reference, mediaType string, body []byte) (listed bool, err error)

	// Delete removes the manifest of that digest, and the tag, which is known to name it; "" if none does.
	Delete(ctx context.Context, name, digest, tag string) error
}

// Stored is a manifest as the registry holds it.
type Stored struct {
	MediaType string
	Digest    string
	Body      []byte
}

var (
	// ErrBlobUnknown: a manifest names a blob or manifest that the registry does not have.
	ErrBlobUnknown = errors.New("a blob that the manifest names is not in the registry")
	// ErrTooLarge: something is larger than the caller is willing to read.
	ErrTooLarge = errors.New("larger than expected")
)

// An Answer is another registry's refusal of a request that the middleware made for a client: a 4xx, or a 5xx that was
// the registry's own. Its headers are already rewritten for the client.
type Answer struct {
	Request string // what was asked: "PUT /v2/team/app/manifests/1"
	Status  int
	Header  http.Header
	Body    []byte
}

func (a *Answer) Error() string {
	msg := "the upstream registry answered " + strconv.Itoa(a.Status) + " to " + a.Request
	if _, m := a.code(); m != "" {
		msg += ": " + m
	}
	return msg
}

// code returns the code and message of the first error in the body, or "" where there is none.
func (a *Answer) code() (code, message string) {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.Body, &doc) != nil || len(doc.Errors) == 0 {
		return "", ""
	}
	return doc.Errors[0].Code, doc.Errors[0].Message
}

// Is makes errors.Is(err, ErrBlobUnknown) see what the upstream means.
func (a *Answer) Is(target error) bool {
	code, _ := a.code()
	return target == ErrBlobUnknown && a.Status >= 400 && a.Status < 500 &&
		(code == CodeManifestBlob || code == CodeBlobUnknown)
}

// write passes the refusal on. A client that gets 401 needs the challenge; a server's fault is the gateway's 502. A body
// that is no OCI error is replaced by one, since clients show nothing else.
func (a *Answer) write(w http.ResponseWriter) int {
	if a.Status >= 500 {
		return WriteError(w, errorf(http.StatusBadGateway, CodeUnavailable, "%s", a.Error()))
	}
	for _, k := range []string{"Www-Authenticate", "Retry-After", "Warning"} {
		if v := a.Header[k]; v != nil {
			w.Header()[k] = v
		}
	}
	code, message := a.code()
	if code == "" || message == "" {
		return WriteError(w, errorf(a.Status, CodeFor(a.Status), "%s", a.Error()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	w.Write(a.Body)
	return a.Status
}
