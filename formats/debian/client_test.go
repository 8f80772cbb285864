package debian_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/formattest"
	"hallmark/formats/internal/ar"
	"hallmark/formats/internal/deb822"
)

// client returns a client in miniature, which does what apt does: it takes the distributions' InRelease, every index that
// this names, by its digest, and every file that those name.
func client(distributions ...string) func(formattest.Repository) (map[string][sha256.Size]byte, error) {
	return func(r formattest.Repository) (map[string][sha256.Size]byte, error) {
		all := map[string][sha256.Size]byte{}
		for _, d := range distributions {
			got, err := fetchDistribution(r, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", d, err)
			}
			maps.Copy(all, got)
		}
		return all, nil
	}
}

func fetchDistribution(r formattest.Repository, name string) (map[string][sha256.Size]byte, error) {
	root := "dists/" + name + "/"
	release, err := fetchRelease(r, root)
	if err != nil {
		return nil, err
	}
	if release.Get("Suite") != name || release.Get("Codename") != name || release.Get("Acquire-By-Hash") != "yes" {
		return nil, fmt.Errorf("the Release is %v", release)
	}
	named := map[string]sum{}
	for line := range strings.SplitSeq(strings.TrimPrefix(release.Get("SHA256"), "\n"), "\n") {
		words := strings.Fields(line)
		if len(words) != 3 {
			return nil, fmt.Errorf("the Release has a line %q", line)
		}
		named[words[2]] = sum{words[0], words[1]}
	}
	all := map[string][sha256.Size]byte{}
	for _, component := range strings.Fields(release.Get("Components")) {
		names := []string{component + "/source/Sources"}
		for _, arch := range strings.Fields(release.Get("Architectures")) {
			names = append(names, component+"/binary-"+arch+"/Packages")
		}
		for _, name := range names {
			if _, ok := named[name]; !ok && strings.HasSuffix(name, "/Packages") {
				return nil, fmt.Errorf("the Release has no %s", name)
			}
			stanzas, err := fetchStanzas(r, root, name, named)
			if err != nil {
				return nil, err
			}
			for _, s := range stanzas {
				if err := fetchFiles(r, s, all); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// fetchRelease returns what InRelease says, if Release and Release.gpg say the same.
func fetchRelease(r formattest.Repository, root string) (deb822.Stanza, error) {
	inRelease, err := r.Fetch(root + "InRelease")
	if err != nil {
		return nil, err
	}
	text, err := r.Trusted.Clearsigned(inRelease)
	if err != nil {
		return nil, err
	}
	release, err := r.Fetch(root + "Release")
	if err != nil {
		return nil, err
	}
	signature, err := r.Fetch(root + "Release.gpg")
	if err != nil {
		return nil, err
	}
	if err := r.Trusted.Armored(release, signature); err != nil {
		return nil, err
	}
	if !bytes.Equal(text, release) {
		return nil, errors.New("InRelease and Release differ")
	}
	return deb822.Parse(release)
}

// A sum is a digest in hex and a size.
type sum struct{ digest, size string }

func (s sum) check(data []byte) error {
	digest := sha256.Sum256(data)
	if hex.EncodeToString(digest[:]) != s.digest || strconv.Itoa(len(data)) != s.size {
		return fmt.Errorf("there are %d bytes, and not those that were signed", len(data))
	}
	return nil
}

// fetchStanzas returns the stanzas of an index, which must be the same in all of its forms.
func fetchStanzas(r formattest.Repository, root, name string, named map[string]sum) ([]deb822.Stanza, error) {
	var plain []byte
	for _, form := range []string{name, name + ".gz"} {
		want, ok := named[form]
		if !ok {
			return nil, nil
		}
		for _, place := range []string{form, path.Dir(form) + "/by-hash/SHA256/" + want.digest} {
			data, err := r.Fetch(root + place)
			if err == nil {
				err = want.check(data)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", place, err)
			}
			if form != name {
				if data, err = gunzip(data); err != nil {
					return nil, err
				}
			}
			if plain != nil && !bytes.Equal(plain, data) {
				return nil, fmt.Errorf("%s is not %s", place, name)
			}
			plain = data
		}
	}
	var stanzas []deb822.Stanza
	for text := range strings.SplitSeq(strings.TrimSuffix(string(plain), "\n\n"), "\n\n") {
		if text == "" {
			continue
		}
		s, err := deb822.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		stanzas = append(stanzas, s)
	}
	return stanzas, nil
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	return io.ReadAll(r)
}

// fetchFiles fetches the package, or the files of the source, that a stanza names.
func fetchFiles(r formattest.Repository, s deb822.Stanza, all map[string][sha256.Size]byte) error {
	files := map[string]sum{}
	if name := s.Get("Filename"); name != "" {
		files[name] = sum{s.Get("SHA256"), s.Get("Size")}
	} else {
		for line := range strings.SplitSeq(strings.TrimPrefix(s.Get("Checksums-Sha256"), "\n"), "\n") {
			words := strings.Fields(line)
			if len(words) != 3 {
				return fmt.Errorf("the source %s has a line %q", s.Get("Package"), line)
			}
			files[s.Get("Directory")+"/"+words[2]] = sum{words[0], words[1]}
		}
	}
	for name, want := range files {
		data, err := r.Fetch(name)
		if err == nil {
			err = want.check(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[name] = sha256.Sum256(data)
	}
	return nil
}

// debsigVerify does what debsig-verify does, by the format of deb(5) and debsigs(1).
func debsigVerify(r formattest.Repository, name string) error {
	data, err := r.Fetch(name)
	if err != nil {
		return err
	}
	members, err := ar.Members(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(members, func(m ar.Member) bool { return m.Name == "_gpgorigin" })
	if i < 0 {
		return errors.New("the package has no signature")
	}
	var message []byte
	for _, m := range members[:3] {
		message = append(message, data[m.Offset:m.Offset+m.Size]...)
	}
	return r.Trusted.Binary(message, data[members[i].Offset:members[i].Offset+members[i].Size])
}
