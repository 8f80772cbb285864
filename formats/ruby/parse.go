package ruby

import (
	"archive/tar"
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/base64"
	"io"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const (
	maxData  = 16 << 30 // bytes that a gem unpacks to
	maxFiles = 250_000
)

// The groups of entries: those of a gem's info, and those of the older index, which are in the shard "".
const (
	groupInfo       = "info"
	groupReleases   = "specs"
	groupPrerelease = "prerelease"
)

// Parse reads a gem. The first time it reads it to its end, compares its checksums, and verifies the signatures that it came with.
// The shard is the gem's name.
func (f *Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	a, err := openArchive(b)
	if err != nil {
		return format.Package{}, err
	}
	s, err := a.gemspec()
	if err != nil {
		return format.Package{}, err
	}
	if sigs == nil {
		if err := a.check(s); err != nil {
			return format.Package{}, err
		}
	}
	if given := op.Name; given != "" && given != s.file()+gemExtension {
		return format.Package{}, format.Malformedf("the gem in the file is %.200s: put it to %.200s, and not to a file called %.100q",
			s.file(), s.path(), given)
	}
	quick, err := deflated(s.marshal())
	if err != nil {
		return format.Package{}, err
	}
	beside := []format.Beside{{Path: s.quick(), Data: quick}}
	if text := op.Marks[markAuthor]; text != "" {
		author, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return format.Package{}, format.Malformedf("the mark %s is not in base64", markAuthor)
		}
		beside = append(beside, format.Beside{Path: s.path() + authorExtension, Data: author})
	}
	return format.Package{
		Path: s.path(), Name: s.name, Version: s.version, Arch: s.platform, Shard: s.name,
		Entries: []format.Entry{
			{Group: groupInfo, Data: s.info(b.Digest(crypto.SHA256))},
			{Group: s.specsGroup(), Data: s.tuple(), Root: true},
		},
		Beside: beside,
	}, nil
}

// specsGroup returns the group of the older index that the gem stands in.
func (id identity) specsGroup() string {
	if isPrerelease(id.version) {
		return groupPrerelease
	}
	return groupReleases
}

// gemspec reads metadata.gz.
func (a *archive) gemspec() (gemspec, error) {
	text, err := a.unpack(metadataFile)
	if err != nil {
		return gemspec{}, err
	}
	return readGemspec(text)
}

// check reads all of a gem.
func (a *archive) check(s gemspec) error {
	if err := a.checkChecksums(); err != nil {
		return err
	}
	if err := a.checkSignatures(s.chain); err != nil {
		return err
	}
	return a.checkData()
}

// checkData reads data.tar.gz to its end, so that one that is damaged or leads out of its folder is refused.
func (a *archive) checkData() error {
	file := a.open(dataFile)
	r, err := openGzip(dataFile, file, file.Size(), maxData)
	if err != nil {
		return err
	}
	defer r.Close()
	err = tarball.Walk(r, tarball.Limits{Entries: maxFiles, Size: maxData}, func(*tar.Header, io.Reader) error { return nil })
	return within(dataFile, err)
}

// deflated returns data as Zlib::Deflate makes it (RFC 1950).
func deflated(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}
