package rpm

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// Describe implements [format.Mirror]. The entries of a package are its elements as they stand.
func (f *Format) Describe(scope, context string, stanza []byte, _ []format.Signature) (foreign format.Foreign, err error) {
	switch {
	case !isDirectory(scope):
		err = format.Malformedf("%.200q cannot be a directory of packages", scope)
	case context == contextPackage:
		foreign, err = describePackage(scope, stanza)
	case context == contextExtra:
		foreign, err = describeExtra(scope, stanza)
	default:
		err = format.Malformedf("nothing is known of %.50q", context)
	}
	if err != nil {
		return format.Foreign{}, in("the index of the upstream is broken", err)
	}
	foreign.Shard = scope
	return foreign, nil
}

// A primaryElement is what is needed of a package in primary. What may stand there once is a list, so that it can be seen to
// stand there once.
type primaryElement struct {
	Type    string   `xml:"type,attr"`
	Name    []string `xml:"name"`
	Arch    []string `xml:"arch"`
	Version []struct {
		Epoch   string `xml:"epoch,attr"`
		Version string `xml:"ver,attr"`
		Release string `xml:"rel,attr"`
	} `xml:"version"`
	Checksum []xmlDigest `xml:"checksum"`
	Size     []struct {
		Package string `xml:"package,attr"`
	} `xml:"size"`
	Location []struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
}

// A listElement is what is needed of a package in filelists and other.
type listElement struct {
	ID   string `xml:"pkgid,attr"`
	Name string `xml:"name,attr"`
}

func describePackage(scope string, stanza []byte) (format.Foreign, error) {
	parts, err := splitStanza(stanza)
	if err != nil {
		return format.Foreign{}, err
	}
	var p primaryElement
	if err := readElement(parts[0], &p); err != nil {
		return format.Foreign{}, err
	}
	if p.Type != "rpm" || len(p.Name) != 1 || len(p.Arch) != 1 || len(p.Version) != 1 || len(p.Checksum) != 1 ||
		len(p.Size) != 1 || len(p.Location) != 1 {
		return format.Foreign{}, format.Malformedf("a package of the type %.50q has not one name, arch, version, checksum, size and "+
			"location each", p.Type)
	}
	v := p.Version[0]
	version := v.Version + "-" + v.Release
	if v.Epoch != "" && v.Epoch != "0" {
		version = v.Epoch + ":" + version
	}
	for _, field := range []string{p.Name[0], p.Arch[0], v.Version, v.Release, version} {
		if field == "" || len(field) > 1000 || strings.ContainsFunc(field, isControl) {
			return format.Foreign{}, format.Malformedf("the package %.100q has a name, version or arch %.100q, which is none", p.Name[0], field)
		}
	}
	href, err := cleanHref(p.Location[0].Href)
	if err == nil && (!strings.HasSuffix(href, extension) || path.Clean(p.Location[0].Href) != p.Location[0].Href) {
		err = format.Malformedf("the location of the package %.100q is %.200q, which is not that of an .rpm", p.Name[0], p.Location[0].Href)
	}
	if err != nil {
		return format.Foreign{}, err
	}
	digest, err := p.Checksum[0].sha256()
	if err != nil {
		return format.Foreign{}, err
	}
	size, err := strconv.ParseInt(p.Size[0].Package, 10, 64)
	if err != nil || size < 0 {
		return format.Foreign{}, format.Malformedf("the size of the package %.100q is %.50q", p.Name[0], p.Size[0].Package)
	}
	for _, part := range parts[1:] {
		var l listElement
		if err := readElement(part, &l); err != nil {
			return format.Foreign{}, err
		}
		if l.ID != strings.TrimSpace(p.Checksum[0].Value) || l.Name != p.Name[0] {
			return format.Foreign{}, format.Malformedf("filelists or other has %.100q where the package %.100q stands in primary", l.Name, p.Name[0])
		}
	}
	foreign := format.Foreign{
		Package: format.Package{Path: path.Join(scope, href), Name: p.Name[0], Version: version, Arch: p.Arch[0]},
		Size:    size, SHA256: digest,
	}
	for i, kind := range [...]string{primary, filelists, other} {
		foreign.Entries = append(foreign.Entries, format.Entry{Group: kind, Data: append(bytes.Clone(parts[i]), '\n')})
	}
	return foreign, nil
}

// splitStanza returns the three elements of a package.
func splitStanza(stanza []byte) ([][]byte, error) {
	var parts [][]byte
	for rest := stanza; len(rest) > 0; {
		i := bytes.Index(rest, []byte(elementEnd))
		if i < 0 || len(parts) == 3 {
			return nil, format.Malformedf("a package has something else than its three elements")
		}
		i += len(elementEnd)
		parts, rest = append(parts, rest[:i]), rest[i:]
	}
	if len(parts) != 3 {
		return nil, format.Malformedf("a package has %d elements of three", len(parts))
	}
	return parts, nil
}

// readElement reads an element that is to stand below another root. So it may declare no namespace and no base, and have
// nothing in it that readers of XML treat each in its own way.
func readElement(element []byte, into any) error {
	if bytes.Contains(element, []byte("<!")) || bytes.Contains(element, []byte("<?")) {
		return format.Malformedf("an element has a comment, a section of raw text or an instruction in it")
	}
	d := xml.NewDecoder(bytes.NewReader(element))
	d.CharsetReader = noCharset
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return format.Malformedf("an element is no XML: %.200q", err.Error())
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				roots++
			}
			if t.Name.Space != "" && t.Name.Space != "rpm" {
				return format.Malformedf("an element is of the namespace %.100q", t.Name.Space)
			}
			if fault := attributesFault(t.Attr); fault != "" {
				return format.Malformedf("the element %.50q has %s", t.Name.Local, fault)
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return format.Malformedf("there is text beside an element: %.100q", t)
			}
		}
	}
	if roots != 1 {
		return format.Malformedf("there are %d elements in place of one", roots)
	}
	if err := xml.Unmarshal(element, into); err != nil {
		return format.Malformedf("an element cannot be read: %.200q", err.Error())
	}
	return nil
}

// attributesFault says what is wrong with attributes, or "".
func attributesFault(attrs []xml.Attr) string {
	for i, attr := range attrs {
		if attr.Name.Space != "" && attr.Name.Space != "rpm" || attr.Name.Local == "xmlns" {
			return "an attribute of a namespace, or one that declares it"
		}
		if slices.ContainsFunc(attrs[:i], func(a xml.Attr) bool { return a.Name == attr.Name }) {
			return "an attribute twice"
		}
	}
	return ""
}

// cleanHref returns the place of a file below its directory.
func cleanHref(href string) (string, error) {
	clean := path.Clean(href)
	if href == "" || clean == "." || clean[0] == '/' || clean == ".." || strings.HasPrefix(clean, "../") || len(clean) > 1500 ||
		strings.ContainsFunc(clean, isControl) || slices.Contains(strings.Split(href, "/"), "..") || strings.Contains(href, "://") ||
		strings.HasSuffix(href, "/") {
		return "", format.Malformedf("%.200q cannot be the location of a file: it is below its directory", href)
	}
	return clean, nil
}

func isControl(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 }

// describeExtra reads a <data> of repomd.xml, which stands in ours as it does there, with a location that tells the digest.
func describeExtra(scope string, element []byte) (format.Foreign, error) {
	var data dataElement
	if err := readElement(element, &data); err != nil {
		return format.Foreign{}, err
	}
	file, err := data.file()
	if err != nil {
		return format.Foreign{}, err
	}
	if data.Type == "" || len(data.Type) > 100 || strings.ContainsFunc(data.Type, isControl) {
		return format.Foreign{}, format.Malformedf("%.100q is no type of metadata", data.Type)
	}
	sum := hex.EncodeToString(file.digest)
	name := path.Base(file.href)
	if !strings.HasPrefix(name, sum) {
		name = sum + "-" + name
	}
	d := document{limit: maxRepomd}
	d.raw("  <data")
	d.attr("type", data.Type)
	d.raw(">\n    <checksum type=\"sha256\">", sum, "</checksum>\n")
	if len(data.OpenChecksum) == 1 && data.OpenChecksum[0].Type == "sha256" {
		d.raw("    <open-checksum type=\"sha256\">")
		d.escape(strings.TrimSpace(data.OpenChecksum[0].Value), false)
		d.raw("</open-checksum>\n")
	}
	d.raw("    <location")
	d.attr("href", repodata+"/"+name)
	d.raw("/>\n")
	for _, field := range []struct{ name, value string }{
		{"timestamp", data.Timestamp}, {"size", data.Size}, {"open-size", data.OpenSize},
	} {
		if value := strings.TrimSpace(field.value); value != "" {
			d.element("    ", field.name, value)
		}
	}
	d.raw("  </data>\n")
	return format.Foreign{
		Package: format.Package{
			Path: path.Join(scope, repodata, name), Name: data.Type, Entries: []format.Entry{{Group: groupExtra, Data: d.bytes}},
		},
		Source: path.Join(scope, file.href), Size: file.size, SHA256: file.digest, Now: true,
	}, nil
}
