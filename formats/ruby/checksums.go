package ruby

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

// maxPacked bounds what is unpacked of metadata.gz and checksums.yaml.gz.
const maxPacked = maxText

// newHash returns a hash by the name that it has in checksums.yaml.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "SHA256":
		return sha256.New()
	case "SHA512":
		return sha512.New()
	case "SHA384":
		return sha512.New384()
	case "SHA1":
		return sha1.New()
	case "MD5":
		return md5.New()
	}
	return nil
}

// checkChecksums compares the files of a gem with its checksums.yaml.gz, if it has one: RubyGems refuses to install a gem in which
// they differ, and computes no other digests than those that stand there.
func (a *archive) checkChecksums() error {
	if !a.has(checksumsFile) {
		return nil
	}
	text, err := a.unpack(checksumsFile)
	if err != nil {
		return err
	}
	root, err := readYAML(checksumsFile, text)
	if err != nil {
		return err
	}
	if root.Kind != yaml.MappingNode || len(root.Content) == 0 {
		return format.Malformedf("%s has no checksums: build the gem with gem build", checksumsFile)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		algorithm, sums := root.Content[i].Value, resolve(root.Content[i+1])
		if newHash(algorithm) == nil || sums.Kind != yaml.MappingNode {
			return format.Malformedf("%s has checksums of the kind %.50q, and SHA256 and SHA512 are what RubyGems writes", checksumsFile, algorithm)
		}
		for j := 0; j+1 < len(sums.Content); j += 2 {
			if err := a.checkSum(algorithm, sums.Content[j].Value, resolve(sums.Content[j+1]).Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *archive) checkSum(algorithm, name, want string) error {
	if name != metadataFile && name != dataFile {
		return format.Malformedf("%s has a checksum of %.100q, which is not in the gem", checksumsFile, name)
	}
	h := newHash(algorithm)
	if _, err := io.Copy(h, a.open(name)); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return format.Malformedf("the gem is damaged: %s has the %s %.12s…, and its checksums say %.12q…: build it again",
			name, algorithm, got, want)
	}
	return nil
}

// digest returns the SHA-256 of a file.
func (a *archive) digest(name string) ([]byte, error) {
	h := sha256.New()
	_, err := io.Copy(h, a.open(name))
	return h.Sum(nil), err
}

// unpack returns what a small file unpacks to.
func (a *archive) unpack(name string) ([]byte, error) {
	r := a.open(name)
	return gunzip(name, r, r.Size())
}

// gunzip returns what a small file of a gem unpacks to.
func gunzip(name string, file io.ReaderAt, size int64) ([]byte, error) {
	r, err := openGzip(name, file, size, maxPacked)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return data, within(name, err)
}

// openGzip unpacks a file of a gem, to at most limit bytes.
func openGzip(name string, file io.ReaderAt, size, limit int64) (io.ReadCloser, error) {
	magic := make([]byte, 2)
	if n, err := file.ReadAt(magic, 0); err != nil && err != io.EOF {
		return nil, err
	} else if n < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil, format.Malformedf("the gem's %s is not compressed with gzip", name)
	}
	r, err := tarball.Decompress(io.NewSectionReader(file, 0, size), limit)
	return r, within(name, err)
}

// checksums returns a checksums.yaml.gz, as RubyGems writes it, of a gemspec as it is packed and of the data of a gem.
func (a *archive) checksums(metadata []byte) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("---\n")
	for _, algorithm := range []string{"SHA256", "SHA512"} {
		ofMetadata, ofData := newHash(algorithm), newHash(algorithm)
		ofMetadata.Write(metadata)
		if _, err := io.Copy(ofData, a.open(dataFile)); err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "%s:\n  %s: %s\n  %s: %s\n", algorithm, metadataFile, quoteSum(ofMetadata), dataFile, quoteSum(ofData))
	}
	return packed(text.Bytes())
}

// quoteSum returns a digest in hex, in quotes where YAML would read a number.
func quoteSum(h hash.Hash) string {
	text := hex.EncodeToString(h.Sum(nil))
	var n yaml.Node
	if yaml.Unmarshal([]byte(text), &n) != nil || n.Content[0].ShortTag() != "!!str" {
		return "'" + text + "'"
	}
	return text
}

// packed returns data compressed with gzip. The same data gives the same bytes.
func packed(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

// within says in which file of a gem a fault is.
func within(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s of the gem: %w", name, err)
	}
	return nil
}
