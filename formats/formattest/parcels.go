package formattest

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Parcels is a format that nobody uses and that uses all of the contract which languages' formats need: envelopes, marks,
// files beside a package, entries that are raised, addresses, answers of its own. It is for tests of the house.
//
//	PUT NAME/VERSION.parcel           a text that begins with "PARCEL NAME VERSION" and a newline
//	PUT NAME/VERSION.parcel.size      a checksum: its size, as it is served there
//	POST batch                        lines: put NAME VERSION, delete PATH, yank PATH REASON, clear NAME
//	POST login                        USER PASSWORD
//	PUT NAME/INDEX                    is taken and ignored
//	GET NAMES, NAMES.asc              a line for each name, with the number of its versions
//	GET NAME/INDEX, NAME/INDEX.asc    lines: path, SHA-256, a signature of that, why it was yanked
//	GET NAME/INDEX.json               addresses
type Parcels struct{}

var (
	_ format.Unwrapper = Parcels{}
	_ format.Speaker   = Parcels{}
	_ format.Registrar = Parcels{}
	_ format.Renderer  = Parcels{}
)

// The names of the files and groups of Parcels.
const (
	parcel        = ".parcel"
	parcelSize    = ".size"
	parcelIndex   = "INDEX"
	parcelNames   = "NAMES"
	parcelAddress = "INDEX.json"
	maxParcel     = 1 << 20
)

// Spec implements [format.Format].
func (Parcels) Spec() format.Spec {
	kinds := []string{"ed25519", "rsa2048", "rsa3072"}
	return format.Spec{
		Title: "Parcels", Clients: []string{"post"}, EscapedSlash: true, KeyHeader: "X-Parcel-Key",
		Keys: []format.KeyUse{
			{Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "ed25519", Kinds: kinds, Refused: "its clients are tests"},
			{Purpose: scheme.Package, Family: scheme.OpenPGP, Shared: true, Kinds: kinds, Refused: "its clients are tests"},
		},
	}
}

// Route implements [format.Format].
func (Parcels) Route(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	base, size := strings.CutSuffix(name, parcelSize)
	isParcel := strings.HasSuffix(base, parcel) && dir != ""
	switch {
	case r.Method == "GET" && name == "":
		return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
	case r.Method == "GET" && name == "whoami":
		return format.Op{Kind: format.Render, Document: name}, nil
	case r.Method == "GET" && name == parcelAddress:
		return format.Op{Kind: format.Get, Paths: []string{r.Path}, Type: "application/vnd.parcels+json", Addressed: true}, nil
	case r.Method == "GET":
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case r.Method == "POST" && r.Path == "batch":
		return format.Op{Kind: format.Unwrap}, nil
	case r.Method == "POST" && r.Path == "login":
		return format.Op{Kind: format.Login}, nil
	case r.Method == "PUT" && name == parcelIndex && dir != "":
		return format.Op{Kind: format.Ignore}, nil
	case r.Method == "PUT" && isParcel && size:
		return format.Op{Kind: format.Check, Paths: []string{r.Path}}, nil
	case r.Method == "PUT" && isParcel:
		return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(dir, "/"), Name: name}, nil
	case r.Method == "DELETE" && isParcel && !size:
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.100q is no parcel", r.Path)
}

// Unwrap implements [format.Unwrapper].
func (Parcels) Unwrap(_ format.Request, b format.Blob) ([]format.Change, error) {
	text, err := readParcel(b)
	if err != nil {
		return nil, err
	}
	var all []format.Change
	for line := range strings.Lines(text) {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, second, _ := strings.Cut(rest, " ")
		target := format.Request{Path: first}
		switch verb {
		case "put":
			target.Method, target.Path = "PUT", first+"/"+second+parcel
		case "delete", "yank":
			target.Method = "DELETE"
		case "clear":
			target.Method, target.Path = "DELETE", first+"/all"+parcel
		default:
			return nil, format.Malformedf("a batch has no verb %.20q", verb)
		}
		if pathFault(target.Path) != "" {
			return nil, format.Malformedf("%.100q is no path", target.Path)
		}
		op, err := Parcels{}.Route(target)
		if err != nil || op.Kind != format.Put && op.Kind != format.Delete {
			return nil, format.Malformedf("%.100q is no parcel", target.Path)
		}
		c := format.Change{Op: op}
		switch verb {
		case "put":
			c.Body = strings.NewReader("PARCEL " + first + " " + second + "\n")
		case "yank":
			c.Op = format.Op{Kind: format.Mark, Paths: op.Paths, Marks: map[string]string{"yanked": second}}
		case "clear":
			c.Op = format.Op{Kind: format.Clear, Paths: []string{first}}
		}
		if all = append(all, c); len(all) > 1000 {
			return nil, format.Malformedf("a batch has at most 1000 lines")
		}
	}
	if len(all) == 0 {
		return nil, format.Malformedf("the batch is empty")
	}
	return all, nil
}

func readParcel(b format.Blob) (string, error) {
	if b.Size() > maxParcel {
		return "", format.Malformedf("it has more than %d bytes", maxParcel)
	}
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(data), err
}

// Parse implements [format.Format].
func (Parcels) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	text, err := readParcel(b)
	if err != nil {
		return format.Package{}, err
	}
	fields := strings.Split(strings.TrimSuffix(text, "\n"), " ")
	if len(fields) != 3 || fields[0] != "PARCEL" || !strings.HasSuffix(text, "\n") {
		return format.Package{}, format.Malformedf("it is no parcel")
	}
	for _, field := range fields[1:] {
		if field == "" || strings.Trim(field, "abcdefghijklmnopqrstuvwxyz0123456789.") != "" || strings.Trim(field, ".") == "" {
			return format.Package{}, format.Malformedf("%.50q has other characters than letters, digits and dots", field)
		}
	}
	name, version := fields[1], fields[2]
	if op.Dir != name || op.Name != version+parcel {
		return format.Package{}, format.Malformedf("this parcel is %s/%s, and was sent to %.100s/%.100s", name, version+parcel, op.Dir, op.Name)
	}
	var vouched []string
	for _, s := range sigs {
		vouched = append(vouched, base64.StdEncoding.EncodeToString(s.Value))
	}
	at := name + "/" + version + parcel
	quoted, err := json.Marshal(op.Marks["yanked"])
	if err != nil {
		return format.Package{}, err
	}
	return format.Package{
		Path: at, Name: name, Version: version, Shard: name,
		Entries: []format.Entry{
			{Group: "versions", Data: fmt.Appendf(nil, "%s %x %s %s\n", at, b.Digest(crypto.SHA256), strings.Join(vouched, ","), quoted)},
			{Group: "addresses", Data: fmt.Appendf(nil, ",\"%s/%s\"", format.Here, at)},
			{Group: "all", Root: true, Data: []byte(at + "\n")},
		},
		Beside: []format.Beside{{Path: at + parcelSize, Data: fmt.Appendf(nil, "%d\n", b.Size())}},
	}, nil
}

// Seal implements [format.Format].
func (Parcels) Seal(_ format.Site, _ format.Op, b format.Blob) (format.Sealing, error) {
	return format.Sealing{Seals: []format.Seal{{
		Name: "vouch", Scheme: scheme.OpenPGPBinary, Purpose: scheme.Package, Text: fmt.Appendf(nil, "parcel %x", b.Digest(crypto.SHA256)),
	}}}, nil
}

// Index implements [format.Format].
func (Parcels) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	if in.Name() == "" {
		return list(in, emit, parcelNames, "names")
	}
	count := 0
	for _, g := range in.Groups() {
		if g.Name == "versions" {
			count = g.Count
		}
	}
	if count == 0 {
		return nil
	}
	if err := in.Raise("", "names", []byte(in.Name()+" "+strconv.Itoa(count)+"\n")); err != nil {
		return err
	}
	return list(in, emit, in.Name()+"/"+parcelIndex, "versions", format.Listing{
		Name: parcelAddress, Groups: []string{"addresses"}, Encodings: []format.Encoding{format.Plain}, Skip: 1,
		Head: func(format.Totals) []byte { return []byte("[") }, Tail: func(format.Totals) []byte { return []byte("]\n") },
	})
}

// list emits a signed listing of a group, and others that are not signed.
func list(in format.Shard, emit func(format.File) error, at, group string, others ...format.Listing) error {
	all := append([]format.Listing{{Name: group, Groups: []string{group}, Encodings: []format.Encoding{format.Plain}}}, others...)
	if _, err := in.List(all...); err != nil {
		return err
	}
	for _, l := range others {
		if err := emit(format.File{Path: in.Name() + "/" + l.Name, Listing: l.Name, Encoding: format.Plain}); err != nil {
			return err
		}
	}
	return emit(format.File{Path: at, Listing: group, Encoding: format.Plain, Sealing: format.Sealing{Seals: []format.Seal{{
		Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: at + ".asc",
	}}}})
}

// Login implements [format.Registrar].
func (Parcels) Login(_ format.Request, body []byte) (user, password string, err error) {
	user, password, ok := strings.Cut(string(bytes.TrimSpace(body)), " ")
	if !ok {
		return "", "", format.Malformedf("a login is a user and a password with a blank between them")
	}
	return user, password, nil
}

// Answer implements [format.Speaker].
func (Parcels) Answer(s format.Site, r format.Request, a format.Answer) format.Answer {
	data, err := json.Marshal(map[string]any{"said": a.Text, "path": r.Path, "paths": a.Paths, "key": a.Key})
	if err != nil {
		return a
	}
	a.Type, a.Data, a.Header = "application/json", data, map[string]string{"X-Parcels": s.URL}
	if a.Op.Kind == format.Delete {
		a.Status = 200
	}
	return a
}

// Render implements [format.Renderer].
func (Parcels) Render(s format.Site, op format.Op) (format.Document, error) {
	if op.Document != "whoami" {
		return format.Document{}, format.NotFoundf("there is no document %.100q", op.Document)
	}
	var all []string
	for e, err := range s.Tree.Entries("", "names") {
		if err != nil {
			return format.Document{}, err
		}
		all = append(all, strings.TrimSpace(string(e)))
	}
	return format.Document{Type: "text/plain; charset=utf-8", Data: []byte(s.User + ": " + strings.Join(all, ", ") + "\n")}, nil
}

// Setup implements [format.Renderer].
func (Parcels) Setup(s format.Site, client string) ([]byte, error) {
	if client != "post" {
		return nil, format.NotFoundf("there is one client, post")
	}
	return []byte("# Fetches the keys of the repository " + s.Repository + ".\ncurl -fsS '" + s.KeysURL + "/openpgp.asc' # of " + s.URL + "\n"), nil
}
