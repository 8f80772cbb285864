package nuget_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"

	"hallmark/formats/formattest"
	"hallmark/formats/nuget/nugettest"
)

// strictly reads JSON that holds what is known and nothing else.
func strictly(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON")
	}
	return nil
}

const root = "http://127.0.0.1:8080/conformance.test/"

// below returns the path of an address of the repository.
func below(address string) (string, error) {
	at, ok := strings.CutPrefix(address, root)
	if !ok {
		return "", fmt.Errorf("the address %q is elsewhere", address)
	}
	return at, nil
}

// resources reads the service index.
func resources(r formattest.Repository) (map[string]string, error) {
	data, err := r.Fetch("v3/index.json")
	if err != nil {
		return nil, err
	}
	var index struct {
		Version   string
		Resources []struct {
			ID   string `json:"@id"`
			Type string `json:"@type"`
		}
	}
	if err := strictly(data, &index); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, resource := range index.Resources {
		if all[resource.Type], err = below(resource.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ids are those of the packages that a client wants.
func ids() []string {
	all := []string{"Pushed.Package", "Put_Package"}
	for c := 'a'; c <= 'z'; c++ {
		all = append(all, "pkg"+string(c))
	}
	return all
}

// client does what the installation of packages in all of their versions does, with signatureValidationMode "require" where the
// repository says that it has signed all packages. It goes by the signed lists besides, and wants search to find what it has
// installed.
func client(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	at, err := resources(r)
	if err != nil {
		return nil, err
	}
	data, err := r.Fetch("v3/repository-signatures/index.json")
	if err != nil {
		return nil, err
	}
	var signers struct {
		AllRepositorySigned *bool
		SigningCertificates []any
	}
	if err := strictly(data, &signers); err != nil || signers.AllRepositorySigned == nil {
		return nil, fmt.Errorf("nobody says who has signed: %v", err)
	}
	all := map[string][sha256.Size]byte{}
	found := 0
	for _, id := range ids() {
		of, err := install(r, at, id, *signers.AllRepositorySigned)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found++
		maps.Copy(all, of)
	}
	if data, err = r.Fetch(at["SearchQueryService/3.5.0"] + "?q=&prerelease=true&take=100&semVerLevel=2.0.0"); err != nil {
		return nil, err
	}
	var search struct {
		TotalHits int
		Data      []struct{ ID string }
	}
	if err := json.Unmarshal(data, &search); err != nil || search.TotalHits != found || len(search.Data) != found {
		return nil, fmt.Errorf("search finds %d of %d packages: %v", search.TotalHits, found, err)
	}
	return all, nil
}

// install fetches all versions of a package. The error wraps fs.ErrNotExist if there is no such package.
func install(r formattest.Repository, at map[string]string, id string, signed bool) (map[string][sha256.Size]byte, error) {
	folder := strings.ToLower(id)
	versions, err := versions(r, at["PackageBaseAddress/3.0.0"]+folder+"/index.json")
	if err != nil {
		return nil, err
	}
	registered, err := registered(r, at["RegistrationsBaseUrl/3.6.0"]+folder+"/index.json", id)
	if err != nil {
		return nil, fmt.Errorf("the registration: %v", err)
	}
	digests, err := digests(r, at["PackageBaseAddress/3.0.0"]+folder+"/packages.jsonl", id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no signed list: %v", err)
	}
	if err != nil {
		return nil, err
	}
	if len(registered) != len(versions) || len(digests) != len(versions) {
		return nil, fmt.Errorf("%s has %d versions, %d are registered, and %d are signed", id, len(versions), len(registered), len(digests))
	}
	all := map[string][sha256.Size]byte{}
	for _, version := range versions {
		p := at["PackageBaseAddress/3.0.0"] + folder + "/" + version + "/" + folder + "." + version + ".nupkg"
		if registered[version] != p {
			return nil, fmt.Errorf("%s is registered as %q", p, registered[version])
		}
		data, err := r.Fetch(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", p, err)
		}
		if err := verifyPackage(r, data); err != nil && signed {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		sum := sha256.Sum256(data)
		if all[p] = sum; digests[version] != hex.EncodeToString(sum[:]) {
			return nil, fmt.Errorf("%s is not the package that was signed", p)
		}
	}
	return all, nil
}

func versions(r formattest.Repository, p string) ([]string, error) {
	data, err := r.Fetch(p)
	if err != nil {
		return nil, err
	}
	var list struct{ Versions []string }
	return list.Versions, strictly(data, &list)
}

// digests returns the SHA-256 of the versions of a package, as the signed list has them.
func digests(r formattest.Repository, p, id string) (map[string]string, error) {
	data, err := r.Fetch(p)
	if err != nil {
		return nil, err
	}
	signature, err := r.Fetch(p + ".asc")
	if err != nil {
		return nil, err
	}
	if err := r.Trusted.Armored(data, signature); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range bytes.Lines(data) {
		var of struct{ ID, Version, SHA256 string }
		if err := json.Unmarshal(line, &of); err != nil || of.ID != id {
			return nil, fmt.Errorf("the line %q: %v", line, err)
		}
		version, _, _ := strings.Cut(strings.ToLower(of.Version), "+")
		all[version] = of.SHA256
	}
	return all, nil
}

// registered returns the addresses of the versions of a package, as the client's resolver has them.
func registered(r formattest.Repository, p, id string) (map[string]string, error) {
	data, err := r.Fetch(p)
	if err != nil {
		return nil, err
	}
	type leaf struct {
		CatalogEntry struct {
			ID, Version string
			Listed      bool
			Published   string
		}
		PackageContent string
	}
	var index struct {
		Count int
		Items []struct {
			Count        int
			Lower, Upper string
			Items        []leaf
		}
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, err
	}
	all := map[string]string{}
	if len(index.Items) != 1 || index.Count != 1 || index.Items[0].Count != len(index.Items[0].Items) {
		return nil, errors.New("the registration is not one page")
	}
	lower, upper := false, false
	for _, l := range index.Items[0].Items {
		version, _, _ := strings.Cut(strings.ToLower(l.CatalogEntry.Version), "+")
		if all[version], err = below(l.PackageContent); err != nil {
			return nil, err
		}
		if l.CatalogEntry.ID != id || l.CatalogEntry.Published == "" {
			return nil, fmt.Errorf("%s %s is registered for %s", l.CatalogEntry.ID, version, id)
		}
		lower, upper = lower || version == index.Items[0].Lower, upper || version == index.Items[0].Upper
	}
	if !lower || !upper {
		return nil, errors.New("the page has other bounds")
	}
	return all, nil
}

// verify does what the client does with a package that it has in a folder.
func verify(r formattest.Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	return verifyPackage(r, data)
}

func verifyPackage(r formattest.Repository, data []byte) error {
	_, err := nugettest.Verify(data, r.Trusted.Certificates()...)
	if errors.Is(err, nugettest.ErrSignature) {
		err = fmt.Errorf("%w: %w", formattest.ErrSignature, err)
	}
	return err
}
