package rpm

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the repodata of one directory. Its metadata files have their digests in their names, so that a client in the
// middle of an update still finds the old ones. repomd.xml is signed, and names no digests of what was compressed:
// clients do not read them.
//
// What is signed cannot be taken for a package: a header begins with the bytes 8e ad e8 01, which XML cannot.
func (f *Format) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	kinds := [...]string{primary, filelists, other}
	listings := make([]format.Listing, len(kinds))
	for i, kind := range kinds {
		head, tail := frame(kind)
		listings[i] = format.Listing{
			Name:      kind,
			Groups:    []string{kind},
			Head:      head,
			Tail:      tail,
			Encodings: []format.Encoding{format.Gzip},
		}
	}
	listed, err := in.List(listings...)
	if err != nil {
		return err
	}
	dir := path.Join(in.Name(), repodata)
	date := s.Date.Unix()
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
`)
	fmt.Fprintf(&b, "  <revision>%d</revision>\n", date)
	for i, kind := range kinds {
		file := listed[i].Files[format.Gzip]
		digest := hex.EncodeToString(file.Digests[crypto.SHA256])
		name := digest + "-" + kind + ".xml.gz"
		fmt.Fprintf(&b, `  <data type="%s">
    <checksum type="sha256">%s</checksum>
    <location href="%s/%s"/>
    <timestamp>%d</timestamp>
    <size>%d</size>
  </data>
`, kind, digest, repodata, name, date, file.Size)
		if err := emit(format.File{Path: path.Join(dir, name), Listing: kind, Encoding: format.Gzip, Lasting: true}); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(in.Groups(), func(g format.Group) bool { return g.Name == groupExtra && g.Count > 0 }) {
		extra, err := in.Entries(groupExtra)
		if err != nil {
			return err
		}
		slices.SortFunc(extra, bytes.Compare)
		b.Write(bytes.Join(extra, nil))
	}
	b.WriteString("</repomd>\n")
	keys := publicKeys(s.Keys)
	if s.Behind != nil {
		keys = append(keys, s.Behind.PackageKeys...)
	}
	if err := emit(format.File{Path: path.Join(dir, repomd+".key"), Data: keys}); err != nil {
		return err
	}
	return emit(format.File{
		Path: path.Join(dir, repomd),
		Data: b.Bytes(),
		Sealing: format.Sealing{Seals: []format.Seal{{
			Name:    "repomd",
			Scheme:  scheme.OpenPGPArmored,
			Purpose: scheme.Index,
			Path:    path.Join(dir, repomd+".asc"),
		}}},
	})
}

// frame returns what stands before and behind the packages in a metadata file.
func frame(kind string) (head, tail func(format.Totals) []byte) {
	element, namespaces := kind, `xmlns="http://linux.duke.edu/metadata/`+kind+`"`
	switch kind {
	case primary:
		element = "metadata"
		namespaces = `xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"`
	case other:
		element = "otherdata"
	}
	head = func(t format.Totals) []byte {
		return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s %s packages=\"%d\">\n",
			element, namespaces, t.Count)
	}
	tail = func(format.Totals) []byte { return []byte("</" + element + ">\n") }
	return head, tail
}

// publicKeys returns all keys that a client has to trust, one armored block after the other: zypper takes them from
// repomd.xml.key, with those of the packages if they have keys of their own.
func publicKeys(keys format.Keys) []byte {
	var b []byte
	seen := map[string]bool{}
	for _, purpose := range []scheme.Purpose{scheme.Index, scheme.Package} {
		for _, key := range keys.Of(purpose, scheme.OpenPGP) {
			if !seen[key.Fingerprint] {
				seen[key.Fingerprint] = true
				b = append(append(b, bytes.TrimRight(key.Armored, "\n")...), '\n')
			}
		}
	}
	return b
}
