// Package zipfile reads zip archives that somebody hostile may have made.
//
// There are two ways to read a zip archive: by the directory at its end, and from its beginning, file by file. An archive
// passes only if both find the same (APPNOTE.TXT of PKWARE, sections 4.3.6 to 4.3.16).
package zipfile

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	endSize        = 22 // of the end of the directory
	localSize      = 30 // of a header in front of a file, without its name and extra fields
	recordSize     = 46 // of a file in the directory, without its name, extra fields and comment
	endMagic       = "PK\x05\x06"
	localMagic     = "PK\x03\x04"
	behindMagic    = "PK\x07\x08"
	nameMost       = 4096
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3 // sizes stand behind the file
)

// Open returns the files of an archive in the order of their places, folders among them, of which there are at most 65,534.
// Their names are clean, but for the slash at the end of a folder's, and differ.
//
// Open refuses bytes in front of the archive, behind it and between its files, a comment, encryption, ways of compression
// other than deflate, and archives of 4 GiB or more (ZIP64). The errors wrap [format.ErrMalformed], unless the archive
// could not be read. Whether a file's bytes are whole comes out when they are read.
func Open(b format.Blob) ([]*zip.File, error) {
	directory, count, err := findDirectory(b)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(b, b.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, broken(err)
	}
	if len(archive.File) != count {
		return nil, format.Malformedf("the zip archive says that it holds %d files, and its directory has %d", count, len(archive.File))
	}
	size := int64(0)
	for _, f := range archive.File {
		size += recordSize + int64(len(f.Name)+len(f.Extra)+len(f.Comment))
	}
	if directory+size != b.Size()-endSize {
		return nil, format.Malformedf("the zip archive's directory is longer or shorter than its end says")
	}
	return arrange(b, archive.File, directory)
}

// Read returns the bytes of a file, of which there are at most limit. The error wraps [format.ErrMalformed] if there are more,
// or if they are damaged.
func Read(f *zip.File, limit int64) ([]byte, error) {
	tooMany := format.Malformedf("the zip archive holds %.200q of more than %d bytes", f.Name, limit)
	if f.UncompressedSize64 > uint64(limit) {
		return nil, tooMany
	}
	r, err := f.Open()
	if err != nil {
		return nil, broken(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, broken(err)
	case int64(len(data)) > limit:
		return nil, tooMany
	case crc32.ChecksumIEEE(data) != f.CRC32 || uint64(len(data)) != f.UncompressedSize64:
		return nil, format.Malformedf("the zip archive is damaged: %.200q is not what its checksum says", f.Name)
	}
	return data, nil
}

// findDirectory returns where the directory begins, and how many files it lists.
func findDirectory(b format.Blob) (offset int64, count int, err error) {
	if b.Size() < endSize {
		return 0, 0, format.Malformedf("this is no zip archive: it has %d bytes", b.Size())
	}
	var end [endSize]byte
	if _, err := b.ReadAt(end[:], b.Size()-endSize); err != nil && err != io.EOF {
		return 0, 0, err
	}
	le := binary.LittleEndian
	here, total := le.Uint16(end[8:]), le.Uint16(end[10:])
	size, offset32 := le.Uint32(end[12:]), le.Uint32(end[16:])
	switch {
	case string(end[:4]) != endMagic || le.Uint16(end[20:]) != 0:
		return 0, 0, format.Malformedf("this is no zip archive, or it is cut off, or something stands behind its directory: " +
			"pack it without a comment")
	case total == 0xffff || size == 0xffffffff || offset32 == 0xffffffff:
		return 0, 0, format.Malformedf("the zip archive has 65,535 files or 4 GiB or more (ZIP64), which is not taken here")
	case le.Uint16(end[4:]) != 0 || le.Uint16(end[6:]) != 0 || here != total:
		return 0, 0, format.Malformedf("the zip archive is one of several parts: pack it as one")
	case int64(offset32)+int64(size) != b.Size()-endSize:
		return 0, 0, format.Malformedf("the zip archive's directory is not where its end says: something stands in front of the " +
			"archive or in it")
	}
	return int64(offset32), int(total), nil
}

// arrange puts files into the order of their places and sees that nothing else is between them.
func arrange(b format.Blob, files []*zip.File, directory int64) ([]*zip.File, error) {
	places := make(map[int64]*zip.File, len(files)) // by the offset of the data
	names := make(map[string]bool, len(files))
	for _, f := range files {
		if err := check(f); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(f.Name, "/")
		if names[name] {
			return nil, format.Malformedf("the zip archive holds %.200q twice", f.Name)
		}
		names[name] = true
		at, err := f.DataOffset()
		if err != nil {
			return nil, broken(err)
		}
		if places[at] != nil {
			return nil, format.Malformedf("the zip archive holds %.200q and %.200q in one place", places[at].Name, f.Name)
		}
		places[at] = f
	}
	sorted := make([]*zip.File, 0, len(files))
	at := int64(0)
	for range files {
		f, end, err := readLocal(b, at, places)
		if err != nil {
			return nil, err
		}
		sorted, at = append(sorted, f), end
	}
	if at != directory {
		return nil, format.Malformedf("the zip archive has %d bytes between its files and its directory", directory-at)
	}
	return slices.Clip(sorted), nil
}

// check looks at what the directory says of a file.
func check(f *zip.File) error {
	name := strings.TrimSuffix(f.Name, "/")
	switch {
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return format.Malformedf("the zip archive holds %.200q, which is compressed in the way %d: use deflate", f.Name, f.Method)
	case f.Flags&flagEncrypted != 0:
		return format.Malformedf("the zip archive holds %.200q, which is encrypted", f.Name)
	case len(f.Name) > nameMost || !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, unicode.IsControl):
		return format.Malformedf("the zip archive holds %.200q: names are UTF-8 of at most %d bytes without control characters",
			f.Name, nameMost)
	case !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`):
		return format.Malformedf("the zip archive holds %.200q, which is not a clean path", f.Name)
	case name != f.Name && f.UncompressedSize64 > 0:
		return format.Malformedf("the zip archive holds %.200q, which has the name of a folder and is none", f.Name)
	}
	return nil
}

// readLocal reads the header of a file at its place, which must say what the directory says, and returns where the file ends.
func readLocal(b format.Blob, at int64, places map[int64]*zip.File) (*zip.File, int64, error) {
	var h [localSize]byte
	if _, err := b.ReadAt(h[:], at); err != nil && err != io.EOF {
		return nil, 0, err
	}
	le := binary.LittleEndian
	nameLen, extraLen := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	f := places[at+localSize+nameLen+extraLen]
	if string(h[:4]) != localMagic || f == nil {
		return nil, 0, format.Malformedf("the zip archive has at byte %d no file that its directory lists", at)
	}
	name := make([]byte, nameLen)
	if _, err := b.ReadAt(name, at+localSize); err != nil && err != io.EOF {
		return nil, 0, err
	}
	end := at + localSize + nameLen + extraLen + int64(f.CompressedSize64)
	crc, packed, size := le.Uint32(h[14:]), uint64(le.Uint32(h[18:])), uint64(le.Uint32(h[22:]))
	behind := f.Flags&flagDescriptor != 0
	same := string(name) == f.Name && le.Uint16(h[6:]) == f.Flags && le.Uint16(h[8:]) == f.Method &&
		(behind || crc == f.CRC32 && packed == f.CompressedSize64 && size == f.UncompressedSize64)
	if !same {
		return nil, 0, format.Malformedf("the zip archive says something else of %.200q in front of the file than in its directory",
			f.Name)
	}
	if !behind {
		return f, end, nil
	}
	var d [16]byte
	n, err := b.ReadAt(d[:], end)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	rest := d[:n]
	if strings.HasPrefix(string(rest), behindMagic) {
		rest, end = rest[4:], end+4
	}
	if len(rest) < 12 || le.Uint32(rest) != f.CRC32 || uint64(le.Uint32(rest[4:])) != f.CompressedSize64 ||
		uint64(le.Uint32(rest[8:])) != f.UncompressedSize64 {
		return nil, 0, format.Malformedf("the zip archive says something else of %.200q behind the file than in its directory", f.Name)
	}
	return f, end + 12, nil
}

// broken says what is wrong with an archive, unless it could not be read.
func broken(err error) error {
	for _, kind := range []error{zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, kind) {
			return format.Malformedf("the zip archive cannot be read: %.200v", err)
		}
	}
	if strings.HasPrefix(err.Error(), "flate: ") {
		return format.Malformedf("the zip archive cannot be read: %.200v", err)
	}
	return err
}
