package debian

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
	"hallmark/formats/internal/tarball"
)

// parseDsc reads the description of a source (dsc(5)). Its entry is a stanza of Sources, which is the description with
// the file itself among the files.
func parseDsc(op format.Op, b format.Blob) (format.Package, error) {
	file, err := readText(b)
	if err != nil {
		return format.Package{}, err
	}
	d, err := parseSourceText(file)
	if err != nil {
		if op.Name == "" {
			return format.Package{}, in("the file is neither a .deb nor a .dsc, and others must be put with their name", err)
		}
		return format.Package{}, in("the .dsc is broken", err)
	}
	fileName := d.source + "_" + withoutEpoch(d.version) + ".dsc"
	if op.Name != "" && op.Name != fileName {
		return format.Package{}, format.Malformedf("the .dsc that was put as %.200q is of %s of version %s: put "+
			"it as %s", op.Name, d.source, d.version, fileName)
	}
	at := placeOf(op)
	files, err := listedFiles(d.fields, 0)
	if err != nil {
		return format.Package{}, in("the .dsc is broken", err)
	}
	p := format.Package{
		Path:    path.Join(at.pool(d.source), fileName),
		Name:    d.source,
		Version: d.version,
		Arch:    archSource,
		Shard:   at.distribution,
		Waits:   op.Waits,
		Set:     op.Dir,
	}
	for _, f := range files {
		if n, ok := parseSourceName(f.name); !ok || n.source != d.source {
			return format.Package{}, format.Malformedf("the .dsc names %q, which is no file of the source %s by "+
				"its name", f.name, d.source)
		}
		p.Parts = append(p.Parts, f.part(at, d.source))
	}
	// MD5 protects nobody here: apt reads the other list, and some mirrors know no other than this.
	sum := md5.Sum(file)
	self := listedFile{
		name: fileName, size: b.Size(), md5: hex.EncodeToString(sum[:]), sha256: hex.EncodeToString(b.Digest(crypto.SHA256)),
	}
	stanza := d.stanza(path.Dir(p.Path), append([]listedFile{self}, files...))
	p.Entries = []format.Entry{{Group: group(at.component, archSource), Data: stanza}}
	return p, nil
}

// stanza returns the stanza of Sources, with the blank line that ends it.
func (d sourceText) stanza(folder string, files []listedFile) []byte {
	text := deb822.Append(nil, deb822.Field{Name: "Package", Value: d.source})
	for _, f := range d.fields {
		switch name := strings.ToLower(f.Name); {
		case name == "source", name == "files", strings.HasPrefix(name, "checksums-"):
		default:
			text = deb822.Append(text, f)
		}
	}
	text = deb822.Append(text, deb822.Field{Name: "Directory", Value: folder})
	var md5s, sha256s strings.Builder
	for _, f := range files {
		fmt.Fprintf(&md5s, "\n %s %d %s", f.md5, f.size, f.name)
		fmt.Fprintf(&sha256s, "\n %s %d %s", f.sha256, f.size, f.name)
	}
	text = deb822.Append(text, deb822.Field{Name: "Files", Value: md5s.String()})
	text = deb822.Append(text, deb822.Field{Name: "Checksums-Sha256", Value: sha256s.String()})
	return append(text, '\n')
}

// A sourceText is what a .dsc, a .changes and a .buildinfo have in common.
type sourceText struct {
	fields          deb822.Stanza
	source, version string
}

// parseSourceText reads a text about a source, which may be clearsigned. Fields of a Release or of an index must not
// stand in it: every uploaded file is signed as it is, and should be of no use as anything else.
func parseSourceText(file []byte) (sourceText, error) {
	text, err := unframe(file)
	if err != nil {
		return sourceText{}, err
	}
	fields, err := deb822.Parse(text)
	if err != nil {
		return sourceText{}, err
	}
	for _, f := range fields {
		switch strings.ToLower(f.Name) {
		case "md5sum", "sha1", "sha256", "sha512", "suite", "codename", "label", "components", "architectures",
			"valid-until", "acquire-by-hash", "package", "directory", "filename", "size":
			return sourceText{}, format.Malformedf("it has the field %q, which is the index's to write", f.Name)
		}
	}
	t := sourceText{fields: fields, version: fields.Get("Version")}
	if fields.Get("Format") == "" {
		return sourceText{}, format.Malformedf("it has no field Format")
	}
	if t.source, err = parseSource(fields.Get("Source")); err != nil {
		return sourceText{}, err
	}
	if !isVersion(t.version) {
		return sourceText{}, format.Malformedf("it has the Version %.100q: a version is a digit, then letters, "+
			"digits and . + ~ -, and perhaps an epoch like 1: before", t.version)
	}
	return t, nil
}

// maxAuthorSignature is the most bytes of a signature that the author of a tarball gave.
const maxAuthorSignature = 64 << 10

// parseSourceFile reads a file that a .dsc names. What is in a tarball is the author's, so it is not unpacked.
func parseSourceFile(op format.Op, b format.Blob) (format.Package, error) {
	n, ok := parseSourceName(op.Name)
	if !ok {
		return format.Package{}, format.Malformedf("%.200q is no file of a source by its name", op.Name)
	}
	head, err := readHead(b, 64)
	if err != nil {
		return format.Package{}, err
	}
	switch {
	case n.compression != tarball.None:
		if tarball.Sniff(head) != n.compression {
			return format.Package{}, format.Malformedf("%.200q is not compressed as its name says", op.Name)
		}
	case b.Size() > maxAuthorSignature || !bytes.HasPrefix(head, []byte(beginSignature+"\n")):
		return format.Package{}, format.Malformedf("%.200q is no signature in ASCII armor of at most %d bytes",
			op.Name, maxAuthorSignature)
	}
	at := placeOf(op)
	return format.Package{
		Path:    path.Join(at.pool(n.source), op.Name),
		Name:    n.source,
		Version: n.version,
		Arch:    archSource,
		Shard:   at.distribution,
		Waits:   true,
		Set:     op.Dir,
	}, nil
}
