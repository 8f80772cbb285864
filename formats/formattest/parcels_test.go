package formattest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestParcelsKeepTheContract(t *testing.T) { Run(t, parcelSubject()) }

func FuzzParcels(f *testing.F) { Fuzz(f, parcelSubject()) }

func parcelSubject() Subject {
	return Subject{
		Format:   Parcels{},
		Versions: []string{"1", "2"},
		Archs:    []string{""},
		Upload: func(_ testing.TB, name, version, _ string) Upload {
			return Upload{Path: name + "/" + version + ".parcel", Body: []byte("PARCEL " + name + " " + version + "\n")}
		},
		Extra: []Upload{
			{Method: "POST", Path: "batch", Body: []byte("put one 1\nput one 2\nput two 1\n")},
			{Method: "POST", Path: "batch", Body: []byte("yank one/1.parcel it leaks\ndelete two/1.parcel\n")},
			{Method: "POST", Path: "batch", Body: []byte("put three 1\n")},
			{Method: "POST", Path: "batch", Body: []byte("clear three\n")},
		},
		Malformed: map[string]Upload{
			"another name":       {Path: "a/1.parcel", Body: []byte("PARCEL b 1\n")},
			"an unknown verb":    {Method: "POST", Path: "batch", Body: []byte("shred one 1\n")},
			"an empty batch":     {Method: "POST", Path: "batch"},
			"a path that climbs": {Method: "POST", Path: "batch", Body: []byte("put ../a 1\n")},
		},
		Client:   followParcels,
		Unsigned: func(p string) bool { return strings.HasSuffix(p, ".json") },
	}
}

// followParcels follows NAMES to the index of each name and to every parcel.
func followParcels(r Repository) (map[string][sha256.Size]byte, error) {
	found := map[string][sha256.Size]byte{}
	signed := func(at string) (string, error) {
		data, err := r.Fetch(at)
		if err != nil {
			return "", err
		}
		sig, err := r.Fetch(at + ".asc")
		if err != nil {
			return "", err
		}
		return string(data), r.Trusted.Armored(data, sig)
	}
	names, err := signed("NAMES")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(names) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		index, err := signed(name + "/INDEX")
		if err != nil {
			return nil, err
		}
		if fmt.Sprint(strings.Count(index, "\n")) != count {
			return nil, fmt.Errorf("%s has not %s versions", name, count)
		}
		for line := range strings.Lines(index) {
			fields := strings.SplitN(line, " ", 4)
			data, err := r.Fetch(fields[0])
			if err != nil {
				return nil, err
			}
			found[fields[0]] = sha256.Sum256(data)
			if fmt.Sprintf("%x", found[fields[0]]) != fields[1] {
				return nil, errors.New("it is not the parcel that was signed")
			}
		}
		addresses, err := r.Fetch(name + "/INDEX.json")
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(addresses, []byte(`["http`)) || bytes.Contains(addresses, []byte{1}) || bytes.Contains(addresses, []byte(`,]`)) {
			return nil, fmt.Errorf("the addresses are %s", addresses)
		}
	}
	return found, nil
}

func TestEnvelopesMarksAndChecks(t *testing.T) {
	h := NewHouse(t, Parcels{})
	do := func(method, at, body string) error {
		return h.putAll([]Upload{{Method: method, Path: at, Body: []byte(body)}})
	}
	get := func(at string) string {
		data, err := h.Fetch(at)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if err := do("POST", "batch", "put a 1\nput a 2\nput b 1\n"); err != nil {
		t.Fatal(err)
	}
	if names := get("NAMES"); names != "a 2\nb 1\n" {
		t.Errorf("the names are %q", names)
	}
	for body, bad := range map[string]bool{get("a/1.parcel.size"): false, "1": true} {
		if err := do("PUT", "a/1.parcel.size", body); (err != nil) != bad {
			t.Errorf("the checksum %q gets %v", body, err)
		}
	}
	if err := do("PUT", "a/INDEX", "lies"); err != nil || strings.Contains(get("a/INDEX"), "lies") {
		t.Errorf("a client's index gets %v", err)
	}
	if err := do("POST", "batch", "yank a/1.parcel broken\n"); err != nil || !strings.Contains(get("a/INDEX"), `"broken"`) {
		t.Errorf("a mark gets %v and %s", err, get("a/INDEX"))
	}
	line := strings.Fields(get("a/INDEX"))
	sig, err := base64.StdEncoding.DecodeString(strings.Split(line[2], ",")[0])
	if err != nil || h.Trusted().Binary([]byte("parcel "+line[1]), sig) != nil || h.Trusted().Binary([]byte("parcel "), sig) == nil {
		t.Errorf("the signature in the entry is no good: %v", err)
	}
	if err := do("POST", "batch", "clear a\n"); err != nil || get("NAMES") != "b 1\n" {
		t.Errorf("clearing gets %v and leaves %q", err, get("NAMES"))
	}
	if _, err := h.Fetch("a/INDEX"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the index of what is gone gets %v", err)
	}
	if who := get("whoami"); who != ": b 1\n" {
		t.Errorf("the document is %q", who)
	}
}
