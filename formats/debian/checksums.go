package debian

import (
	"encoding/hex"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
)

// maxFiles is the most files that a .dsc or a .changes may name: node-lodash of Debian 12 names 292.
const maxFiles = 500

// A listedFile is a file that a .dsc or a .changes names.
type listedFile struct {
	name        string
	size        int64
	md5, sha256 string // in hex
}

// listedFiles returns the files that a .dsc or a .changes names in Files, in which the columns between the size and the
// name are said, and in Checksums-Sha256. Both must be there and name the same files with the same sizes.
func listedFiles(fields deb822.Stanza, columns int) ([]listedFile, error) {
	files, err := parseList(fields, "Files", 32, columns)
	if err != nil {
		return nil, err
	}
	sums, err := parseList(fields, "Checksums-Sha256", 64, 0)
	if err != nil {
		return nil, err
	}
	if len(files) != len(sums) {
		return nil, format.Malformedf("Files names %d files and Checksums-Sha256 %d", len(files), len(sums))
	}
	byName := make(map[string]listLine, len(sums))
	for _, sum := range sums {
		byName[sum.name] = sum
	}
	listed := make([]listedFile, len(files))
	for i, file := range files {
		sum, ok := byName[file.name]
		if !ok || sum.size != file.size {
			return nil, format.Malformedf("Files and Checksums-Sha256 do not agree on %q", file.name)
		}
		listed[i] = listedFile{name: file.name, size: file.size, md5: file.digest, sha256: sum.digest}
	}
	return listed, nil
}

type listLine struct {
	digest, name string
	size         int64
}

// parseList reads a field with a line for each file: digest, size, columns that do not matter here, name.
func parseList(fields deb822.Stanza, field string, digits, columns int) ([]listLine, error) {
	value := fields.Get(field)
	body, ok := strings.CutPrefix(value, "\n")
	if !ok {
		return nil, format.Malformedf("it has no field %s with a line for each file", field)
	}
	var list []listLine
	seen := map[string]bool{}
	for text := range strings.SplitSeq(body, "\n") {
		words := strings.Fields(text)
		if len(words) != 3+columns {
			return nil, format.Malformedf("%s has a line of another form than it should: %.200q", field, text)
		}
		line := listLine{digest: words[0], name: words[2+columns]}
		size, err := strconv.ParseUint(words[1], 10, 62)
		if _, notHex := hex.DecodeString(line.digest); err != nil || notHex != nil || len(line.digest) != digits ||
			line.digest != strings.ToLower(line.digest) || !isFileName(line.name) {
			return nil, format.Malformedf("%s has a line of another form than it should: %.200q", field, text)
		}
		if seen[line.name] {
			return nil, format.Malformedf("%s names %q twice", field, line.name)
		}
		if len(list) == maxFiles {
			return nil, format.Malformedf("%s names more than %d files", field, maxFiles)
		}
		seen[line.name] = true
		line.size = int64(size)
		list = append(list, line)
	}
	return list, nil
}

// part returns a file as a part of a set. Its place in the pool follows from its name.
func (l listedFile) part(at place, source string) format.Part {
	digest, _ := hex.DecodeString(l.sha256) // parseList has checked it.
	return format.Part{Name: l.name, Path: at.pool(source) + "/" + l.name, Size: l.size, SHA256: digest}
}
