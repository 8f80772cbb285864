package python

import (
	"archive/tar"
	"io"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
	"hallmark/formats/internal/zipfile"
)

const (
	unpackedMost = 16 << 30 // bytes that a source distribution unpacks to
	entriesMost  = 250_000
	sourceInfo   = "PKG-INFO"
	wheelInfo    = "METADATA"
	infoFolder   = ".dist-info"
)

// readWheel returns METADATA of a wheel (PEP 427), which must be of a release of a project. It stands in the only folder that
// is called like it, with the files that pip looks for there.
func readWheel(b format.Blob, project, version string) ([]byte, error) {
	files, err := zipfile.Open(b)
	if err != nil {
		return nil, err
	}
	folder := ""
	has := map[string]bool{}
	var data []byte
	for _, f := range files {
		dir, rest, _ := strings.Cut(f.Name, "/")
		if !strings.HasSuffix(dir, infoFolder) {
			continue
		}
		if folder != "" && dir != folder {
			return nil, format.Malformedf("the wheel has two folders of metadata, %.100q and %.100q", folder, dir)
		}
		folder, has[rest] = dir, true
		if rest == wheelInfo {
			if data, err = zipfile.Read(f, metadataMost); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range []string{wheelInfo, "WHEEL", "RECORD"} {
		if !has[name] {
			return nil, format.Malformedf("the wheel has no %s in a folder NAME-VERSION%s: build it with `python -m build`", name, infoFolder)
		}
	}
	if of, ok := cutRelease(project, strings.TrimSuffix(folder, infoFolder)); !ok || of != version {
		return nil, format.Malformedf("the wheel has its metadata in %.100q, which is not the folder of %s %s", folder, project, version)
	}
	return data, nil
}

// readSource returns PKG-INFO of a source distribution (PEP 625), which must be of a release of a project. All of the archive
// is read, so that one that is cut off or damaged is refused.
func readSource(b format.Blob, zipped bool, project, version string) ([]byte, error) {
	s := source{}
	var err error
	if zipped {
		err = s.readZip(b)
	} else {
		err = s.readTar(b)
	}
	switch {
	case err != nil:
		return nil, err
	case s.data == nil:
		return nil, format.Malformedf("the source distribution has no %s in its first folder: build it with `python -m build --sdist`", sourceInfo)
	}
	if of, ok := cutRelease(project, s.folder); !ok || of != version {
		return nil, format.Malformedf("the source distribution is packed in the folder %.100q, which is not that of %s %s",
			s.folder, project, version)
	}
	return s.data, nil
}

// A source is the archive of a source distribution.
type source struct {
	folder string // that of all
	data   []byte // PKG-INFO
}

func (s *source) readTar(b format.Blob) error {
	var magic [3]byte
	if _, err := b.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return err
	}
	if tarball.Sniff(magic[:]) != tarball.Gzip {
		return format.Malformedf("this is no source distribution: those that end in .tar.gz are compressed with gzip")
	}
	r, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), unpackedMost)
	if err != nil {
		return err
	}
	defer r.Close()
	return tarball.Walk(r, tarball.Limits{Entries: entriesMost, Size: unpackedMost}, func(h *tar.Header, r io.Reader) error {
		if h.Name == "." {
			return nil
		}
		info, err := s.visit(h.Name)
		if err != nil || !info {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Size > metadataMost {
			return format.Malformedf("%.200q is no file, or has more than %d bytes", h.Name, metadataMost)
		}
		s.data, err = io.ReadAll(r)
		return err
	})
}

func (s *source) readZip(b format.Blob) error {
	files, err := zipfile.Open(b)
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := s.visit(strings.TrimSuffix(f.Name, "/"))
		if err == nil && info {
			s.data, err = zipfile.Read(f, metadataMost)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// visit looks at the name of an entry. It reports whether that is PKG-INFO.
func (s *source) visit(name string) (info bool, err error) {
	folder, _, _ := strings.Cut(name, "/")
	if s.folder != "" && folder != s.folder {
		return false, format.Malformedf("the source distribution has %.100q beside the folder %.100q, in which all of it must be", name, s.folder)
	}
	s.folder = folder
	return name == path.Join(folder, sourceInfo), nil
}
