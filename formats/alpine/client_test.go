package alpine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

// members takes a file apart at the ends of its gzip members.
func members(data []byte) (raw, plain [][]byte, err error) {
	r := bytes.NewReader(data)
	for r.Len() > 0 {
		start := len(data) - r.Len()
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		z.Multistream(false)
		content, err := io.ReadAll(z)
		if err != nil {
			return nil, nil, err
		}
		raw, plain = append(raw, data[start:len(data)-r.Len()]), append(plain, content)
	}
	return raw, plain, nil
}

// files reads a tar archive that may lack its end.
func files(archive []byte) (names []string, contents map[string]string, err error) {
	contents = map[string]string{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return names, contents, nil
		}
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, err
		}
		names, contents[h.Name] = append(names, h.Name), string(data)
	}
}

// verifySigned takes the first signature by a key that the client has, as apk does, and verifies it over a member.
func verifySigned(trusted formattest.Trusted, signatures, message []byte) error {
	names, contents, err := files(signatures)
	if err != nil {
		return err
	}
	for _, name := range names {
		kind, file := scheme.RSASHA256, strings.TrimPrefix(name, ".SIGN.RSA256.")
		if file == name {
			kind, file = scheme.RSASHA1, strings.TrimPrefix(name, ".SIGN.RSA.")
		}
		if file == name {
			return fmt.Errorf("%s is no signature that apk knows", name)
		}
		for _, key := range trusted.Keys() {
			if key.File == file {
				return trusted.RSA(file, kind, message, []byte(contents[name]))
			}
		}
	}
	return fmt.Errorf("UNTRUSTED signature: %w", formattest.ErrSignature)
}

// readIndex returns the entries of a signed index. apk 3 refuses one that is not exactly two members.
func readIndex(trusted formattest.Trusted, data []byte) ([]map[byte]string, error) {
	raw, plain, err := members(data)
	if err != nil {
		return nil, err
	}
	if len(raw) != 2 {
		return nil, fmt.Errorf("the index has %d members", len(raw))
	}
	if err := verifySigned(trusted, plain[0], raw[1]); err != nil {
		return nil, err
	}
	names, contents, err := files(plain[1])
	if err != nil || !slices.Equal(names, []string{"APKINDEX"}) {
		return nil, fmt.Errorf("the index holds %q: %v", names, err)
	}
	text := contents["APKINDEX"]
	if text == "" {
		return nil, nil
	}
	if !strings.HasSuffix(text, "\n\n") {
		return nil, errors.New("the last entry has no end")
	}
	var entries []map[byte]string
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		entry := map[byte]string{}
		for line := range strings.SplitSeq(block, "\n") {
			if len(line) < 2 || line[1] != ':' || !strings.Contains("CPVASITULomtckDpi", line[:1]) || entry[line[0]] != "" {
				return nil, fmt.Errorf("the index has the line %q", line)
			}
			entry[line[0]] = line[2:]
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// checkPackage does what apk does with a package that a signed index names.
func checkPackage(entry map[byte]string, data []byte) error {
	if fmt.Sprint(len(data)) != entry['S'] {
		return fmt.Errorf("the package has %d bytes and the index says %s", len(data), entry['S'])
	}
	raw, plain, err := members(data)
	if err != nil {
		return err
	}
	for len(plain) > 0 && bytes.HasPrefix(plain[0], []byte(".SIGN.")) {
		raw, plain = raw[1:], plain[1:]
	}
	if len(raw) != 2 {
		return fmt.Errorf("the package has %d members besides those with signatures", len(raw))
	}
	sum := sha1.Sum(raw[0])
	if got := "Q1" + base64.StdEncoding.EncodeToString(sum[:]); got != entry['C'] {
		return fmt.Errorf("the package is %s and the index says %s", got, entry['C'])
	}
	_, contents, err := files(plain[0])
	if err != nil {
		return err
	}
	hash := sha256.Sum256(raw[1])
	info := contents[".PKGINFO"]
	for _, line := range []string{"pkgname = " + entry['P'], "pkgver = " + entry['V'], "arch = " + entry['A'], "datahash = " + hex.EncodeToString(hash[:])} {
		if !strings.Contains(info, line+"\n") {
			return fmt.Errorf(".PKGINFO has no line %q", line)
		}
	}
	return nil
}

// folders are those of the repository that a client in miniature uses, each with two architectures.
var folders = []string{"", "edge/main"}

// client does what "apk update" and "apk add" of all packages do on two machines. A folder that was never uploaded to is
// none of the repository's.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	for _, folder := range folders {
		for _, arch := range []string{"x86_64", "aarch64"} {
			data, err := r.Fetch(path.Join(folder, arch, "APKINDEX.tar.gz"))
			if folder != "" && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			entries, err := readIndex(r.Trusted, data)
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				name := entry['P'] + "-" + entry['V'] + ".apk"
				if entry['A'] != arch && entry['A'] != "noarch" {
					return nil, fmt.Errorf("%s is listed for %s and is for %s", name, arch, entry['A'])
				}
				// apk asks for it below its own architecture, where Route finds it.
				data, err := r.Fetch(path.Join(folder, arch, name))
				if err != nil {
					return nil, err
				}
				if err := checkPackage(entry, data); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				all[path.Join(folder, entry['A'], name)] = sha256.Sum256(data)
			}
		}
	}
	return all, nil
}

// verify does what "apk add ./file.apk" does.
func verify(r formattest.Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	raw, plain, err := members(data)
	if err != nil {
		return err
	}
	if len(raw) != 3 {
		return fmt.Errorf("the package has %d members: %w", len(raw), formattest.ErrSignature)
	}
	return verifySigned(r.Trusted, plain[0], raw[1])
}
