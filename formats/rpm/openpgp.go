package rpm

import (
	"encoding/binary"

	"hallmark/formats/format"
)

// A packet is an OpenPGP signature packet of version 4 (RFC 9580 section 5.2.3).
type packet struct {
	raw  []byte // with its header
	body []byte
}

// isRSA reports whether an RSA key made it.
func (p packet) isRSA() bool { return p.body[2] >= 1 && p.body[2] <= 3 }

// split returns the signature packets of a detached signature.
func split(b []byte) ([]packet, error) {
	var packets []packet
	for len(b) > 0 {
		start, size, ok := packetHeader(b)
		if !ok || size > len(b)-start {
			return nil, format.Malformedf("a signature for the package is not whole")
		}
		p := packet{raw: b[:start+size], body: b[start : start+size]}
		if len(p.body) < 10 || p.body[0] != 4 {
			return nil, format.Malformedf("a signature for the package is not of version 4, the only one that rpm reads")
		}
		packets = append(packets, p)
		b = b[start+size:]
	}
	return packets, nil
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
