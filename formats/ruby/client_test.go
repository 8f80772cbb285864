package ruby_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/formattest"
)

// follow follows the compact index by its signatures to every gem, and sees that the older index lists as many.
func follow(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	versions, err := signed(r, "versions")
	if err != nil {
		return nil, err
	}
	names, err := signed(r, "names")
	if err != nil {
		return nil, err
	}
	found := map[string][sha256.Size]byte{}
	for _, line := range lines(versions) {
		name, rest, _ := strings.Cut(line, " ")
		numbers, sum, _ := strings.Cut(rest, " ")
		if !strings.Contains("\n"+names, "\n"+name+"\n") {
			return nil, fmt.Errorf("names does not have %s", name)
		}
		info, err := signed(r, "info/"+name)
		if err != nil {
			return nil, err
		}
		if fmt.Sprintf("%x", md5.Sum([]byte(info))) != sum {
			return nil, fmt.Errorf("info/%s is not what versions says", name)
		}
		if err := followInfo(r, name, strings.Split(numbers, ","), info, found); err != nil {
			return nil, err
		}
	}
	count := 0
	for _, list := range []string{"specs.4.8.gz", "prerelease_specs.4.8.gz"} {
		text, err := signed(r, list)
		if err != nil {
			return nil, err
		}
		count += strings.Count(text, "Gem::Version")
	}
	if count != len(found) {
		return nil, fmt.Errorf("the older index lists %d gems, and the compact one %d", count, len(found))
	}
	_, err = signed(r, "latest_specs.4.8.gz")
	return found, err
}

// followInfo fetches the gems of info/NAME, as bundler and newer versions of gem check them.
func followInfo(r formattest.Repository, name string, numbers []string, info string, found map[string][sha256.Size]byte) error {
	all := lines(info)
	if len(all) != len(numbers) {
		return fmt.Errorf("info/%s has %d lines, and versions says %d", name, len(all), len(numbers))
	}
	for i, line := range all {
		number, rest, _ := strings.Cut(line, " ")
		_, about, _ := strings.Cut(rest, "|")
		want, err := hex.DecodeString(strings.TrimPrefix(strings.Split(about, ",")[0], "checksum:"))
		if err != nil || number != numbers[i] {
			return fmt.Errorf("info/%s has the line %q", name, line)
		}
		p := "gems/" + name + "-" + number + ".gem"
		data, err := r.Fetch(p)
		if err != nil {
			return err
		}
		got := sha256.Sum256(data)
		if string(got[:]) != string(want) {
			return fmt.Errorf("%s is not the gem that was signed", p)
		}
		found[p] = got
	}
	return nil
}

// signed fetches a file of the index, verifies the signature beside it and unpacks it.
func signed(r formattest.Repository, p string) (string, error) {
	data, err := r.Fetch(p)
	if err != nil {
		return "", err
	}
	sig, err := r.Fetch(p + ".asc")
	if err != nil {
		return "", err
	}
	if err := r.Trusted.Armored(data, sig); err != nil {
		return "", err
	}
	if strings.HasSuffix(p, ".gz") {
		data, err = unzip(data)
	}
	return string(data), err
}

func unzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// lines returns the lines behind the head.
func lines(text string) []string {
	_, body, _ := strings.Cut(text, "---\n")
	return strings.Split(strings.TrimSuffix(body, "\n"), "\n")[:strings.Count(body, "\n")]
}

// verifyHigh verifies a gem as "gem install -P HighSecurity" does (lib/rubygems/security/policy.rb).
func verifyHigh(r formattest.Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	files, sigs, err := readGem(data)
	if err != nil {
		return err
	}
	text, err := unzip(files["metadata.gz"])
	if err != nil {
		return err
	}
	var metadata struct {
		Chain []string `yaml:"cert_chain"`
	}
	if err := yaml.Unmarshal(text, &metadata); err != nil {
		return err
	}
	if len(sigs) == 0 || len(metadata.Chain) != 1 {
		return errors.New("unsigned gems are not allowed")
	}
	block, _ := pem.Decode([]byte(metadata.Chain[0]))
	if block == nil {
		return errors.New("the chain has no certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	trusted := false
	for _, t := range r.Trusted.Certificates() {
		trusted = trusted || t.Subject.String() == c.Subject.String() && bytes.Equal(t.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
	}
	if !trusted {
		return fmt.Errorf("root cert %s is not trusted: %w", c.Subject, formattest.ErrSignature)
	}
	for name, data := range files {
		sum := sha256.Sum256(data)
		if err := c.CheckSignature(x509.SHA256WithRSA, sum[:], sigs[name]); err != nil {
			return fmt.Errorf("%s: %w: %w", name, formattest.ErrSignature, err)
		}
	}
	return nil
}

// readGem returns the files of a gem's archive, and the signatures by the names of the files.
func readGem(data []byte) (files, sigs map[string][]byte, err error) {
	files, sigs = map[string][]byte{}, map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, sigs, nil
		}
		if err != nil {
			return nil, nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, err
		}
		if name, ok := strings.CutSuffix(h.Name, ".sig"); ok {
			sigs[name] = content
		} else {
			files[h.Name] = content
		}
	}
}
