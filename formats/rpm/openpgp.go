package rpm

import (
	"encoding/binary"
	"errors"
)

// A packet is an OpenPGP signature packet of version 4 (RFC 9580 section 5.2.3).
type packet struct {
	raw  []byte // with its header
	body []byte
}

// isRSA reports whether an RSA key made it.
func (p packet) isRSA() bool { return p.body[2] >= 1 && p.body[2] <= 3 }

// parsePacket reads a detached signature that is one packet and nothing else.
func parsePacket(b []byte) (packet, error) {
	start, size, ok := packetHeader(b)
	switch {
	case !ok || size > len(b)-start:
		return packet{}, errors.New("it is not a whole packet of OpenPGP")
	case size < len(b)-start:
		return packet{}, errors.New("there is something behind it, and rpm takes one packet")
	case size < 10 || b[start] != 4:
		return packet{}, errors.New("it is not of version 4, the only one that rpm reads")
	}
	return packet{raw: b, body: b[start:]}, nil
}

// packetHeader reads the header of a signature packet (RFC 9580 section 4.2) and returns where its body begins and how
// long that is.
func packetHeader(b []byte) (start, size int, ok bool) {
	const signature = 2
	at := func(n int) bool { return len(b) >= n }
	switch {
	case !at(6):
	case b[0]&0xc0 == 0xc0 && b[0]&0x3f == signature:
		switch first := int(b[1]); {
		case first < 192:
			return 2, first, true
		case first < 224:
			return 3, (first-192)<<8 + int(b[2]) + 192, true
		case first == 255:
			return 6, int(binary.BigEndian.Uint32(b[2:])), true
		}
	case b[0]&0xc0 == 0x80 && b[0]>>2&0x0f == signature:
		switch b[0] & 3 {
		case 0:
			return 2, int(b[1]), true
		case 1:
			return 3, int(binary.BigEndian.Uint16(b[1:])), true
		case 2:
			return 5, int(binary.BigEndian.Uint32(b[1:])), true
		}
	}
	return 0, 0, false
}
