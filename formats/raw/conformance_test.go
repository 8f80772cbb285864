package raw_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/raw"
)

func TestConformance(t *testing.T) {
	for _, settings := range []raw.Settings{raw.Defaults(), {Overwrite: true}} {
		t.Run(fmt.Sprintf("with %+v", settings), func(t *testing.T) { formattest.Run(t, subject(t, settings)) })
	}
}

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f, raw.Defaults())) }

func subject(tb testing.TB, settings raw.Settings) formattest.Subject {
	return formattest.Subject{
		Format:   open(tb, settings),
		Versions: []string{"1", "2"},
		Archs:    []string{"", "any/folder"},
		Upload: func(_ testing.TB, name, version, arch string) formattest.Upload {
			return formattest.Upload{Path: path.Join(arch, name+"-"+version), Body: []byte(name + version + arch)}
		},
		Extra: []formattest.Upload{
			{Path: `a/name with spaces \ and more`, Body: []byte("a")},
			{Path: "a/-"},
		},
		Malformed: map[string]formattest.Upload{
			"no name in the root":   {Path: ""},
			"no name in the folder": {Path: "a/b/"},
		},
		Attacks: map[string]formattest.Upload{
			"a name that looks like a line": {Path: "any/folder/" + strings.Repeat("0", 64) + "  evil", Body: []byte("x")},
		},
		Client: fetchAll("", "any/folder", "a"),
		Opaque: true,
	}
}

// fetchAll returns a client that fetches all files of some folders, as gpgv and sha256sum -c would have it.
func fetchAll(folders ...string) func(formattest.Repository) (map[string][sha256.Size]byte, error) {
	return func(r formattest.Repository) (map[string][sha256.Size]byte, error) {
		found := map[string][sha256.Size]byte{}
		for _, folder := range folders {
			list, err := r.Fetch(path.Join(folder, "SHA256SUMS"))
			if err != nil {
				return nil, err
			}
			signature, err := r.Fetch(path.Join(folder, "SHA256SUMS.asc"))
			if err != nil {
				return nil, err
			}
			if err := r.Trusted.Armored(list, signature); err != nil {
				return nil, err
			}
			for line := range bytes.Lines(list) {
				sum, name, err := readLine(string(line))
				if err != nil {
					return nil, err
				}
				p := path.Join(folder, name)
				data, err := r.Fetch(p)
				if err != nil {
					return nil, err
				}
				found[p] = sha256.Sum256(data)
				if found[p] != [sha256.Size]byte(sum) {
					return nil, fmt.Errorf("%s is not the file that was signed", p)
				}
			}
		}
		return found, nil
	}
}

// readLine reads a line as sha256sum -c does.
func readLine(line string) (sum []byte, name string, err error) {
	line, escaped := strings.CutPrefix(line, `\`)
	digest, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(name)
	}
	sum, err = hex.DecodeString(digest)
	if !ok || err != nil || len(sum) != sha256.Size {
		return nil, "", errors.New("not a line of checksums")
	}
	return sum, name, nil
}
