package helm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/formattest"
)

// client does what gpgv and helm repo update do, and fetches every chart that the index lists. That helm does not compare its
// digest, gpgv's user does.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	data, err := r.Fetch("index.yaml")
	if err != nil {
		return nil, err
	}
	sig, err := r.Fetch("index.yaml.asc")
	if err != nil {
		return nil, err
	}
	if err := r.Trusted.Armored(data, sig); err != nil {
		return nil, err
	}
	type entry struct {
		APIVersion string `json:"apiVersion"`
		Name       string
		Version    string
		URLs       []string
		Digest     string
	}
	var index struct {
		APIVersion string `json:"apiVersion"`
		Entries    map[string][]entry
		Generated  string
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, err
	}
	if index.APIVersion != "v1" || index.Generated == "" {
		return nil, fmt.Errorf("the index is of %q and of %q", index.APIVersion, index.Generated)
	}
	found := map[string][sha256.Size]byte{}
	for name, versions := range index.Entries {
		for _, e := range versions {
			file := e.Name + "-" + e.Version + ".tgz"
			if len(e.URLs) != 1 || e.URLs[0] != file || e.Name != name || e.APIVersion != "v2" {
				return nil, fmt.Errorf("the entry %+v of %s", e, name)
			}
			data, err := r.Fetch(file)
			if err != nil {
				return nil, err
			}
			found[file] = sha256.Sum256(data)
			if sum := found[file]; hex.EncodeToString(sum[:]) != e.Digest {
				return nil, fmt.Errorf("%s is not the chart that the index lists", file)
			}
		}
	}
	return found, nil
}

// verify does what helm verify does (Verify of helm's pkg/provenance), with our provenance also where an author's stands.
func verify(r formattest.Repository, path string) error {
	data, err := r.Fetch(path)
	if err != nil {
		return err
	}
	prov, err := r.Fetch(path + ".prov")
	if _, authors := r.Fetch(path + ".author.prov"); authors == nil {
		prov, err = r.Fetch(path + ".repository.prov")
	}
	if err != nil {
		return err
	}
	text, err := r.Trusted.Clearsigned(prov)
	if err != nil {
		return err
	}
	parts := bytes.Split(text, []byte("\n...\n"))
	if len(parts) < 2 {
		return errors.New("message block must have at least two parts")
	}
	var sums struct{ Files map[string]string }
	var about struct{ Name, Version string }
	if err := errors.Join(yaml.Unmarshal(parts[0], &about), yaml.Unmarshal(parts[1], &sums)); err != nil {
		return err
	}
	sum, ok := sums.Files[path]
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); !ok || sum != want || about.Name+"-"+about.Version+".tgz" != path {
		return fmt.Errorf("sha256 sum does not match for %s: %q != %q", path, want, sum)
	}
	return nil
}

// charts asks ChartMuseum's API.
func charts(h *formattest.House, path string) (string, error) {
	data, err := h.Fetch(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}
