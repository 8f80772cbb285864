package rpm

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// A repomdIndex is what the repomd.xml of an upstream says.
type repomdIndex struct {
	order int64
	files map[string]repomdData // primary, filelists and other
	extra [][]byte              // the <data> elements that are kept as they are
}

// A repomdData is a file that a repomd.xml names.
type repomdData struct {
	href   string
	digest []byte
	size   int64
}

// A dataElement is the XML of it.
type dataElement struct {
	Type         string      `xml:"type,attr"`
	Checksum     []xmlDigest `xml:"checksum"`
	OpenChecksum []xmlDigest `xml:"open-checksum"`
	Location     []struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
	Timestamp string `xml:"timestamp"`
	Size      string `xml:"size"`
	OpenSize  string `xml:"open-size"`
}

type xmlDigest struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

// sha256 returns the digest. The index is followed by SHA-256 alone.
func (d xmlDigest) sha256() ([]byte, error) {
	if d.Type != "sha256" {
		return nil, format.Malformedf("a checksum is of the type %.50q, and sha256 alone is known: "+
			"make the metadata with createrepo_c --checksum sha256", d.Type)
	}
	digest, err := hex.DecodeString(strings.TrimSpace(d.Value))
	if err != nil || len(digest) != 32 {
		return nil, format.Malformedf("%.100q is no SHA-256 in hex", d.Value)
	}
	return digest, nil
}

// parseRepomd reads a repomd.xml.
func parseRepomd(text []byte) (*repomdIndex, error) {
	index := &repomdIndex{files: map[string]repomdData{}}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = noCharset
	revision, newest := "", int64(0)
	depth := 0
	for {
		start := d.InputOffset()
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, format.Malformedf("it is no XML: %.200q", err.Error())
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, format.Malformedf("it has a document type")
		case xml.ProcInst:
			if t.Target != "xml" || start != 0 {
				return nil, format.Malformedf("it has a processing instruction")
			}
		case xml.EndElement:
			depth--
		case xml.StartElement:
			switch {
			case depth == 0 && t.Name.Local == "repomd":
				depth++
			case depth == 1 && t.Name.Local == "revision":
				if err := d.DecodeElement(&revision, &t); err != nil {
					return nil, format.Malformedf("its revision cannot be read: %.200q", err.Error())
				}
			case depth == 1 && t.Name.Local == "data":
				var data dataElement
				if err := d.DecodeElement(&data, &t); err != nil {
					return nil, format.Malformedf("its data cannot be read: %.200q", err.Error())
				}
				stamp, _ := strconv.ParseFloat(strings.TrimSpace(data.Timestamp), 64)
				newest = max(newest, int64(min(max(stamp, 0), 1<<53)))
				if err := index.add(data, text[start:d.InputOffset()]); err != nil {
					return nil, err
				}
			case depth == 1:
				if err := d.Skip(); err != nil {
					return nil, format.Malformedf("it is no XML: %.200q", err.Error())
				}
			default:
				return nil, format.Malformedf("it has the root %.100q", t.Name.Local)
			}
		}
	}
	for _, kind := range [...]string{primary, filelists, other} {
		if _, ok := index.files[kind]; !ok {
			return nil, format.Malformedf("it names no %s", kind)
		}
	}
	// Where the revision is no number, the newest file tells the order.
	order, err := strconv.ParseInt(strings.TrimSpace(revision), 10, 64)
	if index.order = order; err != nil || order < 0 {
		index.order = newest
	}
	return index, nil
}

// add takes a file that repomd.xml names.
func (x *repomdIndex) add(data dataElement, raw []byte) error {
	switch kind := data.Type; {
	case kind == primary || kind == filelists || kind == other:
		if _, twice := x.files[kind]; twice {
			return format.Malformedf("it names %s twice", kind)
		}
		file, err := data.file()
		if err != nil {
			return err
		}
		x.files[kind] = file
	case strings.HasSuffix(kind, "_db"), strings.HasSuffix(kind, "_zck"), kind == "prestodelta", kind == "filelists-ext":
	default:
		x.extra = append(x.extra, raw)
	}
	return nil
}

// file returns what of an element is needed to fetch the file.
func (data dataElement) file() (repomdData, error) {
	if len(data.Checksum) != 1 || len(data.Location) != 1 {
		return repomdData{}, format.Malformedf("it does not name one location and one checksum of %.50q", data.Type)
	}
	digest, err := data.Checksum[0].sha256()
	if err != nil {
		return repomdData{}, err
	}
	href, err := cleanHref(data.Location[0].Href)
	if err != nil {
		return repomdData{}, err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(data.Size), 10, 64)
	if err != nil || size < 0 {
		return repomdData{}, format.Malformedf("the size of %.50q is %.50q", data.Type, data.Size)
	}
	return repomdData{href, digest, size}, nil
}
