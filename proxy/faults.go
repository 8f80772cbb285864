package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/oci"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
)

// packageStatus is the one table of statuses of package repositories. What it does not know is a 500.
func packageStatus(err error) int {
	var known *oci.Error
	if errors.As(err, &known) {
		return known.Status
	}
	for _, e := range []struct {
		err    error
		status int
	}{
		{backend.ErrRefused, http.StatusMethodNotAllowed},
		{backend.ErrUpstream, http.StatusBadGateway}, // whatever it wraps: that is not the client's fault
		{publish.ErrTimestamp, http.StatusBadGateway},
		{format.ErrMalformed, http.StatusBadRequest},
		{spool.ErrBody, http.StatusBadRequest},
		{format.ErrNotAllowed, http.StatusMethodNotAllowed},
		{publish.ErrConflict, http.StatusConflict},
		{spool.ErrTooLarge, http.StatusRequestEntityTooLarge},
		{spool.ErrFull, http.StatusInsufficientStorage},
		{backend.ErrFull, http.StatusInsufficientStorage},
		{publish.ErrClosed, http.StatusServiceUnavailable},
		{publish.ErrStale, http.StatusServiceUnavailable},
		{fs.ErrNotExist, http.StatusNotFound},
	} {
		if errors.Is(err, e.err) {
			return e.status
		}
	}
	return http.StatusInternalServerError
}

// failPlainly answers a request to a package repository with the sentence that names the fault.
func (t *transaction) failPlainly(err error) {
	status := packageStatus(err)
	text := err.Error()
	var known *oci.Error
	switch {
	case errors.As(err, &known):
		for k, v := range known.Header {
			t.Header()[k] = v
		}
	case status == http.StatusInternalServerError:
		text = fmt.Sprintf("internal error; the log of the server has more under request %s", t.id)
	case status == http.StatusInsufficientStorage:
		text = "the server has no space left for this; nothing was changed"
	case status == http.StatusMethodNotAllowed:
		t.Header().Set("Allow", "GET, HEAD")
	case status == http.StatusServiceUnavailable:
		t.Header().Set("Retry-After", "5")
	}
	if err := t.answer(format.Answer{Status: status, Text: text}); err != nil {
		t.server.serveText(t, status, text+"\n")
	}
}
