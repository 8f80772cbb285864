package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"hallmark/formats/format"
)

// maxReason is how long the reason in a status line may be, in bytes, and maxUnread how much of a body is read so that the
// client, which may be sending it still, sees the answer.
const (
	maxReason = 500
	maxUnread = 1 << 20
)

// sendReason sends an answer whose status line holds the reason, for clients that show nothing else of it. net/http has no way to
// say it, so the connection is taken over, and ends with the answer. It reports false if nothing was sent, since that cannot be
// done: HTTP/2 has no reasons, and a client that is in the middle of a large body would miss it.
func (t *transaction) sendReason(a format.Answer) bool {
	if a.Reason == "" || t.req.ProtoMajor != 1 || t.req.Method == http.MethodHead {
		return false
	}
	waits := t.req.Header.Get("Expect") != "" && t.received.n == 0 // to be told to send the body
	if !waits && t.req.Body != nil {
		if n, err := io.Copy(io.Discard, io.LimitReader(t.req.Body, maxUnread+1)); err != nil || n > maxUnread {
			return false
		}
	}
	header := t.Header().Clone()
	header.Set("Date", t.began.UTC().Format(http.TimeFormat))
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return false
	}
	defer conn.Close()
	w := &http.Response{
		StatusCode: a.Status, Status: printableReason(a.Reason), ProtoMajor: 1, ProtoMinor: 1, Header: header,
		ContentLength: int64(len(a.Data)), Body: io.NopCloser(bytes.NewReader(a.Data)), Close: true,
	}
	t.status, t.sent = a.Status, int64(len(a.Data))
	if err := w.Write(rw); err == nil {
		rw.Flush()
	}
	return true
}

// printableReason leaves of a text what a status line may hold.
func printableReason(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), maxReason)]
}
