package openpgp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The frame of a clear-signed text (RFC 9580 section 7).
const (
	beginMessage   = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginSignature = "-----BEGIN PGP SIGNATURE-----"
	endSignature   = "-----END PGP SIGNATURE-----"
)

// maxLine is the longest line of a text that is signed: gpg cuts those of
// 20,000 bytes.
const maxLine = 16 << 10

// Clearsign returns a text in the frame of RFC 9580 section 7 with a signature
// of each key in one armor, and the signatures' packets. Any client that has
// one of the keys can verify it.
//
// What is signed is the lines without white space at their ends; so are those
// in the frame, so that nothing there is unsigned, with LF at the end of each.
// A text that is empty, or that programs read in different ways (NUL, a CR
// inside a line, lines of more than 16 KiB), is refused.
func Clearsign(keys []*Secret, text []byte, at time.Time) (document []byte, signatures [][]byte, err error) {
	lines, err := textLines(text)
	if err != nil {
		return nil, nil, err
	}
	var hashes []string
	for _, k := range keys {
		if _, name := hashID(k.certificate.Hash()); !slices.Contains(hashes, name) {
			hashes = append(hashes, name)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nHash: %s\n\n", beginMessage, strings.Join(hashes, ","))
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte("-")) {
			b.WriteString("- ")
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	canonical := canonicalText(lines)
	for _, k := range keys {
		h := k.certificate.Hash().New()
		h.Write(canonical)
		sig, err := k.Sign(TextDocument, h, at)
		if err != nil {
			return nil, nil, err
		}
		signatures = append(signatures, sig)
	}
	b.Write(enarmor(armorSignature, bytes.Join(signatures, nil)))
	return b.Bytes(), signatures, nil
}

// ParseClearsigned reads a document of one clear-signed text and nothing else.
// It returns the text, with LF at the end of each line, a function that hashes
// what was signed, and the signatures. Lines that the signature does not cover
// as they stand, having white space at their ends, lose it.
func ParseClearsigned(document []byte) (text []byte, state func(crypto.Hash) (hash.Hash, error), signatures []*packet.Signature, err error) {
	rest, err := skipFrame(document)
	if err != nil {
		return nil, nil, nil, err
	}
	var lines [][]byte
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil, nil, nil, errors.New("the text has no signature")
		}
		line = bytes.TrimRight(line, " \t\r")
		if string(line) == beginSignature {
			break
		}
		rest = after
		if bytes.HasPrefix(line, []byte("-")) {
			if line, ok = bytes.CutPrefix(line, []byte("- ")); !ok {
				return nil, nil, nil, errors.New("a line of the text begins with a dash that is not escaped")
			}
		}
		lines = append(lines, line)
	}
	armored, after, ok := bytes.Cut(rest, []byte(endSignature))
	if !ok || len(bytes.TrimSpace(after)) > 0 {
		return nil, nil, nil, errors.New("the signature has no end, or something follows it")
	}
	signatures, err = ParseSignatures(append(bytes.Clone(armored), endSignature+"\n"...))
	if err != nil {
		return nil, nil, nil, err
	}
	canonical := canonicalText(lines)
	state = func(h crypto.Hash) (hash.Hash, error) {
		s := h.New()
		s.Write(canonical)
		return s, nil
	}
	return append(bytes.Join(lines, []byte("\n")), '\n'), state, signatures, nil
}

// skipFrame returns what follows the head of a clear-signed text. In it only
// the header Hash may stand, which no signature covers and nothing relies on.
func skipFrame(document []byte) ([]byte, error) {
	line, rest, _ := bytes.Cut(document, []byte("\n"))
	if string(bytes.TrimRight(line, " \t\r")) != beginMessage {
		return nil, errors.New("the document does not begin with a clear-signed text")
	}
	for {
		var ok bool
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return nil, errors.New("the frame has no end")
		}
		line = bytes.TrimRight(line, " \t\r")
		if len(line) == 0 {
			return rest, nil
		}
		if !bytes.HasPrefix(line, []byte("Hash: ")) {
			return nil, fmt.Errorf("the frame has the header %.50q", line)
		}
	}
}

// textLines cuts a text into lines without what a signature does not cover.
func textLines(text []byte) ([][]byte, error) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(bytes.TrimRight(text, " \t\r\n")) == 0 {
		return nil, errors.New("an empty text")
	}
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > maxLine {
			return nil, fmt.Errorf("line %d has more than %d bytes", i+1, maxLine)
		}
		if bytes.ContainsAny(line, "\r\x00") {
			return nil, fmt.Errorf("line %d holds CR or NUL", i+1)
		}
		lines[i] = line
	}
	return lines, nil
}

// canonicalText is what is hashed (RFC 9580 sections 5.2.1.2 and 7.2): lines
// with CR and LF between them, and none after the last.
func canonicalText(lines [][]byte) []byte { return bytes.Join(lines, []byte("\r\n")) }
