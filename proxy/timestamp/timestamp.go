// Package timestamp asks timestamp servers (RFC 3161).
package timestamp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// patience is how long a server may take.
	patience = 30 * time.Second
	// maxResponse is how much it may say, in bytes. A token with its certificates has some 6 KiB.
	maxResponse = 256 << 10
)

// The types below are those of RFC 3161 section 2.4.
type (
	request struct {
		Version      int
		Imprint      imprint
		Certificates bool // the server's shall be in the token
	}
	imprint struct {
		Algorithm algorithm
		Hash      []byte
	}
	algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	response struct {
		Status struct {
			Status  int
			Texts   []asn1.RawValue `asn1:"optional"`
			Failure asn1.BitString  `asn1:"optional"`
		}
		Token asn1.RawValue `asn1:"optional"`
	}
)

// A Client asks timestamp servers. It may be used concurrently.
type Client struct {
	// HTTP is the client that is used. Required.
	HTTP *http.Client
}

// Stamp returns the token of a server for a SHA-256, in DER: a ContentInfo with SignedData. It does not verify it.
func (c Client) Stamp(ctx context.Context, server string, sum []byte) ([]byte, error) {
	token, err := c.stamp(ctx, server, sum)
	if err != nil {
		return nil, fmt.Errorf("timestamp server %s: %w", server, err)
	}
	return token, nil
}

func (c Client) stamp(ctx context.Context, server string, sum []byte) ([]byte, error) {
	if len(sum) != sha256.Size {
		return nil, errors.New("only a SHA-256 is stamped")
	}
	query, err := asn1.Marshal(request{
		Version:      1,
		Imprint:      imprint{algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.NullRawValue}, sum},
		Certificates: true,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/timestamp-query")
	w, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	if kind := w.Header.Get("Content-Type"); w.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "application/timestamp-reply") {
		return nil, fmt.Errorf("it answers %s with a %.100q, not with a timestamp", w.Status, kind)
	}
	data, err := io.ReadAll(io.LimitReader(w.Body, maxResponse+1))
	if err != nil {
		return nil, err
	}
	return parse(data)
}

// parse returns the token of a response.
func parse(data []byte) ([]byte, error) {
	var answer response
	if rest, err := asn1.Unmarshal(data, &answer); err != nil || len(rest) > 0 || len(data) > maxResponse {
		return nil, errors.New("its answer is none as RFC 3161 has it")
	}
	const granted, grantedWithMods = 0, 1
	if s := answer.Status.Status; s != granted && s != grantedWithMods || answer.Token.FullBytes == nil {
		var said []string
		for _, text := range answer.Status.Texts {
			said = append(said, strings.ToValidUTF8(string(text.Bytes), "?"))
		}
		return nil, fmt.Errorf("it refuses (status %d): %.300q", s, strings.Join(said, "; "))
	}
	return answer.Token.FullBytes, nil
}
