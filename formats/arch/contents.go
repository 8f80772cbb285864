package arch

import (
	"archive/tar"
	"errors"
	"io"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const (
	unpackedMost = 64 << 30 // bytes that a package unpacks to
	entriesMost  = 250_000
	listMost     = 16 << 20 // bytes of the list of a package's files
)

// contents are what the archive of a package says.
type contents struct {
	info  pkginfo
	files []string // all names that do not begin with a dot; folders end in a slash
}

// readContents reads a package to its end, so that one that is cut off or damaged is refused.
func readContents(b format.Blob) (*contents, error) {
	c := &contents{}
	found, size := false, 0
	err := walk(b, func(h *tar.Header, r io.Reader) error {
		if err := checkEntry(h); err != nil {
			return err
		}
		if h.Name == infoName {
			found = true
			return c.readInfo(h, r)
		}
		if strings.HasPrefix(h.Name, ".") {
			return nil
		}
		name := h.Name
		if h.Typeflag == tar.TypeDir {
			name += "/"
		}
		if size += len(name) + 1; size > listMost {
			return format.Malformedf("the names of the package's files come to more than %d bytes", listMost)
		}
		c.files = append(c.files, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoInfo()
	}
	slices.Sort(c.files)
	return c, nil
}

// readInfo reads a package only as far as its .PKGINFO, which makepkg puts near the beginning.
func readInfo(b format.Blob) (pkginfo, error) {
	c := &contents{}
	enough := errors.New("enough")
	err := walk(b, func(h *tar.Header, r io.Reader) error {
		if h.Name != infoName {
			return nil
		}
		if err := c.readInfo(h, r); err != nil {
			return err
		}
		return enough
	})
	switch err {
	case enough:
		return c.info, nil
	case nil:
		return pkginfo{}, errNoInfo()
	}
	return pkginfo{}, err
}

func errNoInfo() error {
	return format.Malformedf("the archive has no %s: it is no package of Arch Linux", infoName)
}

// walk calls visit for each entry of a package's archive.
func walk(b format.Blob, visit func(*tar.Header, io.Reader) error) error {
	if _, err := compression(b); err != nil {
		return err
	}
	d, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), unpackedMost)
	if err != nil {
		return err
	}
	defer d.Close()
	return tarball.Walk(newFrame(d), tarball.Limits{Entries: entriesMost, Size: unpackedMost}, visit)
}

// compression returns the extension that a package's file must have.
func compression(b format.Blob) (string, error) {
	head := make([]byte, 14)
	n, err := b.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	switch tarball.Sniff(head[:n]) {
	case tarball.Zstd:
		return ".pkg.tar.zst", nil
	case tarball.XZ:
		return ".pkg.tar.xz", nil
	case tarball.Gzip:
		return ".pkg.tar.gz", nil
	}
	return "", format.Malformedf("this is no package of Arch Linux: those are archives that are compressed with zstd, xz or gzip")
}

func (c *contents) readInfo(h *tar.Header, r io.Reader) error {
	if h.Typeflag != tar.TypeReg {
		return format.Malformedf("the package's %s is no plain file", infoName)
	}
	text, err := io.ReadAll(io.LimitReader(r, infoMost+1))
	if err != nil {
		return err
	}
	if len(text) > infoMost {
		return format.Malformedf("the package's %s has more than %d bytes", infoName, infoMost)
	}
	c.info, err = parseInfo(text)
	return err
}

// checkEntry refuses what would let a package pass for a database: both are tar archives, pacman has one keyring for both,
// and it looks at every entry of a database whose name is "name-version-release/…/desc" or the like.
func checkEntry(h *tar.Header) error {
	folder, rest, inside := strings.Cut(h.Name, "/")
	if !inside || strings.Count(folder, "-") < 2 {
		return nil
	}
	switch rest[strings.LastIndexByte(rest, '/')+1:] {
	case "desc", "depends", "files", "deltas":
		return format.Malformedf("the archive holds %.200q, as a database does: our signature of this package would "+
			"pass for that of a database", h.Name)
	}
	return nil
}
