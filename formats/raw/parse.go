package raw

import (
	"crypto"
	"encoding/hex"
	"path"
	"strings"

	"hallmark/formats/format"
)

// Parse takes any bytes: they are not looked at. The identity is the path of the upload, and the entry its line of
// SHA256SUMS.
func (f *Format) Parse(op format.Op, b format.Blob, _ []format.Signature) (format.Package, error) {
	return format.Package{
		Path:       path.Join(op.Dir, op.Name),
		Name:       op.Name,
		Overwrites: f.settings.Overwrite,
		Shard:      op.Dir,
		Entries:    []format.Entry{{Group: group, Data: line(op.Name, b.Digest(crypto.SHA256))}},
	}, nil
}

// Seal returns no wish: a file has no signature besides those that every uploaded file has.
func (f *Format) Seal(format.Site, format.Op, format.Blob) (format.Sealing, error) {
	return format.Sealing{}, nil
}

// line returns what sha256sum prints of a file. A name with a character that would break the line is escaped, and a
// backslash at the beginning of the line says so (coreutils manual, "md5sum invocation").
func line(name string, digest []byte) []byte {
	escape := ""
	if strings.ContainsAny(name, "\\\n\r") {
		escape = `\`
		name = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	// sha256sum -c takes "-" for its standard input.
	if name == "-" {
		name = "./-"
	}
	return []byte(escape + hex.EncodeToString(digest) + "  " + name + "\n")
}
