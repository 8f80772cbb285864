package arch

import (
	"archive/tar"
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// signatureMost is the longest signature that a database holds, as in repo-add. pacman fetches a longer one by itself.
const signatureMost = 16384

// entries returns what the two databases of an architecture hold of a package, as parts of a tar archive: a file desc, and
// in the second a list of files, too.
func (c *contents) entries(file string, b format.Blob, sig []byte) (database, files []byte, err error) {
	folder := c.info.name() + "-" + c.info.version()
	desc := c.info.desc(file, b, sig)
	if len(desc) > descriptionMost {
		return nil, nil, format.Malformedf("what a database says of the package comes to %d bytes, and at most %d are allowed: "+
			"it has very many dependencies",
			len(desc), descriptionMost)
	}
	if database, err = tarEntry(folder+"/desc", desc); err != nil {
		return nil, nil, err
	}
	var list bytes.Buffer
	list.WriteString("%FILES%\n")
	for _, name := range c.files {
		list.WriteString(name + "\n")
	}
	files, err = tarEntry(folder+"/files", list.Bytes())
	return database, append(bytes.Clone(database), files...), err
}

// desc returns the sections of a package in the order of repo-add.
func (p pkginfo) desc(file string, b format.Blob, sig []byte) []byte {
	var d bytes.Buffer
	section := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			d.WriteString("%" + name + "%\n" + strings.Join(values, "\n") + "\n\n")
		}
	}
	section("FILENAME", file)
	section("NAME", p.name())
	section("BASE", p.single["pkgbase"])
	section("VERSION", p.version())
	section("DESC", p.single["pkgdesc"])
	section("GROUPS", p.lists["group"]...)
	section("CSIZE", strconv.FormatInt(b.Size(), 10))
	section("ISIZE", p.single["size"])
	section("SHA256SUM", hex.EncodeToString(b.Digest(crypto.SHA256)))
	if len(sig) <= signatureMost {
		section("PGPSIG", base64.StdEncoding.EncodeToString(sig))
	}
	section("URL", p.single["url"])
	section("LICENSE", p.lists["license"]...)
	section("ARCH", p.arch())
	section("BUILDDATE", p.single["builddate"])
	section("PACKAGER", p.single["packager"])
	section("REPLACES", p.lists["replaces"]...)
	section("CONFLICTS", p.lists["conflict"]...)
	section("PROVIDES", p.lists["provides"]...)
	section("DEPENDS", p.lists["depend"]...)
	section("OPTDEPENDS", p.lists["optdepend"]...)
	section("MAKEDEPENDS", p.lists["makedepend"]...)
	section("CHECKDEPENDS", p.lists["checkdepend"]...)
	return d.Bytes()
}

// tarEntry returns a file as it stands in a tar archive (POSIX.1-2001, ustar). Its date is always the same.
func tarEntry(name string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	header := &tar.Header{Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}
	if err := w.WriteHeader(header); err != nil {
		return nil, fmt.Errorf("entry %q: %w", name, err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("entry %q: %w", name, err)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("entry %q: %w", name, err)
	}
	return b.Bytes(), nil
}
