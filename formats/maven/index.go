package maven

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the maven-metadata.xml of a folder with its checksums and its signature, or, for the root, the list of all files.
func (f *Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	if in.Name() == "" {
		return listAll(in, emit)
	}
	d, err := read(in)
	if err != nil {
		return err
	}
	if err := raise(in, d); err != nil {
		return err
	}
	m := d.metadata()
	if m == nil {
		return nil
	}
	text, err := xml.MarshalIndent(m.shown(), "", "  ")
	if err != nil {
		return err
	}
	data := append([]byte(xml.Header), append(text, '\n')...)
	at := in.Name() + "/" + metadataName
	for _, c := range checksums {
		h := c.hash.New()
		h.Write(data)
		if err := emit(format.File{Path: at + c.suffix, Data: fmt.Appendf(nil, "%x", h.Sum(nil))}); err != nil {
			return err
		}
	}
	return emit(format.File{Path: at, Data: data, Sealing: signed(at)})
}

// listAll emits the list of all files. A file that is added costs a line.
func listAll(in format.Shard, emit func(format.File) error) error {
	if count(in, groupChecksums) == 0 {
		return nil
	}
	if _, err := in.List(format.Listing{
		Name: checksumsName, Groups: []string{groupChecksums}, Encodings: []format.Encoding{format.Plain},
	}); err != nil {
		return err
	}
	return emit(format.File{Path: checksumsName, Listing: checksumsName, Encoding: format.Plain, Sealing: signed(checksumsName)})
}

func signed(at string) format.Sealing {
	return format.Sealing{Seals: []format.Seal{{
		Name: "signature", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: at + signature,
	}}}
}

func count(in format.Shard, group string) int {
	for _, g := range in.Groups() {
		if g.Name == group {
			return g.Count
		}
	}
	return 0
}

// read reads all that is known of a folder.
func read(in format.Shard) (*folder, error) {
	d := &folder{name: in.Name()}
	var upstream []metadata
	err := each(in, groupVersions, &d.versions)
	if err == nil {
		err = each(in, groupFiles, &d.files)
	}
	if err == nil {
		err = each(in, groupPlugins, &d.plugins)
	}
	if err == nil {
		err = each(in, groupUpstream, &upstream)
	}
	if len(upstream) > 0 {
		d.upstream = upstream[0]
	}
	return d, err
}

// each appends the entries of a group.
func each[E any](in format.Shard, group string, to *[]E) error {
	all, err := in.Entries(group)
	if err != nil {
		return err
	}
	for _, data := range all {
		var e E
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("an entry of the group %s of %q: %w", group, in.Name(), err)
		}
		*to = append(*to, e)
	}
	return nil
}

// raise says to the artifact above a snapshot that it has that version, and to the group above an artifact that it is a plugin.
// What the newest pom says counts.
func raise(in format.Shard, d *folder) error {
	var poms []versionEntry
	if err := each(in, groupPoms, &poms); err != nil {
		return err
	}
	if len(poms) > 0 {
		newest := slices.MaxFunc(poms, func(a, b versionEntry) int { return strings.Compare(a.Updated, b.Updated) })
		if err := raiseTo(in, groupVersions, newest); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(d.versions, func(v versionEntry) bool { return v.Plugin != nil }) {
		return nil
	}
	sortVersions(d.versions, func(v versionEntry) string { return v.Version })
	if newest := d.versions[len(d.versions)-1]; newest.Plugin != nil {
		return raiseTo(in, groupPlugins, newest.Plugin)
	}
	return nil
}

func raiseTo(in format.Shard, group string, entry any) error {
	data, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	return in.Raise(path.Dir(in.Name()), group, data)
}
