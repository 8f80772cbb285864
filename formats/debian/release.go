package debian

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
)

// maxReleaseNames is the most components or architectures that a Release may name.
const maxReleaseNames = 200

// A release is what the Release of an upstream says.
type release struct {
	components    []string
	architectures []string // with "all"
	files         map[string]releaseFile
	byHash        bool
	order         int64
	until         time.Time
}

var errManyNames = format.Malformedf("it names more than %d components or architectures", maxReleaseNames)

// A releaseFile is a file that a Release names.
type releaseFile struct {
	digest []byte
	size   int64
}

// line returns the line by which a Release names a file.
func (f releaseFile) line(name string) string {
	return fmt.Sprintf(" %x %d %s\n", f.digest, f.size, name)
}

// parseRelease reads a Release. It knows no digests but SHA-256, as apt trusts no weaker ones.
func parseRelease(text []byte) (release, error) {
	fields, err := deb822.Parse(text)
	if err != nil {
		return release{}, err
	}
	r := release{byHash: strings.EqualFold(fields.Get("Acquire-By-Hash"), "yes")}
	if r.components = strings.Fields(fields.Get("Components")); len(r.components) == 0 {
		return release{}, format.Malformedf("it names no Components: a repository without (a flat one) cannot be followed")
	}
	if len(r.components) > maxReleaseNames { // each is looked for among all files
		return release{}, errManyNames
	}
	if r.files, err = releaseFiles(fields); err != nil {
		return release{}, err
	}
	for i, component := range r.components {
		// Debian's archive of security updates says updates/main of what it has in main, which apt reads so, too.
		last := component[strings.LastIndexByte(component, '/')+1:]
		if !isSegment(last) || last != component && r.hasFolder(component) {
			return release{}, format.Malformedf("it names the component %.100q: those with a folder in a folder, and other characters than "+
				"letters, digits and . _ + ~ -, cannot be followed", component)
		}
		r.components[i] = last
	}
	r.architectures = append(strings.Fields(fields.Get("Architectures")), archAll)
	for _, arch := range r.architectures {
		if !isArchitecture(arch) && arch != archSource {
			return release{}, format.Malformedf("it names the architecture %.100q, which is none", arch)
		}
	}
	r.architectures = slices.DeleteFunc(r.architectures, func(arch string) bool { return arch == archSource })
	for _, names := range []*[]string{&r.components, &r.architectures} {
		slices.Sort(*names)
		if *names = slices.Compact(*names); len(*names) > maxReleaseNames {
			return release{}, errManyNames
		}
	}
	date, err := parseDate(fields, "Date")
	if err != nil {
		return release{}, err
	}
	if !date.IsZero() {
		r.order = max(0, date.Unix())
	}
	r.until, err = parseDate(fields, "Valid-Until")
	return r, err
}

// hasFolder reports whether a Release names a file of a folder.
func (r *release) hasFolder(name string) bool {
	for file := range r.files {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// parseDate reads a date as apt does: in UTC, whatever that is called. It is zero where there is none.
func parseDate(fields deb822.Stanza, field string) (time.Time, error) {
	value, ok := fields.Lookup(field)
	if !ok {
		return time.Time{}, nil
	}
	words := strings.Fields(value)
	if n := len(words) - 1; n > 0 && slices.Contains([]string{"UTC", "GMT", "Z", "+0000"}, words[n]) {
		if t, err := time.Parse("Mon, 2 Jan 2006 15:04:05", strings.Join(words[:n], " ")); err == nil {
			return t, nil
		}
	}
	return time.Time{}, format.Malformedf("its %s is %.100q, which is no date in UTC", field, value)
}

func releaseFiles(fields deb822.Stanza) (map[string]releaseFile, error) {
	body, ok := strings.CutPrefix(fields.Get("SHA256"), "\n")
	if !ok {
		return nil, format.Malformedf("it has no field SHA256 with a line for each file: apt trusts no other digests either")
	}
	files := map[string]releaseFile{}
	for text := range strings.SplitSeq(body, "\n") {
		line, err := parseReleaseLine(text)
		if err != nil {
			return nil, err
		}
		if other, twice := files[line.name]; twice && line.releaseFile.line("") != other.line("") {
			return nil, format.Malformedf("it names %.200q twice", line.name)
		}
		files[line.name] = line.releaseFile
	}
	return files, nil
}

// A releaseLine is one line of a Release's SHA256.
type releaseLine struct {
	releaseFile
	name string
}

func parseReleaseLine(text string) (releaseLine, error) {
	words := strings.Fields(text)
	if len(words) == 3 {
		digest, err := parseDigest(words[0])
		size, errSize := strconv.ParseInt(words[1], 10, 64)
		if err == nil && errSize == nil && size >= 0 {
			return releaseLine{releaseFile{digest, size}, words[2]}, nil
		}
	}
	return releaseLine{}, format.Malformedf("its SHA256 has a line of another form than digest, size and name: %.200q", text)
}

// parseDigest reads a SHA-256 in hex.
func parseDigest(text string) ([]byte, error) {
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != 32 {
		return nil, format.Malformedf("%.100q is no SHA-256 in hex", text)
	}
	return digest, nil
}

// eachStanza calls a function for each stanza of a text, with the blank line that ends it: that is there even behind the last.
// The function must not keep the bytes.
func eachStanza(text io.Reader, do func([]byte) error) error {
	buffer := make([]byte, 0, 256<<10)
	for {
		n, err := text.Read(buffer[len(buffer):cap(buffer)])
		rest, fault := splitStanzas(buffer[:len(buffer)+n], do)
		switch {
		case fault != nil:
			return fault
		case err == io.EOF && len(rest) > 0:
			return do(append(bytes.TrimSuffix(rest, []byte("\n")), "\n\n"...))
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		buffer = append(buffer[:0], rest...)
		if len(buffer) == cap(buffer) {
			buffer = slices.Grow(buffer, cap(buffer))
		}
	}
}

// splitStanzas calls a function for each stanza that a text has as a whole. It returns the beginning of the next one.
func splitStanzas(text []byte, do func([]byte) error) (rest []byte, err error) {
	blank := []byte("\n\n")
	for {
		text = bytes.TrimLeft(text, "\n")
		stanza, rest, whole := bytes.Cut(text, blank)
		if len(stanza) >= maxText {
			return nil, format.Malformedf("it has a stanza of more than %d bytes", maxText)
		}
		if !whole {
			return text, nil
		}
		if err := do(text[:len(stanza)+len(blank)]); err != nil {
			return nil, err
		}
		text = rest
	}
}
