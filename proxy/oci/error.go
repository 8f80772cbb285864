package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// The error codes of the OCI distribution specification 1.1, "Error codes", and the two that CNCF distribution added
// for faults of the server.
const (
	CodeBlobUnknown     = "BLOB_UNKNOWN"
	CodeDenied          = "DENIED"
	CodeDigestInvalid   = "DIGEST_INVALID"
	CodeManifestBlob    = "MANIFEST_BLOB_UNKNOWN"
	CodeManifestInvalid = "MANIFEST_INVALID"
	CodeManifestUnknown = "MANIFEST_UNKNOWN"
	CodeNameInvalid     = "NAME_INVALID"
	CodeNameUnknown     = "NAME_UNKNOWN"
	CodeSizeInvalid     = "SIZE_INVALID"
	CodeTagInvalid      = "TAG_INVALID"
	CodeTooManyRequests = "TOOMANYREQUESTS"
	CodeUnauthorized    = "UNAUTHORIZED"
	CodeUnsupported     = "UNSUPPORTED"
	CodeUnavailable     = "UNAVAILABLE"
	CodeUnknown         = "UNKNOWN"
)

// An Error is what a client is told: a status and one OCI error. Its message is for the person in front of the client;
// it names the thing, the fault and the way out.
type Error struct {
	Status  int
	Code    string
	Message string
	Header  http.Header // sent along; may be nil
}

func (e *Error) Error() string { return e.Message }

// JSON is the body of an answer that tells the error.
func (e *Error) JSON() []byte {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string][]entry{"errors": {{e.Code, e.Message}}})
	if err != nil {
		panic(err) // two strings
	}
	return body
}

// CodeFor returns the code that says the most of a status, for an answer that has none.
func CodeFor(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return CodeUnauthorized
	case http.StatusForbidden:
		return CodeDenied
	case http.StatusTooManyRequests:
		return CodeTooManyRequests
	case http.StatusNotFound:
		return CodeNameUnknown
	}
	if status >= 500 {
		return CodeUnavailable
	}
	return CodeUnsupported
}

func errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) error {
	return errorf(status, code, format, args...)
}

// WriteError answers a request with err in the form of the specification. An *Error is told as it is and an *Answer, an
// upstream's refusal, is passed on; of anything else the client learns only that something failed, and the caller logs
// it. It returns the status that was sent.
func WriteError(w http.ResponseWriter, err error) int {
	var answer *Answer
	if errors.As(err, &answer) {
		return answer.write(w)
	}
	var e *Error
	if !errors.As(err, &e) {
		e = errorf(http.StatusInternalServerError, CodeUnknown, "the registry could not do this; its log says why, under the request id of this answer")
	}
	body := e.JSON()
	h := w.Header()
	for k, v := range e.Header {
		h[k] = v
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	w.Write(body)
	return e.Status
}
