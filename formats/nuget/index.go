package nuget

import (
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the versions of a package, its registration, and a list of all that is said of them, with the digests of the
// files, which is signed. The shard above all, which search reads, has no index.
//
// The registration holds absolute addresses, which NuGet wants, and so nobody signs it.
func (*Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	id := in.Name()
	if id == "" {
		return nil
	}
	versions, err := in.Entries(groupVersions)
	if err != nil || len(versions) == 0 {
		return err
	}
	lower, upper, err := bounds(versions)
	if err != nil {
		return err
	}
	registered := path.Join(registration, id, indexName)
	if _, err := in.List(
		format.Listing{
			Name: groupVersions, Groups: []string{groupVersions}, Skip: 1, Encodings: []format.Encoding{format.Plain},
			Head: constant(`{"versions":[`), Tail: constant("]}\n"),
		},
		format.Listing{Name: groupSigned, Groups: []string{groupSigned}, Encodings: []format.Encoding{format.Plain}},
		format.Listing{
			Name: groupLeaves, Groups: []string{groupLeaves}, Skip: 1, Encodings: []format.Encoding{format.Plain},
			Head: constant(fmt.Sprintf(`{"@id":"%[1]s/%[2]s","@type":["catalog:CatalogRoot","PackageRegistration","catalog:Permalink"],"count":1,`+
				`"items":[{"@id":"%[1]s/%[2]s#page","@type":"catalog:CatalogPage","parent":"%[1]s/%[2]s","items":[`, format.Here, registered)),
			Tail: func(t format.Totals) []byte {
				return fmt.Appendf(nil, `],"count":%d,"lower":%q,"upper":%q}]}`+"\n", t.Count, lower, upper)
			},
		},
	); err != nil {
		return err
	}
	if err := emit(format.File{Path: registered, Listing: groupLeaves, Encoding: format.Plain}); err != nil {
		return err
	}
	if err := emit(format.File{Path: path.Join(flat, id, indexName), Listing: groupVersions, Encoding: format.Plain}); err != nil {
		return err
	}
	signed := path.Join(flat, id, signedName)
	return emit(format.File{
		Path: signed, Listing: groupSigned, Encoding: format.Plain,
		Sealing: format.Sealing{Seals: []format.Seal{{
			Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: signed + signatureSuffix,
		}}},
	})
}

func constant(text string) func(format.Totals) []byte {
	return func(format.Totals) []byte { return []byte(text) }
}

// bounds returns the oldest and the newest version of a list, which is not empty.
func bounds(entries [][]byte) (lower, upper string, err error) {
	var first, last version
	for i, e := range entries {
		v, ok := parseVersion(strings.Trim(string(e), `,"`))
		if !ok {
			return "", "", fmt.Errorf("the entry %.100q of a version", e)
		}
		if i == 0 || v.compare(first) < 0 {
			first = v
		}
		if i == 0 || v.compare(last) > 0 {
			last = v
		}
	}
	return first.lower(), last.lower(), nil
}
