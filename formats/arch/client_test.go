package arch_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
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

	"github.com/klauspost/compress/zstd"
)

// sections reads a file of a database.
func sections(text string) (map[string][]string, error) {
	all := map[string][]string{}
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n\n") {
		lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
		name := strings.Trim(lines[0], "%")
		if len(lines) < 2 || lines[0] != "%"+name+"%" || all[name] != nil {
			return nil, fmt.Errorf("the section %q", block)
		}
		all[name] = lines[1:]
	}
	return all, nil
}

// readDatabase returns the packages of a database, by their folders. The database is one gzip member.
func readDatabase(data []byte, wanted ...string) (map[string]map[string][]string, error) {
	r := bytes.NewReader(data)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	plain, err := io.ReadAll(z)
	if err != nil || r.Len() > 0 {
		return nil, fmt.Errorf("%d bytes behind the database: %w", r.Len(), err)
	}
	packages := map[string]map[string][]string{}
	seen := map[string][]string{}
	for archive := tar.NewReader(bytes.NewReader(plain)); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		folder, file := path.Split(h.Name)
		seen[folder] = append(seen[folder], file)
		all, err := sections(string(text))
		if err != nil && string(text) != "%FILES%\n" {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		if file == "desc" {
			packages[folder] = all
		}
	}
	for folder, names := range seen {
		p := packages[folder]
		if !slices.Equal(names, wanted) || p == nil || folder != p["NAME"][0]+"-"+p["VERSION"][0]+"/" {
			return nil, fmt.Errorf("%s holds %q of %v", folder, names, p)
		}
	}
	return packages, nil
}

// databases are those that a client in miniature uses, by their folders.
var databases = map[string]string{"": "conformance.test", "testing/extra": "extra"}

// client does what "pacman -Sy", "pacman -Fy" and the installation of all packages do on two machines. A folder that was
// never uploaded to is none of the repository's.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	for folder, name := range databases {
		for _, machine := range []string{"x86_64", "aarch64"} {
			base := path.Join(folder, machine, name)
			packages, err := fetchDatabase(r, base+".db", "desc")
			if folder != "" && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if _, err := fetchDatabase(r, base+".files", "desc", "files"); err != nil {
				return nil, err
			}
			for _, p := range packages {
				place, sum, err := fetchPackage(r, folder, machine, p)
				if err != nil {
					return nil, err
				}
				all[place] = sum
			}
		}
	}
	return all, nil
}

// fetchDatabase fetches one of the databases and its signature, under the name that pacman uses.
func fetchDatabase(r formattest.Repository, p string, wanted ...string) (map[string]map[string][]string, error) {
	data, err := r.Fetch(p)
	if err != nil {
		return nil, err
	}
	sig, err := r.Fetch(p + ".sig")
	if err != nil {
		return nil, err
	}
	if err := r.Trusted.EveryBinary(data, sig); err != nil {
		return nil, err
	}
	return readDatabase(data, wanted...)
}

// fetchPackage fetches a package and checks what the database says of it.
func fetchPackage(r formattest.Repository, folder, machine string, p map[string][]string) (string, [sha256.Size]byte, error) {
	fail := func(err error) (string, [sha256.Size]byte, error) { return "", [sha256.Size]byte{}, err }
	arch := p["ARCH"][0]
	if arch != machine && arch != "any" {
		return fail(fmt.Errorf("%s is listed for %s and is for %s", p["FILENAME"], machine, arch))
	}
	// pacman asks for it below its own architecture, where Route finds it.
	place := path.Join(folder, arch, p["FILENAME"][0])
	data, err := r.Fetch(path.Join(folder, machine, p["FILENAME"][0]))
	if err != nil {
		return fail(err)
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != p["SHA256SUM"][0] || fmt.Sprint(len(data)) != p["CSIZE"][0] {
		return fail(fmt.Errorf("%s is another than the one that the database lists", place))
	}
	sig, err := packageSignature(r, path.Join(folder, machine, p["FILENAME"][0])+".sig", p["PGPSIG"])
	if err != nil {
		return fail(err)
	}
	return place, sum, r.Trusted.EveryBinary(data, sig)
}

// packageSignature returns the signature that a database holds of a package, or else the one beside it.
func packageSignature(r formattest.Repository, beside string, held []string) ([]byte, error) {
	if len(held) == 0 {
		return r.Fetch(beside)
	}
	return base64.StdEncoding.DecodeString(held[0])
}

// verify does what "pacman -U" does with the address of a package.
func verify(r formattest.Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	sig, err := r.Fetch(p + ".sig")
	if err != nil {
		return fmt.Errorf("%w: %w", formattest.ErrSignature, err)
	}
	return r.Trusted.EveryBinary(data, sig)
}

// forgiving takes a package for a database as libalpm does: whatever its compression, each entry by itself, and those that it
// does not know are passed over.
func forgiving(data []byte) (found []string) {
	var r io.Reader = bytes.NewReader(data)
	switch {
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil
		}
		r = z
	case bytes.HasPrefix(data, []byte("\x28\xb5")):
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil
		}
		defer z.Close()
		r = z
	}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err != nil {
			return found
		}
		folder, _, inside := strings.Cut(h.Name, "/")
		if inside && strings.Count(folder, "-") >= 2 && slices.Contains([]string{"desc", "depends", "files"}, path.Base(h.Name)) {
			found = append(found, h.Name)
		}
	}
}
