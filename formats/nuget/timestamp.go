package nuget

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
)

// checkTimestamp verifies a timestamp of a signature (RFC 3161 section 2.4.2), as far as that is possible without trusting
// anybody: NuGet knows whom to trust.
func checkTimestamp(token, signature []byte) error {
	if err := verifyTimestamp(token, signature); err != nil {
		return fmt.Errorf("the timestamp that the server gave does not hold: %w", err)
	}
	return nil
}

func verifyTimestamp(token, signature []byte) error {
	m, err := parseMessage(token)
	if err != nil {
		return err
	}
	if m.kind != oidTSTInfo {
		return errors.New("it is no timestamp")
	}
	if err := m.signer.verify(m, m.text, true, x509.ExtKeyUsageTimeStamping); err != nil {
		return err
	}
	top, err := values(m.text)
	if err != nil || len(top) != 1 {
		return errors.New("its TSTInfo is none")
	}
	info, err := top[0].inside(tagSequence)
	if err != nil || len(info) < 5 {
		return errors.New("its TSTInfo is none")
	}
	imprint, err := info[2].inside(tagSequence)
	if err != nil || len(imprint) != 2 || algorithmOf(imprint[0]) != oidSHA256 || !bytes.Equal(imprint[1].Bytes, sum(crypto.SHA256, signature)) {
		return errors.New("it is of something else")
	}
	return nil
}
