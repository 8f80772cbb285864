package arch

import (
	"archive/tar"
	"bufio"
	"bytes"
	"io"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const packagesMost = 100_000 // packages of an upstream's database

// A listed is what a database has of one package: a folder with files.
type listed struct {
	folder      string
	desc, files []byte
}

// stanza returns all sections.
func (p listed) stanza() []byte {
	if len(p.files) == 0 {
		return p.desc
	}
	return bytes.Join([][]byte{bytes.TrimRight(p.desc, "\n"), p.files}, []byte("\n\n"))
}

// eachPackage calls visit for each package of a database. Nothing of a package is kept after that.
func eachPackage(db format.Blob, limit int64, visit func(listed) error) error {
	d, err := tarball.Decompress(io.NewSectionReader(db, 0, db.Size()), limit)
	if err != nil {
		return err
	}
	defer d.Close()
	var p listed
	flush := func() error {
		if p.folder == "" {
			return nil
		}
		if p.desc == nil {
			return format.Malformedf("the database has no desc of %.200q, or not together with its other files", p.folder)
		}
		return visit(p)
	}
	buffered := bufio.NewReader(d)
	if begin, err := buffered.Peek(2 * block); len(bytes.TrimLeft(begin, "\x00")) == 0 && (err == nil || err == io.EOF) {
		return checkEmpty(buffered)
	}
	// A folder may have an entry of its own, and up to two files.
	limits := tarball.Limits{Entries: 3 * packagesMost, Name: 512, Size: listMost}
	err = tarball.Walk(buffered, limits, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag == tar.TypeDir {
			return nil
		}
		folder, name := path.Split(h.Name)
		if folder = strings.TrimSuffix(folder, "/"); folder != p.folder {
			if err := flush(); err != nil {
				return err
			}
			p = listed{folder: folder}
		}
		return p.read(h, name, r)
	})
	if err != nil {
		return err
	}
	return flush()
}

// checkEmpty reads the archive of no packages, which is nothing but zeros, to its end.
func checkEmpty(r io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		switch {
		case len(bytes.TrimLeft(buffer[:n], "\x00")) > 0:
			return format.Malformedf("something follows the end of the database")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// read takes a file of the package's folder.
func (p *listed) read(h *tar.Header, name string, r io.Reader) error {
	to, most := &p.desc, descriptionMost
	switch {
	case h.Typeflag != tar.TypeReg || p.folder == "" || strings.Contains(p.folder, "/"):
		return format.Malformedf("the database holds %.200q, which is no file of a package", h.Name)
	case name == "files":
		to, most = &p.files, listMost
	case name != "desc":
		return format.Malformedf("the database holds %.200q, which repo-add has not written since pacman 5", h.Name)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return err
	}
	if len(text) > most {
		return format.Malformedf("the database holds %.200q of more than %d bytes", h.Name, most)
	}
	*to = text
	return nil
}
