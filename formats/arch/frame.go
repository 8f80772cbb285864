package arch

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	block        = 512
	extendedMost = 1 << 20 // bytes of an extended header
)

// A frame reads a tar archive through and looks at its headers as they stand, one block after the other.
//
// Readers of tar agree on what is well-formed and on little else. Go's and libarchive's, which is pacman's, find different
// names behind two extended headers, behind one of each kind, and behind the prefix of a GNU header. So a file of a database
// could hide from us in a package, and our signature of the package would be one of that database. A frame refuses what is
// open to two readings and what neither bsdtar, GNU tar nor nfpm writes (POSIX.1-2001, pax; GNU tar manual, "Tar Internals").
type frame struct {
	r    io.Reader
	next func([]byte) error // takes the part that is being collected; nil: bytes are skipped
	part []byte
	want int   // how long the part is when it is whole
	skip int64 // bytes to skip

	extended bool   // an extended header came before the header that follows
	long     string // the kinds of GNU's long names that came before it
	size     int64  // of the entry, by its extended header; -1: that does not say
	ended    bool
	err      error
}

func newFrame(r io.Reader) *frame {
	f := &frame{r: r, want: block, size: -1}
	f.next = f.header
	return f
}

func (f *frame) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(p)
	if f.err = f.look(p[:n]); f.err != nil {
		return 0, f.err
	}
	return n, err
}

func (f *frame) look(b []byte) error {
	for len(b) > 0 && !f.ended {
		if f.skip > 0 {
			n := min(int64(len(b)), f.skip)
			f.skip -= n
			b = b[n:]
			continue
		}
		n := min(len(b), f.want-len(f.part))
		f.part, b = append(f.part, b[:n]...), b[n:]
		if len(f.part) < f.want {
			continue
		}
		part := f.part
		f.part = f.part[:0]
		if err := f.next(part); err != nil {
			return err
		}
	}
	return nil
}

// header takes a header block, and says what follows it.
func (f *frame) header(b []byte) error {
	if len(bytes.TrimLeft(b, "\x00")) == 0 {
		f.ended = true
		return nil
	}
	name, _, _ := bytes.Cut(b[:100], []byte{0})
	size, ok := number(b[124:136])
	gnu := string(b[257:265]) == "ustar  \x00"
	switch {
	case !ok:
		return format.Malformedf("the archive holds %.100q of a size that cannot be read", name)
	case b[345] != 0 && (gnu || string(b[257:265]) != "ustar\x0000" || string(b[508:512]) == "tar\x00"):
		return format.Malformedf("the archive holds %.100q, whose name is split in a way that readers take differently", name)
	}
	kind := b[156]
	switch kind {
	case 'x', 'L', 'K':
		if f.extended || kind == 'x' && f.long != "" || strings.IndexByte(f.long, kind) >= 0 {
			return format.Malformedf("the archive holds an entry with several extended headers, which readers take differently")
		}
		if size > extendedMost {
			return format.Malformedf("the archive holds an extended header of %d bytes, and %d are allowed", size, extendedMost)
		}
		if kind != 'x' {
			f.long += string(kind)
			f.skip = padded(size)
			return nil
		}
		f.extended = true
		if size > 0 {
			f.want = int(padded(size))
			f.next = func(part []byte) error { return f.records(part[:size]) }
		}
		return nil
	case '0', 0:
		if bytes.HasSuffix(name, []byte("/")) {
			return format.Malformedf("the archive holds %.100q, which has the name of a folder and is none", name)
		}
		if f.size >= 0 {
			size = f.size
		}
		f.skip = padded(size)
	default:
		// What has no content must not say that it has some: readers would disagree where the next entry begins.
		if size != 0 || f.size > 0 {
			return format.Malformedf("the archive holds %.100q, which is no plain file and says that it has %d bytes", name, size)
		}
	}
	f.extended, f.long, f.size = false, "", -1
	return nil
}

// records takes the records of an extended header.
func (f *frame) records(b []byte) error {
	f.want, f.next = block, f.header
	values := map[string]string{}
	for len(b) > 0 {
		digits, rest, found := bytes.Cut(b, []byte(" "))
		length, err := strconv.ParseUint(string(digits), 10, 31)
		n := int(length)
		if !found || err != nil || n <= len(digits)+1 || n > len(b) || b[n-1] != '\n' {
			return format.Malformedf("the archive holds an extended header that cannot be read")
		}
		key, value, found := strings.Cut(string(rest[:n-len(digits)-2]), "=")
		b = b[n:]
		_, twice := values[key]
		if !found || twice || !isRecord(key, value) {
			return format.Malformedf("the archive holds an extended header with %.50q = %.100q, which is not allowed in it",
				key, value)
		}
		values[key] = value
	}
	for _, key := range []string{"path", "linkpath"} {
		if value, ok := values[key]; ok && values["hdrcharset"] == "" && !utf8.ValidString(value) {
			return format.Malformedf("the archive holds the name %.100q, which is not UTF-8", value)
		}
	}
	if value, ok := values["size"]; ok {
		size, err := strconv.ParseUint(value, 10, 62)
		if err != nil {
			return format.Malformedf("the archive holds an entry of the size %.50q", value)
		}
		f.size = int64(size)
	}
	return nil
}

// isRecord reports whether a record of an extended header is one whose meaning readers agree on.
func isRecord(key, value string) bool {
	switch key {
	case "path", "linkpath":
		return value != "" && strings.IndexByte(value, 0) < 0
	case "hdrcharset":
		return value == "BINARY" // as bsdtar writes names that are not ASCII where the locale is C
	case "size", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment",
		"SCHILY.dev", "SCHILY.ino", "SCHILY.nlink", "SCHILY.fflags", "SCHILY.devmajor", "SCHILY.devminor":
		return true
	}
	for _, prefix := range []string{"SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.", "RHT.security."} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// number reads a size: octal digits, or GNU's binary form of a positive number.
func number(field []byte) (int64, bool) {
	if field[0] == 0x80 {
		n := int64(0)
		for i, c := range field[1:] {
			if i < 3 && c != 0 {
				return 0, false
			}
			n = n<<8 | int64(c)
		}
		return n, n >= 0 && n < 1<<62
	}
	digits := strings.TrimRight(string(field), "\x00 ")
	n, err := strconv.ParseUint(strings.TrimLeft(digits, " "), 8, 62)
	return int64(n), err == nil
}

// padded returns the length of whole blocks.
func padded(size int64) int64 { return (size + block - 1) / block * block }
