package openpgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// What a key file may hold. A certificate with a hundred signatures of others
// has some 60 KiB.
const (
	MaxKey     = 256 << 10 // bytes
	maxPackets = 1000
	maxKeys    = 32 // primary key and subkeys
)

// The tags of packets (RFC 9580 section 5).
const (
	tagSignature     = 2
	tagSecretKey     = 5
	tagPublicKey     = 6
	tagSecretSubkey  = 7
	tagUserID        = 13
	tagPublicSubkey  = 14
	tagUserAttribute = 17
)

// The types of armor (RFC 9580 section 6.2.1).
const (
	armorPublic    = "PGP PUBLIC KEY BLOCK"
	armorPrivate   = "PGP PRIVATE KEY BLOCK"
	armorSignature = "PGP SIGNATURE"
)

// dearmor returns the packets of an armored or binary file, and the type of
// the armor, which is empty for a binary file.
func dearmor(data []byte, limit int) ([]byte, string, error) {
	if len(data) > limit {
		return nil, "", fmt.Errorf("longer than %d bytes", limit)
	}
	if len(data) == 0 {
		return nil, "", errors.New("the file is empty")
	}
	if data[0]&0x80 != 0 {
		return data, "", nil
	}
	block, err := armor.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", errors.New("neither armor nor packets of OpenPGP")
	}
	body, err := io.ReadAll(block.Body)
	if err != nil {
		return nil, "", fmt.Errorf("armor: %w", err)
	}
	return body, block.Type, nil
}

// ArmorSignature returns signature packets in ASCII armor with a checksum.
func ArmorSignature(packets []byte) []byte { return enarmor(armorSignature, packets) }

// enarmor writes armor with a checksum, without which gpgv 2.2 fails for some
// lengths of signatures.
func enarmor(kind string, body []byte) []byte {
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, kind, nil, true)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("openpgp: writing to memory: " + err.Error())
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// A raw is a packet that was not looked into.
type raw = packet.OpaquePacket

// split cuts data into packets, and stops at what no key needs.
func split(data []byte) ([]*raw, error) { return splitUpTo(data, maxPackets) }

func splitUpTo(data []byte, limit int) ([]*raw, error) {
	var all []*raw
	for r := bytes.NewReader(data); r.Len() > 0; {
		p, err := packet.NewOpaqueReader(r).Next()
		if err != nil {
			return nil, fmt.Errorf("broken packet: %w", err)
		}
		if all = append(all, p); len(all) > limit {
			return nil, fmt.Errorf("more than %d packets", limit)
		}
	}
	return all, nil
}

// serialized returns a packet with a header. Nothing fails that writes to
// memory.
func serialized(p interface{ Serialize(io.Writer) error }) []byte {
	var b bytes.Buffer
	if err := p.Serialize(&b); err != nil {
		panic("openpgp: " + err.Error())
	}
	return b.Bytes()
}

// publicBody returns the body of a public key's packet.
func publicBody(pk *packet.PublicKey) []byte {
	p, err := packet.NewOpaqueReader(bytes.NewReader(serialized(pk))).Next()
	if err != nil {
		panic("openpgp: " + err.Error())
	}
	return p.Contents
}

// newPacket returns a packet with a header in the new format (RFC 9580
// section 4.2.1).
func newPacket(tag byte, body []byte) []byte {
	return serialized(&raw{Tag: tag, Contents: body})
}
