package debian

import (
	"bytes"

	"hallmark/formats/format"
	"hallmark/formats/internal/ar"
)

// maxText is the most bytes of a .dsc, a .changes, a .buildinfo, and of the control file of a package.
const maxText = 1 << 20

// Parse implements [format.Format]. What it takes depends on the name in the URL; a file without a name is a .deb or a
// .dsc.
//
// A .deb is one package. A .dsc is one, too; its parts are the files of the source, each of which is a package of its own
// without an entry, so that each can be deleted. A .changes completes what was put to the same folder before it, and is
// itself not kept. A .buildinfo waits and nothing ever completes it: it tells of the machine that built the package, and
// repositories do not serve it.
func (f *Format) Parse(op format.Op, b format.Blob, _ []format.Signature) (format.Package, error) {
	switch kindOf(op.Name) {
	case kindDsc:
		return parseDsc(op, b)
	case kindSourceFile:
		return parseSourceFile(op, b)
	case kindChanges:
		return parseChanges(op, b)
	case kindBuildinfo:
		return parseBuildinfo(op, b)
	case kindUnknown:
		if head, err := readHead(b, len(ar.Magic)); err != nil {
			return format.Package{}, err
		} else if !bytes.Equal(head, []byte(ar.Magic)) {
			return parseDsc(op, b)
		}
	}
	return parseDeb(op, b)
}

// readHead returns the first n bytes of a file, or all of a shorter one.
func readHead(b format.Blob, n int) ([]byte, error) {
	head := make([]byte, min(int64(n), b.Size()))
	if n, err := b.ReadAt(head, 0); n < len(head) {
		return nil, err
	}
	return head, nil
}

// readText returns the whole of a small file.
func readText(b format.Blob) ([]byte, error) {
	if b.Size() > maxText {
		return nil, format.Malformedf("the file has %d bytes, and a text of its kind has at most %d", b.Size(), maxText)
	}
	return readHead(b, maxText)
}
