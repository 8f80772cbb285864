package alpine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const (
	signaturesMost = 8       // members with signatures before the control member
	filesMost      = 400_000 // entries of the data member
)

// contents are the parts of a package: signature members, exactly one control member, exactly one data member.
type contents struct {
	signed   bool // there is at least one signature member
	control  format.Section
	checksum []byte // the SHA-1 of the control member's bytes
	info     pkginfo
}

// readContents reads a package up to its data member.
func readContents(b format.Blob) (*contents, error) {
	if err := checkMagic(b); err != nil {
		return nil, err
	}
	offset := int64(0)
	for signatures := 0; ; signatures++ {
		plain, end, err := unpack(b, offset, controlLimit)
		if err != nil {
			return nil, err
		}
		files, err := readStrict(plain)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, format.Malformedf("the package has a member without files before that of its control files")
		}
		if !strings.HasPrefix(files[0].name, signPrefix) {
			c := &contents{signed: signatures > 0, control: format.Section{Offset: offset, Size: end - offset}}
			if c.info, err = readControl(files); err != nil {
				return nil, err
			}
			c.checksum, err = c.digest(b)
			return c, err
		}
		if err := checkSignatures(files, len(plain)); err != nil {
			return nil, err
		}
		if signatures == signaturesMost {
			return nil, format.Malformedf("the package has more than %d members with signatures", signaturesMost)
		}
		offset = end
	}
}

// checkMagic says what a file is that is no package, where that is easy to tell.
func checkMagic(b format.Blob) error {
	magic := make([]byte, 4)
	n, err := b.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return err
	}
	switch magic = magic[:n]; {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		return nil
	case bytes.HasPrefix(magic, []byte("PK")):
		return format.Malformedf("this is a zip archive, such as an Android package, and not a package of Alpine Linux")
	case bytes.HasPrefix(magic, []byte("ADB")):
		return format.Malformedf("this is a package in the format of apk-tools 3 (ADB): build it in that of version 2, which apk-tools 3 takes too")
	}
	return format.Malformedf("this is no package of Alpine Linux: those begin with a gzip member")
}

func checkSignatures(files []file, size int) error {
	if size > signatureLimit {
		return format.Malformedf("the package has a member with signatures of more than %d bytes", signatureLimit)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.name, signPrefix) || strings.Contains(f.name, "/") {
			return format.Malformedf("the package has a member that holds a signature and %.100q", f.name)
		}
	}
	return nil
}

// readControl finds .PKGINFO among the files of a control member. All others must be such as apk takes for control files:
// from the first that is none on, it would read the data.
func readControl(files []file) (pkginfo, error) {
	var info []byte
	for _, f := range files {
		switch {
		case f.name == infoName:
			info = f.data
		case !strings.HasPrefix(f.name, ".") || strings.Contains(f.name, "/"):
			return pkginfo{}, format.Malformedf("the control member holds %.100q, and only names that begin with a dot are for it",
				f.name)
		case strings.HasPrefix(f.name, signPrefix) || f.name == ".INSTALL":
			return pkginfo{}, format.Malformedf("the control member holds %.100q, which does not belong there", f.name)
		}
	}
	if info == nil {
		return pkginfo{}, format.Malformedf("the package has no %s", infoName)
	}
	return parseInfo(info)
}

func (c *contents) digest(b format.Blob) ([]byte, error) {
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(b, c.control.Offset, c.control.Size)); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// data returns the section of the data member.
func (c *contents) data(b format.Blob) format.Section {
	offset := c.control.Offset + c.control.Size
	return format.Section{Offset: offset, Size: b.Size() - offset}
}

// checkData reads all of the data member: its names must be safe, nothing may follow it, and it must be the one that
// .PKGINFO names.
func (c *contents) checkData(b format.Blob) error {
	s := c.data(b)
	if s.Size == 0 {
		return format.Malformedf("the package has no data member: it is cut off behind its control files")
	}
	h := sha256.New()
	m, err := openMember(b, s.Offset, 64<<10, h)
	if err != nil {
		return err
	}
	if err := walk(&capped{r: m, left: dataLimit}); err != nil {
		return err
	}
	if m.end() != b.Size() {
		return format.Malformedf("something follows the package's data member, and apk 3 refuses that")
	}
	return c.compareData(h.Sum(nil))
}

// checkDataHash checks only that the data member is the one that .PKGINFO names.
func (c *contents) checkDataHash(b format.Blob) error {
	s := c.data(b)
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(b, s.Offset, s.Size)); err != nil {
		return err
	}
	return c.compareData(h.Sum(nil))
}

func (c *contents) compareData(sum []byte) error {
	if !bytes.Equal(sum, c.info.dataHash) {
		return format.Malformedf("the package is damaged: its data has the SHA-256 %x and .PKGINFO says %x", sum, c.info.dataHash)
	}
	return nil
}

// walk reads the tar archive of a data member to its end. One that holds nothing is that of a package that only has
// dependencies.
func walk(r io.Reader) error {
	buffered := bufio.NewReaderSize(r, 4<<10)
	head, err := buffered.Peek(2 * block)
	if err != nil && err != io.EOF {
		return err
	}
	if !isZero(head) {
		limits := tarball.Limits{Entries: filesMost, Size: dataLimit}
		return tarball.Walk(buffered, limits, func(*tar.Header, io.Reader) error { return nil })
	}
	buffer := make([]byte, 4<<10)
	for {
		n, err := buffered.Read(buffer)
		if !isZero(buffer[:n]) {
			return format.Malformedf("something follows the end of the data archive")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// capped refuses to read more than so many bytes.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, format.Malformedf("the data member holds more than %d bytes", int64(dataLimit))
	}
	return n, err
}
