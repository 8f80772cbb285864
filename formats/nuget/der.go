package nuget

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// Tags of DER (X.690), with the bit of what is constructed where there is one.
const (
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0xa0
	tagContext1    = 0xa1
	tagContext4    = 0xa4
)

// A value is one of DER. The zero value is none.
type value struct{ asn1.RawValue }

// tag returns the first byte of a value, as the constants above have it. Tags of more bytes do not occur.
func (v value) tag() int {
	tag := v.Class<<6 | v.Tag
	if v.IsCompound {
		tag |= 0x20
	}
	return tag
}

// is reports whether the value has a tag.
func (v value) is(tag int) bool { return v.FullBytes != nil && v.Tag < 31 && v.tag() == tag }

// maxValues is how many values may stand in another one.
const maxValues = 1024

// values splits DER into the values that stand one behind the other.
func values(der []byte) ([]value, error) {
	var all []value
	for len(der) > 0 {
		var v value
		rest, err := asn1.Unmarshal(der, &v.RawValue)
		if err != nil || len(all) == maxValues {
			return nil, format.Malformedf("the signature in the package is no DER, or of too many parts")
		}
		all, der = append(all, v), rest
	}
	return all, nil
}

// inside returns the values in a value of some tag.
func (v value) inside(tag int) ([]value, error) {
	if !v.is(tag) {
		return nil, format.Malformedf("the signature in the package is none as CMS has it (RFC 5652)")
	}
	return values(v.Bytes)
}

// wrap returns the value of a tag that holds some bytes, one behind the other.
func wrap(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	b := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 1<<8:
		b = append(b, 0x81, byte(n))
	case n < 1<<16:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, content...)
}

// set returns a SET OF, or what is tagged in place of one: DER orders its elements by their bytes.
func set(tag byte, elements ...[]byte) []byte {
	elements = slices.Clone(elements)
	slices.SortFunc(elements, bytes.Compare)
	return wrap(tag, elements...)
}

// encode returns a value of the standard library's choice of tag. What is given to it is always one that can be encoded.
func encode(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

// object returns an object identifier.
func object(dotted string) []byte {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(err)
		}
		oid = append(oid, n)
	}
	return encode(oid)
}

// dotted returns an object identifier in the form of the constants, or "" for what is none.
func (v value) dotted() string {
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(v.FullBytes, &oid); err != nil {
		return ""
	}
	return oid.String()
}
