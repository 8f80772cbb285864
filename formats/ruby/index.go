package ruby

import (
	"crypto"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The groups of what gems raise into the shard "": their lines of the versions and of the names, and the newest release of each
// platform, whose group ends in its name.
const (
	groupVersions = "versions"
	groupNames    = "names"
	groupLatest   = "latest/"
)

// versionsHead begins the versions. Clients skip it; the date would be that of the first lines of a file that is only added to,
// which ours is not.
const versionsHead = "created_at: 1970-01-01T00:00:00Z\n---\n"

// Index emits info/NAME of a gem, or in the shard "" what lists all gems. Every file has a signature beside it.
func (f *Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	if in.Name() == "" {
		return indexAll(in, emit)
	}
	return indexGem(in, emit)
}

func indexGem(in format.Shard, emit func(format.File) error) error {
	lines, err := in.Entries(groupInfo)
	if err != nil || len(lines) == 0 {
		return err
	}
	listed, err := in.List(format.Listing{
		Name: groupInfo, Groups: []string{groupInfo}, Encodings: []format.Encoding{format.Plain}, Head: constant(infoHead),
		Digests: []crypto.Hash{crypto.MD5},
	})
	if err != nil {
		return err
	}
	if err := emit(indexFile(infoFolder+in.Name(), groupInfo, format.Plain)); err != nil {
		return err
	}
	if err := emitQuick(in, emit); err != nil {
		return err
	}
	sum := hex.EncodeToString(listed[0].Files[format.Plain].Digests[crypto.MD5])
	return raise(in, lines, sum)
}

// raise says in the shard "" which versions a gem has.
func raise(in format.Shard, lines [][]byte, sum string) error {
	var numbers []string
	newest := map[string]string{} // the version by platform
	for _, line := range lines {
		id := identity{name: in.Name()}
		id.version, id.platform = lineNumber(line)
		numbers = append(numbers, id.number())
		best, ok := newest[id.platform]
		if !isPrerelease(id.version) && (!ok || compareVersions(id.version, best) > 0) {
			newest[id.platform] = id.version
		}
	}
	if err := in.Raise("", groupVersions, []byte(in.Name()+" "+strings.Join(numbers, ",")+" "+sum+"\n")); err != nil {
		return err
	}
	if err := in.Raise("", groupNames, []byte(in.Name()+"\n")); err != nil {
		return err
	}
	for _, platform := range slices.Sorted(maps.Keys(newest)) {
		id := identity{in.Name(), newest[platform], platform}
		// One for a platform that is older than that for all is not what anybody wants (Gem::Specification._latest_specs).
		if all, ok := newest[platformRuby]; ok && compareVersions(id.version, all) < 0 {
			continue
		}
		if err := in.Raise("", groupLatest+platform, id.tuple()); err != nil {
			return err
		}
	}
	return nil
}

func indexAll(in format.Shard, emit func(format.File) error) error {
	var latest []string
	for _, g := range in.Groups() {
		if strings.HasPrefix(g.Name, groupLatest) {
			latest = append(latest, g.Name)
		}
	}
	plain, zipped := []format.Encoding{format.Plain}, []format.Encoding{format.Gzip}
	if _, err := in.List(
		format.Listing{Name: versionsFile, Groups: []string{groupVersions}, Encodings: plain, Head: constant(versionsHead)},
		format.Listing{Name: namesFile, Groups: []string{groupNames}, Encodings: plain, Head: constant(infoHead)},
		format.Listing{Name: specsFile, Groups: []string{groupReleases}, Encodings: zipped, Head: arrayHead},
		format.Listing{Name: latestFile, Groups: latest, Encodings: zipped, Head: arrayHead},
		format.Listing{Name: prereleaseFile, Groups: []string{groupPrerelease}, Encodings: zipped, Head: arrayHead},
	); err != nil {
		return err
	}
	for _, name := range []string{versionsFile, namesFile} {
		if err := emit(indexFile(name, name, format.Plain)); err != nil {
			return err
		}
	}
	for _, name := range []string{specsFile, latestFile, prereleaseFile} {
		if err := emit(indexFile(name, name, format.Gzip)); err != nil {
			return err
		}
	}
	return nil
}

// indexFile returns a listing as a file with a signature beside it, which no client of Ruby asks for.
func indexFile(path, listing string, e format.Encoding) format.File {
	return format.File{Path: path, Listing: listing, Encoding: e, Sealing: format.Sealing{Seals: []format.Seal{{
		Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: path + signature,
	}}}}
}

func constant(text string) func(format.Totals) []byte {
	return func(format.Totals) []byte { return []byte(text) }
}

// arrayHead begins an array of tuples in Marshal, whose length stands at its beginning.
func arrayHead(t format.Totals) []byte { return tuples(t.Count) }
