package nuget

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	maxList          = 64 << 20 // bytes of an upstream's list or registration
	maxListSignature = 64 << 10
	maxLine          = 1 << 20 // bytes that are said of one version
)

// Scope returns the package that a path belongs to: each has an index of its own. Search finds the packages that were asked
// for before.
func (*Format) Scope(p string) (scope string, ok bool) {
	id := ""
	for _, folder := range []string{flat + "/", registration + "/", documentLeaf + "?"} {
		if rest, below := strings.CutPrefix(strings.ToLower(p), folder); below {
			id, _, ok = strings.Cut(rest, "/")
		}
	}
	return id, ok && isID(id)
}

// Follow reads what an upstream says of a package: the signed list, as this repository has it. Of an upstream that is trusted
// without a key and has none, it reads the registration, as every server of version 3 has it.
func (*Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	edition := format.Edition{Shard: scope}
	list, err := fetchSigned(u, path.Join(flat, scope, signedName))
	if errors.Is(err, fs.ErrNotExist) && trustsAnything(u) {
		return edition, followRegistration(u, scope)
	}
	if err != nil {
		return edition, err
	}
	for line := range bytes.Lines(list) {
		if len(line) > maxLine || !bytes.HasSuffix(line, []byte("\n")) {
			return edition, format.Malformedf("the upstream's %s of %s has a line that is too long or has no end", signedName, scope)
		}
		if err := u.Emit(signedName, "", line); err != nil {
			return edition, err
		}
	}
	return edition, nil
}

// trustsAnything reports whether the upstream is trusted without a key: only then is no signature at all a good one.
func trustsAnything(u format.Upstream) bool {
	_, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil)
	return err == nil
}

// fetchSigned returns a list whose signature beside it is verified.
func fetchSigned(u format.Upstream, p string) ([]byte, error) {
	list, err := fetch(u, p, maxList)
	if err != nil {
		return nil, err
	}
	signature, err := fetch(u, p+signatureSuffix, maxListSignature)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, err = u.Verify(scheme.OpenPGPArmored, bytes.NewReader(list), signature)
	return list, err
}

func fetch(u format.Upstream, p string, limit int64) ([]byte, error) {
	b, err := u.Fetch(p, format.Wanted{Limit: limit})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}

// Describe reads a line of the list.
func (*Format) Describe(scope, _ string, line []byte, _ []format.Signature) (format.Foreign, error) {
	var p listedPackage
	d := json.NewDecoder(bytes.NewReader(line))
	if err := d.Decode(&p); err != nil || d.More() {
		return format.Foreign{}, format.Malformedf("the upstream's list of %.100q has a line that is no JSON", scope)
	}
	if err := p.details.check(); err != nil {
		return format.Foreign{}, err
	}
	id, version := strings.ToLower(p.ID), p.version().lower()
	if id != scope {
		return format.Foreign{}, format.Malformedf("the upstream's list of %.100q has a line of %.100q", scope, p.ID)
	}
	if p.Source != "" && !fs.ValidPath(p.Source) || len(p.Source) > 2048 || strings.ContainsFunc(p.Source, isStrange) || p.Size < 0 {
		return format.Foreign{}, format.Malformedf("the upstream has %s %s at %.200q, which is no path", p.ID, p.Version, p.Source)
	}
	sum, err := p.sum()
	if err != nil {
		return format.Foreign{}, err
	}
	f := format.Foreign{Source: p.Source, Size: p.Size, SHA256: sum}
	if p.Size == 0 {
		f.Size = -1
	}
	if sum == nil {
		f.Check = p.checkable()
	}
	p.Source = ""
	f.Package = format.Package{Path: packagePath(id, version), Name: p.ID, Version: p.version().String(), Shard: id}
	f.Entries, err = p.entries()
	return f, err
}
