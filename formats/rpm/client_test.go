package rpm_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
)

// folders are the directories to which the conformance test uploads.
var folders = map[string]string{"x86_64": "el9/x86_64", "noarch": ""}

// A repomdFile is repomd.xml as clients read it.
type repomdFile struct {
	XMLName  xml.Name `xml:"http://linux.duke.edu/metadata/repo repomd"`
	Revision int64    `xml:"revision"`
	Data     []struct {
		Type     string   `xml:"type,attr"`
		Checksum checksum `xml:"checksum"`
		Location location `xml:"location"`
		Size     int      `xml:"size"`
		Time     int64    `xml:"timestamp"`
	} `xml:"data"`
}

type checksum struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

type location struct {
	Href string `xml:"href,attr"`
}

// A primaryFile is the primary metadata.
type primaryFile struct {
	XMLName  xml.Name `xml:"http://linux.duke.edu/metadata/common metadata"`
	Count    int      `xml:"packages,attr"`
	Packages []struct {
		Name     string   `xml:"name"`
		Checksum checksum `xml:"checksum"`
		Location location `xml:"location"`
		Size     struct {
			Package int `xml:"package,attr"`
		} `xml:"size"`
		Format struct {
			Range struct {
				Start int `xml:"start,attr"`
				End   int `xml:"end,attr"`
			} `xml:"header-range"`
		} `xml:"format"`
	} `xml:"package"`
}

// A listFile is the filelists or the other metadata.
type listFile struct {
	XMLName  xml.Name
	Count    int `xml:"packages,attr"`
	Packages []struct {
		ID string `xml:"pkgid,attr"`
	} `xml:"package"`
}

// client follows the signed index of all directories to every package.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	found := map[string][sha256.Size]byte{}
	for _, dir := range folders {
		if err := follow(r, dir, found); err != nil {
			return nil, fmt.Errorf("directory %q: %w", dir, err)
		}
	}
	return found, nil
}

func follow(r formattest.Repository, dir string, found map[string][sha256.Size]byte) error {
	index, err := r.Fetch(path.Join(dir, "repodata/repomd.xml"))
	if err != nil {
		return err
	}
	signature, err := r.Fetch(path.Join(dir, "repodata/repomd.xml.asc"))
	if err != nil {
		return err
	}
	if err := r.Trusted.Armored(index, signature); err != nil {
		return err
	}
	var repomd repomdFile
	if err := xml.Unmarshal(index, &repomd); err != nil {
		return err
	}
	metadata := map[string][]byte{}
	for _, data := range repomd.Data {
		packed, err := fetch(r, dir, data.Location, data.Checksum, data.Size)
		if err != nil {
			return err
		}
		gz, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		if metadata[data.Type], err = io.ReadAll(gz); err != nil {
			return err
		}
	}
	var main primaryFile
	if err := xml.Unmarshal(metadata["primary"], &main); err != nil {
		return fmt.Errorf("primary: %w", err)
	}
	var ids []string
	for _, p := range main.Packages {
		data, err := fetch(r, dir, p.Location, p.Checksum, p.Size.Package)
		if err != nil {
			return err
		}
		f, err := rpmfile.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return err
		}
		if int(f.HeaderOffset) != p.Format.Range.Start || int(f.PayloadOffset) != p.Format.Range.End {
			return fmt.Errorf("the header of %s is not at %v", p.Location.Href, p.Format.Range)
		}
		found[path.Join(dir, p.Location.Href)] = sha256.Sum256(data)
		ids = append(ids, p.Checksum.Value)
	}
	if main.Count != len(ids) {
		return fmt.Errorf("primary says %d packages and has %d", main.Count, len(ids))
	}
	for _, kind := range []string{"filelists", "other"} {
		var list listFile
		if err := xml.Unmarshal(metadata[kind], &list); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		var others []string
		for _, p := range list.Packages {
			others = append(others, p.ID)
		}
		if !slices.Equal(ids, others) || list.Count != len(ids) {
			return fmt.Errorf("%s does not have the packages of primary", kind)
		}
	}
	return nil
}

// fetch gets a file and compares it with what the index says.
func fetch(r formattest.Repository, dir string, at location, sum checksum, size int) ([]byte, error) {
	if at.Href == "" {
		return nil, errors.New("a file without a location")
	}
	data, err := r.Fetch(path.Join(dir, at.Href))
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	if sum.Type != "sha256" || sum.Value != hex.EncodeToString(digest[:]) || size != len(data) {
		return nil, fmt.Errorf("%s is not what the index says", at.Href)
	}
	return data, nil
}

// verify does what rpmkeys does: the digests agree, and the signature over the header is by a key that is trusted.
func verify(r formattest.Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	header, signature, err := signed(data)
	if err != nil {
		return err
	}
	return r.Trusted.EveryBinary(header, signature)
}

// signed returns the main header of a sound package and its only signature.
func signed(data []byte) (header, signature []byte, err error) {
	b := bytes.NewReader(data)
	f, err := rpmfile.Read(b, b.Size())
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(f.CheckHeader(), f.CheckPayload(b)); err != nil {
		return nil, nil, err
	}
	for _, tag := range []rpmfile.Tag{rpmfile.SigDSA, rpmfile.SigRSA} {
		value, err := f.Signature.Bytes(tag)
		switch {
		case err != nil:
			return nil, nil, err
		case value != nil && signature != nil:
			return nil, nil, errors.New("the package has two signatures, of which rpm wants both keys")
		case value != nil:
			signature = value
		}
	}
	if signature == nil {
		return nil, nil, errors.New("the package has no signature")
	}
	return data[f.HeaderOffset:f.PayloadOffset], signature, nil
}
