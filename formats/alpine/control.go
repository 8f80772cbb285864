package alpine

import (
	"bytes"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

const (
	block       = 512
	signPrefix  = ".SIGN."
	infoName    = ".PKGINFO"
	entriesMost = 64
)

// A file is an entry of a small tar archive.
type file struct {
	name string
	data []byte
}

// readStrict reads the tar archive (POSIX.1-2001, ustar) of a signature or control member. What we sign is its bytes, and
// apk's reader of tar is its own: an archive in which that finds an APKINDEX would pass for an index with our signature. So
// what readers could understand differently is refused: names beyond 100 bytes, extended headers that change a name or a
// size, numbers that are not plain octal, anything after the end. abuild writes no such thing, nor does nfpm or melange.
//
// The end-of-archive blocks may be absent, as they are where the archive goes on in the next member.
func readStrict(archive []byte) ([]file, error) {
	if len(archive)%block != 0 {
		return nil, format.Malformedf("the control archive is not made of whole blocks")
	}
	var files []file
	seen := map[string]bool{}
	for len(archive) > 0 {
		header := archive[:block]
		if isZero(header) {
			if !isZero(archive) {
				return nil, format.Malformedf("something follows the end of the control archive")
			}
			break
		}
		size, err := checkHeader(header)
		if err != nil {
			return nil, err
		}
		padded := (size + block - 1) / block * block
		if padded > len(archive)-block {
			return nil, format.Malformedf("the control archive is cut off")
		}
		data := archive[block : block+size]
		archive = archive[block+padded:]
		name := cString(header[:100])
		switch header[156] {
		case 'x':
			if err := checkExtended(data); err != nil {
				return nil, err
			}
			continue
		case 0, '0':
		default:
			return nil, format.Malformedf("the control archive holds %.100q, which is not a plain file", name)
		}
		switch {
		case seen[name]:
			return nil, format.Malformedf("the control archive holds %.100q twice", name)
		case len(files) == entriesMost:
			return nil, format.Malformedf("the control archive has more than %d entries", entriesMost)
		}
		seen[name] = true
		files = append(files, file{name, data})
	}
	return files, nil
}

// checkHeader returns the size of an entry by its header.
func checkHeader(header []byte) (int, error) {
	name := cString(header[:100])
	switch {
	case name == "APKINDEX" || name == "DESCRIPTION":
		return 0, format.Malformedf("the control archive holds %s, as an index does: our signature of this package would "+
			"pass for that of an index", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return 0, format.Malformedf("the control archive has an entry of a name that is not plain ASCII: %.100q", name)
	case header[345] != 0:
		return 0, format.Malformedf("the control archive holds %.100q, whose name is split: its names must not be longer than 100 bytes",
			name)
	}
	sum := 0
	for i, c := range header {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int(c)
	}
	if want, ok := octal(bytes.TrimLeft(header[148:156], " ")); !ok || want != sum {
		return 0, format.Malformedf("the control archive is not a tar archive, or damaged: the checksum of a header does not agree")
	}
	size, ok := octal(header[124:136])
	if !ok || size > controlLimit {
		return 0, format.Malformedf("the control archive holds %.100q of a size that cannot be read", name)
	}
	return size, nil
}

// checkExtended refuses extended headers that say something else than the header that follows.
func checkExtended(records []byte) error {
	for len(records) > 0 {
		digits, rest, found := bytes.Cut(records, []byte(" "))
		length, err := strconv.ParseUint(string(digits), 10, 31)
		n := int(length)
		if !found || err != nil || n <= len(digits)+1 || n > len(records) || records[n-1] != '\n' {
			return format.Malformedf("the control archive has an extended header that cannot be read")
		}
		key, _, found := strings.Cut(string(rest[:n-len(digits)-2]), "=")
		records = records[n:]
		known := false
		switch key {
		case "mtime", "atime", "ctime", "uid", "gid", "uname", "gname":
			known = true
		}
		for _, prefix := range []string{"APK-TOOLS.checksum.", "SCHILY.xattr.", "LIBARCHIVE."} {
			known = known || strings.HasPrefix(key, prefix)
		}
		if !found || !known {
			return format.Malformedf("the control archive has an extended header with %.50q, which is not allowed in it", key)
		}
	}
	return nil
}

// octal reads a number of a header: octal digits, then nothing but NULs and spaces.
func octal(field []byte) (int, bool) {
	digits := bytes.TrimRight(field, "\x00 ")
	n, err := strconv.ParseUint(string(digits), 8, 40)
	return int(n), err == nil
}

func cString(field []byte) string {
	name, _, _ := bytes.Cut(field, []byte{0})
	return string(name)
}

func isZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
