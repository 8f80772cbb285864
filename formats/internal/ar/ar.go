// Package ar reads ar archives, as Debian packages are (deb(5) and ar(5)).
package ar

import (
	"io"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

const (
	// Magic is what an archive begins with.
	Magic = "!<arch>\n"
	// HeaderSize is the size of a member's header in bytes.
	HeaderSize = 60

	maxMembers = 16
)

// A Member is one file of an archive. A byte of padding follows its data if its size is odd.
type Member struct {
	Name   string
	Offset int64 // of its data; the header is in the HeaderSize bytes before
	Size   int64
}

// Members returns the members of the archive that is in the first size bytes of r, in their order. It reads the headers
// alone, and it accounts for every byte.
//
// It takes the common form and no extensions: no symbol tables, no names of more than 16 characters, no name twice, at
// most 16 members. All errors but those of r wrap [format.ErrMalformed].
func Members(r io.ReaderAt, size int64) ([]Member, error) {
	var magic [len(Magic)]byte
	if size < int64(len(magic)) {
		return nil, format.Malformedf("the file is no ar archive")
	}
	if err := readAt(r, magic[:], 0); err != nil {
		return nil, err
	}
	if string(magic[:]) != Magic {
		return nil, format.Malformedf("the file is no ar archive")
	}
	var members []Member
	for at := int64(len(magic)); at < size; {
		if len(members) == maxMembers {
			return nil, format.Malformedf("the ar archive has more than %d members", maxMembers)
		}
		if size-at < HeaderSize {
			return nil, format.Malformedf("the ar archive is cut off, or something follows its end")
		}
		var header [HeaderSize]byte
		if err := readAt(r, header[:], at); err != nil {
			return nil, err
		}
		m, err := parseHeader(header)
		if err != nil {
			return nil, err
		}
		m.Offset = at + HeaderSize
		if m.Size > size-m.Offset {
			return nil, format.Malformedf("the ar archive is cut off in its member %q", m.Name)
		}
		for _, other := range members {
			if other.Name == m.Name {
				return nil, format.Malformedf("the ar archive has two members %q", m.Name)
			}
		}
		members = append(members, m)
		at = m.Offset + m.Size
		if m.Size%2 == 1 {
			var padding [1]byte
			if at == size {
				return nil, format.Malformedf("the ar archive is cut off: a byte is missing after its member %q", m.Name)
			}
			if err := readAt(r, padding[:], at); err != nil {
				return nil, err
			}
			if padding[0] != '\n' {
				return nil, format.Malformedf("the ar archive has something other than padding after its member %q", m.Name)
			}
			at++
		}
	}
	return members, nil
}

// AppendHeader appends the header of a member without owner or date, whose name has at most 16 characters.
func AppendHeader(b []byte, name string, size int64) []byte {
	for _, field := range []struct {
		value string
		width int
	}{{name, 16}, {"0", 12}, {"0", 6}, {"0", 6}, {"100644", 8}, {strconv.FormatInt(size, 10), 10}} {
		b = append(b, field.value...)
		for range field.width - len(field.value) {
			b = append(b, ' ')
		}
	}
	return append(b, "`\n"...)
}

func parseHeader(header [HeaderSize]byte) (Member, error) {
	if string(header[58:]) != "`\n" {
		return Member{}, format.Malformedf("the ar archive is damaged: the header of a member is none")
	}
	// GNU ar ends a name with a slash.
	name := strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	if name == "" || strings.ContainsFunc(name, notInName) {
		return Member{}, format.Malformedf("the ar archive has a member with the bad name %q", header[:16])
	}
	digits := strings.TrimRight(string(header[48:58]), " ")
	size, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return Member{}, format.Malformedf("the ar archive has a member %q with a bad size", name)
	}
	return Member{Name: name, Size: int64(size)}, nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-+", r))
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	if n, err := r.ReadAt(p, at); n < len(p) {
		return err
	}
	return nil
}
