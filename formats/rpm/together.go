package rpm

import (
	"bytes"
	"io"

	"hallmark/formats/format"
)

// pendingLimit is the most bytes of elements that may wait for their package: files in another order than primary are read
// ahead.
const pendingLimit = 64 << 20

// A byID finds the elements of filelists or other by the digests of their packages.
type byID struct {
	*elements
	pending map[string][][]byte
	bytes   int
}

// append appends the element of a package to a stanza.
func (b *byID) append(stanza []byte, id string) ([]byte, error) {
	if waiting := b.pending[id]; len(waiting) > 0 {
		stanza = append(stanza, waiting[0]...)
		b.bytes -= len(waiting[0])
		if b.pending[id] = waiting[1:]; len(waiting) == 1 {
			delete(b.pending, id)
		}
		return stanza, nil
	}
	for {
		element, err := b.next()
		if err == io.EOF {
			return nil, b.broken("lacks the package %.100q of primary", id)
		}
		if err != nil {
			return nil, err
		}
		of := attribute(element, "pkgid")
		if of == id {
			return append(stanza, element...), nil
		}
		if b.bytes += len(element) + 64; b.bytes > pendingLimit {
			return nil, b.broken("has its packages in quite another order than primary")
		}
		if b.pending == nil {
			b.pending = map[string][][]byte{}
		}
		b.pending[of] = append(b.pending[of], bytes.Clone(element))
	}
}

// end returns an error if there is an element left.
func (b *byID) end() error {
	if _, err := b.next(); err != io.EOF {
		if err == nil {
			err = b.broken("has packages that primary does not have")
		}
		return err
	}
	if len(b.pending) > 0 {
		return b.broken("has packages that primary does not have")
	}
	return nil
}

// attribute returns an attribute of the tag that an element begins with, or "". It is a guess, which Describe checks.
func attribute(element []byte, name string) string {
	tag, _, _ := bytes.Cut(element, []byte(">"))
	_, value, ok := bytes.Cut(tag, []byte(" "+name+`="`))
	if !ok {
		return ""
	}
	value, _, _ = bytes.Cut(value, []byte(`"`))
	return string(value)
}

// primaryID returns the digest by which the other files name a package.
func primaryID(element []byte) (string, error) {
	_, rest, ok := bytes.Cut(element, []byte("<checksum"))
	if ok {
		var value []byte
		if _, rest, ok = bytes.Cut(rest, []byte(">")); ok {
			if value, _, ok = bytes.Cut(rest, []byte("<")); ok {
				return string(bytes.TrimSpace(value)), nil
			}
		}
	}
	return "", format.Malformedf("the primary of the upstream is broken: a package has no checksum")
}
