package upstream

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// Keys are the public keys of an upstream, by which its index is checked. They are immutable and safe for concurrent use.
// Errors for what they refuse wrap [format.ErrMalformed].
type Keys struct {
	ring *signing.Keyring // nil: whatever comes is taken
	now  func() time.Time
}

// ParseKeys reads the keys of an upstream: one or several certificates of OpenPGP, armored or binary, or PEM files of bare
// keys one after the other, as Alpine has them (RSA) and npm (ECDSA).
func ParseKeys(data []byte, now func() time.Time) (*Keys, error) {
	ring, err := signing.ParseKeyring(data, now())
	if err != nil {
		return nil, err
	}
	return &Keys{ring, now}, nil
}

// Unverified is the keys of an upstream that is trusted without any.
func Unverified() *Keys { return &Keys{} }

// Unused says of each key that is not used why, for the log.
func (k *Keys) Unused() []error {
	if k.ring == nil {
		return nil
	}
	return k.ring.Unused()
}

// Trust tells these keys from others.
func (k *Keys) Trust() string {
	if k.ring == nil {
		return "unverified"
	}
	return strings.Join(slices.Sorted(slices.Values(k.ring.Fingerprints())), " ")
}

// Verify returns when a detached signature of a message was made. An empty signature is none. What comes from an upstream
// without keys is taken, and the time is zero, as it is for signatures that name none.
func (k *Keys) Verify(s scheme.Scheme, message io.Reader, signature []byte) (time.Time, error) {
	if k.ring == nil {
		return time.Time{}, nil
	}
	if len(signature) == 0 {
		return time.Time{}, format.Malformedf("there is no signature, and upstream.key is to check one")
	}
	made, err := k.ring.Verify(s, message, signature, k.now())
	return made, refused(err)
}

// Cleartext returns the text of a clear-signed document, without its signature, after that was verified where there are
// keys. A document that holds anything else is refused.
func (k *Keys) Cleartext(document []byte) ([]byte, error) {
	if k.ring == nil {
		text, err := signing.UnverifiedCleartext(document)
		if err != nil {
			return nil, format.Malformedf("%v", err)
		}
		return text, nil
	}
	text, _, err := k.ring.Cleartext(document, k.now())
	return text, refused(err)
}

// refused makes errors for signatures wrap format.ErrMalformed; others are of whoever reads the message.
func refused(err error) error {
	if errors.Is(err, signing.ErrSignature) {
		return format.Malformedf("checked by upstream.key: %v", err)
	}
	return err
}
