package maven

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The documents that Gradle and Maven's pgpverify take: which keys there are, and whose artifacts they have signed.
const (
	gradleKeyring  = "verification-keyring.keys"
	gradleMetadata = "verification-metadata.xml"
	keysMap        = "pgpverify.keysmap"
)

func isDocument(p string) bool { return p == gradleKeyring || p == gradleMetadata || p == keysMap }

// Render returns one of the documents. They name the keys of F.asc, and the groups that have a version here.
func (f *Format) Render(s format.Site, op format.Op) (format.Document, error) {
	keys := s.Keys.Of(scheme.File, scheme.OpenPGP)
	switch op.Document {
	case gradleKeyring:
		var all bytes.Buffer
		for _, k := range keys {
			all.Write(k.Armored)
		}
		return format.Document{Type: "application/pgp-keys", Data: all.Bytes()}, nil
	case gradleMetadata:
		groups, err := groupsOf(s.Tree)
		if err != nil {
			return format.Document{}, err
		}
		return verificationMetadata(keys, groups)
	case keysMap:
		groups, err := groupsOf(s.Tree)
		return format.Document{Type: "text/plain; charset=utf-8", Data: pgpverifyMap(s, keys, groups)}, err
	}
	return format.Document{}, format.NotFoundf("a repository of Maven artifacts has no document %.100q", op.Document)
}

// groupsOf returns the groups of all artifacts that have a version.
func groupsOf(t format.Tree) ([]string, error) {
	groups := map[string]bool{}
	for shard, err := range t.Shards() {
		if err != nil {
			return nil, err
		}
		for _, g := range shard.Groups {
			if g.Count == 0 || g.Name != groupVersions && g.Name != groupUpstream {
				continue
			}
			if listed, err := hasVersions(t, shard.Shard, g.Name); err != nil {
				return nil, err
			} else if listed {
				groups[strings.ReplaceAll(path.Dir(shard.Shard), "/", ".")] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(groups)), nil
}

// hasVersions reports whether what a group of entries says is of an artifact that has a version.
func hasVersions(t format.Tree, shard, group string) (bool, error) {
	if group == groupVersions {
		return true, nil
	}
	for data, err := range t.Entries(shard, group) {
		if err != nil {
			return false, err
		}
		var m metadata
		if err := json.Unmarshal(data, &m); err != nil {
			return false, fmt.Errorf("an entry of the group %s of %q: %w", group, shard, err)
		}
		if m.Versioning != nil && len(m.Versioning.Versions) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// verificationMetadata is Gradle's gradle/verification-metadata.xml (6.2 and newer): signatures are verified, those of the groups by
// these keys, and no key server is asked.
func verificationMetadata(keys format.Keys, groups []string) (format.Document, error) {
	type trusting struct {
		Group string `xml:"group,attr"`
	}
	type trustedKey struct {
		ID       string     `xml:"id,attr"`
		Trusting []trusting `xml:"trusting"`
	}
	var all []trustedKey
	for _, k := range keys {
		trusted := trustedKey{ID: strings.ToUpper(k.Fingerprint)}
		for _, g := range groups {
			trusted.Trusting = append(trusted.Trusting, trusting{g})
		}
		if len(groups) > 0 { // without any, the key would be trusted for everything
			all = append(all, trusted)
		}
	}
	text, err := xml.MarshalIndent(struct {
		XMLName    xml.Name `xml:"https://schema.gradle.org/dependency-verification verification-metadata"`
		Metadata   bool     `xml:"configuration>verify-metadata"`
		Signatures bool     `xml:"configuration>verify-signatures"`
		KeyServers struct {
			Enabled bool `xml:"enabled,attr"`
		} `xml:"configuration>key-servers"`
		Trusted []trustedKey `xml:"configuration>trusted-keys>trusted-key"`
		Parts   struct{}     `xml:"components"`
	}{Metadata: true, Signatures: true, Trusted: all}, "", "  ")
	return format.Document{Type: "application/xml", Data: append([]byte(xml.Header), append(text, '\n')...)}, err
}

// pgpverifyMap is a keys map of pgpverify-maven-plugin. Its last column says which keys may have signed the group's artifacts.
func pgpverifyMap(s format.Site, keys format.Keys, groups []string) []byte {
	var prints []string
	for _, k := range keys {
		prints = append(prints, "0x"+strings.ToUpper(k.Fingerprint))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The keys that sign the artifacts of the repository %s, by their groups.\n", s.Repository)
	for _, g := range groups {
		fmt.Fprintf(&b, "%s = %s\n", g, strings.Join(prints, ", "))
	}
	return b.Bytes()
}
