package maven

import (
	"cmp"
	"encoding/xml"
	"path"
	"slices"
	"strings"
)

// metadata is a maven-metadata.xml (org.apache.maven.artifact.repository.metadata, model version 1.1.0): that of an artifact, of
// a snapshot, of a group with plugins, or of several that have the same folder.
type metadata struct {
	XMLName    xml.Name    `xml:"metadata" json:"-"`
	GroupID    string      `xml:"groupId" json:"-"`
	ArtifactID string      `xml:"artifactId" json:"-"`
	Version    string      `xml:"version" json:"-"`
	Versioning *versioning `xml:"versioning" json:",omitempty"`
	Plugins    []plugin    `xml:"plugins>plugin" json:",omitempty"`
}

type versioning struct {
	Latest      string            `xml:"latest" json:"-"`
	Release     string            `xml:"release" json:"-"`
	Snapshot    *snapshotBuild    `xml:"snapshot" json:",omitempty"`
	Versions    []string          `xml:"versions>version" json:",omitempty"`
	LastUpdated string            `xml:"lastUpdated" json:",omitempty"`
	Files       []snapshotVersion `xml:"snapshotVersions>snapshotVersion" json:",omitempty"`
}

// shown returns the document as it is written: without elements that hold nothing.
func (m *metadata) shown() any {
	type shownVersioning struct {
		Latest      string             `xml:"latest,omitempty"`
		Release     string             `xml:"release,omitempty"`
		Snapshot    *snapshotBuild     `xml:"snapshot"`
		Versions    *[]string          `xml:"versions>version"`
		LastUpdated string             `xml:"lastUpdated,omitempty"`
		Files       *[]snapshotVersion `xml:"snapshotVersions>snapshotVersion"`
	}
	var versioning *shownVersioning
	if v := m.Versioning; v != nil {
		versioning = &shownVersioning{v.Latest, v.Release, v.Snapshot, some(v.Versions), v.LastUpdated, some(v.Files)}
	}
	return struct {
		XMLName      xml.Name         `xml:"metadata"`
		ModelVersion string           `xml:"modelVersion,attr"`
		GroupID      string           `xml:"groupId,omitempty"`
		ArtifactID   string           `xml:"artifactId,omitempty"`
		Version      string           `xml:"version,omitempty"`
		Versioning   *shownVersioning `xml:"versioning"`
		Plugins      *[]plugin        `xml:"plugins>plugin"`
	}{ModelVersion: "1.1.0", GroupID: m.GroupID, ArtifactID: m.ArtifactID, Version: m.Version, Versioning: versioning, Plugins: some(m.Plugins)}
}

// some returns nil for nothing.
func some[E any](all []E) *[]E {
	if len(all) == 0 {
		return nil
	}
	return &all
}

// A snapshotBuild is the newest build of a snapshot.
type snapshotBuild struct {
	Timestamp   string `xml:"timestamp,omitempty"`
	BuildNumber int    `xml:"buildNumber,omitempty"`
}

// A snapshotVersion is the newest file of a snapshot with a classifier and an extension.
type snapshotVersion struct {
	Classifier string `xml:"classifier,omitempty" json:",omitempty"`
	Extension  string `xml:"extension"`
	Value      string `xml:"value"`
	Updated    string `xml:"updated"`
}

// A plugin is what mvn calls by a prefix: mvn PREFIX:goal.
type plugin struct {
	Name       string `xml:"name,omitempty" json:",omitempty"`
	Prefix     string `xml:"prefix"`
	ArtifactID string `xml:"artifactId"`
}

// folder is all that is known of what a maven-metadata.xml is of.
type folder struct {
	name     string // its path
	versions []versionEntry
	files    []fileEntry
	plugins  []plugin
	upstream metadata
}

// metadata returns the document, or nil if there is nothing to say. Nothing in it depends on the order in which anything came.
func (d *folder) metadata() *metadata {
	m := &metadata{Plugins: d.allPlugins()}
	v := d.artifact(m)
	if s := d.snapshot(m); s != nil {
		if v == nil {
			v = &versioning{}
		}
		v.Snapshot, v.Files, v.LastUpdated = s.Snapshot, s.Files, max(v.LastUpdated, s.LastUpdated)
	}
	if m.Versioning = v; v == nil && m.Plugins == nil {
		return nil
	}
	return m
}

func (d *folder) theirs() versioning {
	if d.upstream.Versioning == nil {
		return versioning{}
	}
	return *d.upstream.Versioning
}

// artifact says which versions of an artifact there are.
func (d *folder) artifact(m *metadata) *versioning {
	v := &versioning{Versions: slices.Clone(d.theirs().Versions)}
	if len(v.Versions) > 0 {
		v.LastUpdated = d.theirs().LastUpdated
	}
	for _, e := range d.versions {
		v.Versions = append(v.Versions, e.Version)
		v.LastUpdated = max(v.LastUpdated, e.Updated)
	}
	if len(v.Versions) == 0 {
		return nil
	}
	sortVersions(v.Versions, func(s string) string { return s })
	v.Versions = slices.Compact(v.Versions)
	v.Latest = v.Versions[len(v.Versions)-1]
	for _, version := range v.Versions {
		if !strings.HasSuffix(version, snapshot) {
			v.Release = version
		}
	}
	m.GroupID, m.ArtifactID = strings.ReplaceAll(path.Dir(d.name), "/", "."), path.Base(d.name)
	return v
}

// snapshot says which files of a snapshot are the newest.
func (d *folder) snapshot(m *metadata) *versioning {
	v := &versioning{Snapshot: d.theirs().Snapshot, Files: slices.Clone(d.theirs().Files)}
	if len(v.Files) > 0 || v.Snapshot != nil {
		v.LastUpdated = d.theirs().LastUpdated
	}
	for _, f := range d.files {
		v.Files = append(v.Files, f.snapshotVersion)
		v.LastUpdated = max(v.LastUpdated, f.Updated)
		if b := v.Snapshot; f.Build > 0 && (b == nil || cmp.Or(cmp.Compare(f.Stamp, b.Timestamp), cmp.Compare(f.Build, b.BuildNumber)) > 0) {
			v.Snapshot = &snapshotBuild{f.Stamp, f.Build}
		}
	}
	if len(v.Files) == 0 && v.Snapshot == nil {
		return nil
	}
	kind := func(f snapshotVersion) string { return f.Extension + "\n" + f.Classifier }
	slices.SortFunc(v.Files, func(a, b snapshotVersion) int {
		return cmp.Or(strings.Compare(kind(a), kind(b)), strings.Compare(b.Updated, a.Updated), compareVersions(b.Value, a.Value))
	})
	v.Files = slices.CompactFunc(v.Files, func(a, b snapshotVersion) bool { return kind(a) == kind(b) })
	m.GroupID = strings.ReplaceAll(path.Dir(path.Dir(d.name)), "/", ".")
	m.ArtifactID, m.Version = path.Base(path.Dir(d.name)), path.Base(d.name)
	return v
}

// allPlugins returns the plugins of a group, ours before those of an upstream that have the same prefix.
func (d *folder) allPlugins() []plugin {
	all := slices.Clone(d.plugins)
	order := func(a, b plugin) int {
		return cmp.Or(strings.Compare(a.Prefix, b.Prefix), strings.Compare(a.ArtifactID, b.ArtifactID), strings.Compare(a.Name, b.Name))
	}
	slices.SortFunc(all, order)
	for _, p := range d.upstream.Plugins {
		if !slices.ContainsFunc(all, func(have plugin) bool { return have.Prefix == p.Prefix }) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, order)
	return all
}
