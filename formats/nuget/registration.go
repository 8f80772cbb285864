package nuget

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
)

const (
	maxServiceIndex = 1 << 20
	maxPages        = 1024
)

// The types below are those of an upstream's registration, as far as they are read. What is a text for some servers is a list
// for others.
type (
	foreignIndex struct {
		Address string        `json:"@id"`
		Items   []foreignPage `json:"items"`
	}
	foreignPage struct {
		Address string        `json:"@id"`
		Items   []foreignLeaf `json:"items"`
	}
	foreignLeaf struct {
		Entry struct {
			details
			Authors texts  `json:"authors"`
			Tags    texts  `json:"tags"`
			Listed  *bool  `json:"listed"`
			Types   any    `json:"packageTypes"` // which search alone says
			Hash    string `json:"packageHash"`
			Method  string `json:"packageHashAlgorithm"`
		} `json:"catalogEntry"`
		Content string `json:"packageContent"`
	}
	texts []string
)

// UnmarshalJSON reads a text or a list of texts.
func (t *texts) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]string)(t))
	}
	var one *string
	if err := json.Unmarshal(data, &one); err != nil || one == nil {
		return err
	}
	*t = texts{*one}
	return nil
}

// followRegistration emits what the registration of an upstream says of a package, in the form of the list that is signed here.
// Nobody has signed it.
func followRegistration(u format.Upstream, scope string) error {
	folder, err := registrationFolder(u)
	if err != nil {
		return err
	}
	at := path.Join(folder, scope, indexName)
	var index foreignIndex
	if err := fetchJSON(u, at, &index); err != nil {
		return err
	}
	// The address of the registration tells where the upstream begins, below which all addresses must be.
	base, ok := strings.CutSuffix(index.Address, "/"+at)
	if !ok {
		return format.Malformedf("the upstream's registration of %s says that it is at %.200q, and is at %s: upstream.url is the part before that", scope, index.Address, at)
	}
	if len(index.Items) > maxPages {
		return format.Malformedf("the upstream's registration of %s has more than %d pages", scope, maxPages)
	}
	for _, page := range index.Items {
		if page.Items == nil {
			at, err := below(base, page.Address)
			if err != nil {
				return err
			}
			if err := fetchJSON(u, at, &page); errors.Is(err, fs.ErrNotExist) {
				return format.Malformedf("the upstream's registration of %s has a page %.200q, which is not there", scope, at)
			} else if err != nil {
				return err
			}
		}
		for _, l := range page.Items {
			if err := l.emit(u, base); err != nil {
				return err
			}
		}
	}
	return nil
}

// registrationFolder returns where the registrations of an upstream are. Addresses in its service index are absolute: what is
// below the upstream begins with the folder v3, or is all of the path.
func registrationFolder(u format.Upstream) (string, error) {
	var service struct {
		Resources []resource `json:"resources"`
	}
	if err := fetchJSON(u, serviceIndex, &service); err != nil {
		return "", err
	}
	for _, kind := range []string{"/3.6.0", "/Versioned", "/3.4.0", "/3.0.0-rc", "/3.0.0-beta", ""} {
		i := slices.IndexFunc(service.Resources, func(r resource) bool { return r.Type == "RegistrationsBaseUrl"+kind })
		if i < 0 {
			continue
		}
		address, err := url.Parse(service.Resources[i].ID)
		if err != nil {
			break
		}
		folder := strings.Trim(address.Path, "/")
		if at := strings.Index("/"+folder, "/v3"); at >= 0 {
			folder = folder[at:]
		}
		if fs.ValidPath(folder) && folder != "." {
			return folder, nil
		}
	}
	return "", format.Malformedf("the upstream's service index names no registration (RegistrationsBaseUrl)")
}

// fetchJSON reads a document of an upstream, which some compress whoever asks.
func fetchJSON(u format.Upstream, p string, to any) error {
	data, err := fetch(u, p, maxList)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = io.ReadAll(io.LimitReader(z, maxList+1))
		}
		if err != nil || len(data) > maxList {
			return format.Malformedf("the upstream's %.200q is damaged, or has more than %d bytes", p, maxList)
		}
	}
	if err := json.Unmarshal(data, to); err != nil {
		return format.Malformedf("the upstream's %.200q is no JSON as NuGet has it: %.200q", p, err.Error())
	}
	return nil
}

// below returns the path of an address of an upstream.
func below(base, address string) (string, error) {
	at, ok := strings.CutPrefix(address, base+"/")
	plain, err := url.PathUnescape(at)
	if !ok || err != nil || !fs.ValidPath(plain) || plain == "." || strings.ContainsAny(plain, "?#") {
		return "", format.Malformedf("the upstream has something at %.200q, which is not below its own address %.200q", address, base)
	}
	return plain, nil
}

// emit emits one version.
func (l foreignLeaf) emit(u format.Upstream, base string) error {
	e := l.Entry
	v, ok := parseVersion(e.Version)
	if !ok {
		return format.Malformedf("the upstream has the version %.100q of %.100q, which is none", e.Version, e.ID)
	}
	p := listedPackage{details: e.details}
	p.Version, p.Authors, p.Tags = v.full(), strings.Join(e.Authors, ", "), words(strings.Join(e.Tags, " "))
	p.Listed = (e.Listed == nil || *e.Listed) && !strings.HasPrefix(e.Published, "1900")
	if !p.Listed {
		p.Published = unlistedTime
	}
	for i, g := range p.Dependencies {
		p.Dependencies[i].Type = ""
		for j, n := range g.Dependencies {
			g.Dependencies[j] = needs{ID: n.ID, Range: n.Range}
		}
	}
	var err error
	if p.Source, err = below(base, l.Content); err != nil {
		return err
	}
	if sum, err := base64.StdEncoding.DecodeString(e.Hash); err == nil && strings.EqualFold(e.Method, "SHA512") && len(sum) == 64 {
		p.SHA512 = hex.EncodeToString(sum)
	}
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return u.Emit(signedName, "", append(line, '\n'))
}
