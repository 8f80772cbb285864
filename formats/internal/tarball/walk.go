package tarball

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"io"
	"path"
	"strings"

	"hallmark/formats/format"
)

// Limits bound what a tar archive may hold. A zero field stands for the default.
type Limits struct {
	Entries int   // most entries; by default 10,000
	Name    int   // most bytes of an entry's name and of a link's target; by default 4,096
	Size    int64 // most bytes of one entry; by default 1 GiB
}

func (l Limits) fill() Limits {
	if l.Entries == 0 {
		l.Entries = 10_000
	}
	if l.Name == 0 {
		l.Name = 4096
	}
	if l.Size == 0 {
		l.Size = 1 << 30
	}
	return l
}

// Walk calls visit for each entry of a tar archive (POSIX.1-2001 pax and GNU tar) in its order. The entry's name is clean:
// "./usr/bin/" comes as "usr/bin", and the folder of all as ".". What visit does not read of an entry is skipped.
//
// Walk refuses absolute names and "..", names with control characters, an entry that comes twice (folders may), sparse
// files, settings for all entries that follow, and bytes other than zero after the end. It says nothing of where links
// point. The errors wrap [format.ErrMalformed], unless they are those of visit or of reading r.
func Walk(r io.Reader, l Limits, visit func(*tar.Header, io.Reader) error) error {
	l = l.fill()
	source := &source{r: r}
	archive := tar.NewReader(source)
	seen := map[[16]byte]bool{} // by the digest of the name: whether it is a folder
	for count := 0; ; count++ {
		h, err := archive.Next()
		if err == io.EOF {
			if count == 0 {
				return format.Malformedf("the archive is no tar archive, or an empty one")
			}
			return drain(source)
		}
		if err != nil {
			return brokenTar(source, err)
		}
		if count >= l.Entries {
			return format.Malformedf("the archive has more than %d entries", l.Entries)
		}
		if err := l.check(h); err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(h.Name))
		key := [16]byte(digest[:])
		folder := h.Typeflag == tar.TypeDir
		if was, ok := seen[key]; ok && !(was && folder) {
			return format.Malformedf("the archive holds %.200q twice", h.Name)
		}
		seen[key] = folder
		if err := visit(h, &entry{archive: archive, source: source}); err != nil {
			return err
		}
	}
}

// entry reads one entry, and tells a broken archive from a source that failed.
type entry struct {
	archive *tar.Reader
	source  *source
}

func (e *entry) Read(p []byte) (int, error) {
	n, err := e.archive.Read(p)
	if err != nil && err != io.EOF {
		err = brokenTar(e.source, err)
	}
	return n, err
}

// check refuses a header that readers could take differently, and cleans its name.
func (l Limits) check(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		return format.Malformedf("the archive holds %.200q, an entry of a kind (%q) that is not allowed in it",
			h.Name, h.Typeflag)
	}
	if len(h.Name) > l.Name || len(h.Linkname) > l.Name {
		return format.Malformedf("the archive holds a name of more than %d bytes", l.Name)
	}
	if h.Size > l.Size {
		return format.Malformedf("the archive holds %.200q of %d bytes, and %d are allowed", h.Name, h.Size, l.Size)
	}
	for _, name := range []string{h.Name, h.Linkname} {
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return format.Malformedf("the archive holds a name with a control character in it: %.200q", name)
		}
	}
	for record := range h.PAXRecords {
		// An entry of type regular that says so is sparse: its size is not that of its bytes.
		if strings.HasPrefix(record, "GNU.sparse.") {
			return format.Malformedf("the archive holds %.200q as a sparse file: pack it without --sparse", h.Name)
		}
	}
	switch {
	case h.Name == "":
		return format.Malformedf("the archive holds an entry without a name")
	case strings.HasPrefix(h.Name, "/"):
		return format.Malformedf("the archive holds %.200q: names must not be absolute", h.Name)
	}
	for segment := range strings.SplitSeq(h.Name, "/") {
		if segment == ".." {
			return format.Malformedf("the archive holds %.200q: names must not lead upwards", h.Name)
		}
	}
	if strings.HasSuffix(h.Name, "/") && h.Typeflag != tar.TypeDir {
		return format.Malformedf("the archive holds %.200q, which has the name of a folder and is none", h.Name)
	}
	h.Name = path.Clean(h.Name)
	return nil
}

// drain reads what follows the end of an archive: zeros up to the end of a block of any size.
func drain(r *source) error {
	buffer := make([]byte, 4096)
	for {
		n, err := r.Read(buffer)
		if len(bytes.Trim(buffer[:n], "\x00")) > 0 {
			return format.Malformedf("something follows the end of the tar archive")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func brokenTar(s *source, err error) error {
	switch {
	case s.err != nil:
		return s.err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return format.Malformedf("the tar archive is cut off")
	}
	return format.Malformedf("the archive is not a tar archive that can be read: %.200v", err)
}
