package raw

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	sumsMost          = 64 << 20 // bytes of an upstream's SHA256SUMS
	sumsSignatureMost = 64 << 10
	lineMost          = 4 << 10
)

// Scope returns the folder of a file: its SHA256SUMS says what is in it, and nothing of its subfolders.
func (f *Format) Scope(p string) (string, bool) {
	if p == "" || strings.HasSuffix(p, "/") {
		return "", false
	}
	return folder(p), true
}

// Follow emits the lines of a folder's SHA256SUMS, which SHA256SUMS.asc signs. A folder without them does not exist.
//
// Where the upstream is trusted without a key, a SHA256SUMS would only say what nobody has signed, and every folder is open:
// nothing is fetched.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	// Only without a key is no signature at all a good one.
	switch _, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil); {
	case err == nil:
		return format.Edition{Shard: scope, Open: true}, nil
	case !errors.Is(err, format.ErrMalformed):
		return format.Edition{}, err
	}
	list, err := u.Fetch(path.Join(scope, sums), format.Wanted{Limit: sumsMost})
	if err != nil {
		return format.Edition{}, err
	}
	var signature []byte
	switch b, err := u.Fetch(path.Join(scope, sumsSignature), format.Wanted{Limit: sumsSignatureMost}); {
	case err == nil:
		if signature, err = io.ReadAll(io.NewSectionReader(b, 0, b.Size())); err != nil {
			return format.Edition{}, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return format.Edition{}, err
	}
	if _, err := u.Verify(scheme.OpenPGPArmored, io.NewSectionReader(list, 0, list.Size()), signature); err != nil {
		return format.Edition{}, err
	}
	return format.Edition{Shard: scope}, eachLine(io.NewSectionReader(list, 0, list.Size()), func(text string) error {
		name, digest, err := parseLine(text)
		if err != nil {
			return err
		}
		// "sha256sum * > SHA256SUMS" lists that file, too, while it is still empty.
		if _, ok := reserved(name); ok {
			return nil
		}
		return u.Emit(sums, "", line(name, digest))
	})
}

// Describe reads a line of SHA256SUMS.
func (f *Format) Describe(scope, _ string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	if scope != "" && !fs.ValidPath(scope) {
		return format.Foreign{}, format.Malformedf("%.200q is not a folder", scope)
	}
	name, digest, err := parseLine(strings.TrimSuffix(string(stanza), "\n"))
	if err != nil {
		return format.Foreign{}, err
	}
	if _, ok := reserved(name); ok {
		return format.Foreign{}, format.Malformedf("%s lists %s, which is made here for each folder", sums, name)
	}
	return f.Found(path.Join(scope, name), digest, -1)
}

// Found returns a file of a folder, with its line of SHA256SUMS.
func (f *Format) Found(p string, digest []byte, size int64) (format.Foreign, error) {
	name := path.Base(p)
	if reservedName, ok := reserved(name); ok {
		return format.Foreign{}, format.NotFoundf("%s is made here for each folder, and is no file of it", reservedName)
	}
	return format.Foreign{
		Package: format.Package{
			Path:    p,
			Name:    name,
			Shard:   folder(p),
			Entries: []format.Entry{{Group: group, Data: line(name, digest)}},
		},
		Size:   size,
		SHA256: digest,
	}, nil
}

// folder returns the folder that a file is in. That of the root is "".
func folder(p string) string {
	dir, _ := path.Split(p)
	return strings.TrimSuffix(dir, "/")
}

// eachLine calls visit for each line but those that sha256sum -c passes over.
func eachLine(r io.Reader, visit func(string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMost)
	for lines.Scan() {
		text := lines.Text()
		if text == "" || text[0] == '#' {
			continue
		}
		if err := visit(text); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return format.Malformedf("%s has a line of more than %d bytes", sums, lineMost)
	}
	return lines.Err()
}

// parseLine reads what sha256sum prints of a file, in text or in binary mode. The file must be one of the same folder.
func parseLine(text string) (name string, digest []byte, err error) {
	bare, escaped := strings.CutPrefix(text, `\`)
	const width = 2 * sha256.Size
	if len(bare) < width+3 || bare[width] != ' ' || bare[width+1] != ' ' && bare[width+1] != '*' {
		return "", nil, format.Malformedf("%s has the line %.100q, which sha256sum does not print: write it with sha256sum", sums, text)
	}
	digest, err = hex.DecodeString(bare[:width])
	if err != nil {
		return "", nil, format.Malformedf("%s has the line %.100q, which begins with no SHA-256 in hex", sums, text)
	}
	name = bare[width+2:]
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	name = strings.TrimPrefix(name, "./") // as "sha256sum ./*" has it
	switch {
	case name == "" || name == "." || name == "..":
		return "", nil, format.Malformedf("%s lists %.100q, which is no name of a file", sums, name)
	case strings.Contains(name, "/"):
		return "", nil, format.Malformedf("%s lists %.100q, which is in another folder: each folder has a %s of its own, of its files alone",
			sums, name, sums)
	case len(name) > 255 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", nil, format.Malformedf("%s lists %.100q: names are UTF-8 of at most 255 bytes without control characters", sums, name)
	}
	return name, digest, nil
}
