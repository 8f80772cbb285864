package debian

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// dateFormat is that of a Release's dates. They are in UTC.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 UTC"

// group returns the group of a package's entry. Every shard is a distribution.
func group(component, arch string) string { return component + "/" + arch }

// Index emits, for a distribution, Release with its two signatures, and Packages and Sources, plain and packed, under
// their names and under those that tell their digests.
//
// Packages of every architecture show those of "all", too, for clients that know no better, and the index of "all" alone
// is there for those that want it: this is what No-Support-for-Architecture-all says. The order of stanzas means nothing
// to apt, so that an added package changes the end of its index alone.
func (f *Format) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	root := path.Join("dists", in.Name())
	d := f.distribution(in.Groups())
	listings := d.listings()
	listed, err := in.List(listings...)
	if err != nil {
		return err
	}
	if len(listed) != len(listings) {
		return fmt.Errorf("%d listings came back for %d", len(listed), len(listings))
	}
	var sums []indexFile
	for i, listing := range listings {
		for _, encoding := range listing.Encodings {
			file, ok := listed[i].Files[encoding]
			if !ok {
				return fmt.Errorf("the listing %s came back without its encoding %s", listing.Name, encoding)
			}
			sum := indexFile{
				name:   listing.Name + suffixOf(encoding),
				size:   file.Size,
				sha256: hex.EncodeToString(file.Digests[crypto.SHA256]),
			}
			sums = append(sums, sum)
			for _, name := range []string{sum.name, path.Join(path.Dir(sum.name), "by-hash", "SHA256", sum.sha256)} {
				err := emit(format.File{
					Path:     path.Join(root, name),
					Listing:  listing.Name,
					Encoding: encoding,
					Lasting:  name != sum.name,
				})
				if err != nil {
					return err
				}
			}
		}
	}
	extra, err := extraLines(in)
	if err != nil {
		return err
	}
	return emit(format.File{
		Path: root + "/Release",
		Data: append(f.release(in.Name(), s, d, sums), extra...),
		Sealing: format.Sealing{Seals: []format.Seal{
			{Name: "InRelease", Scheme: scheme.OpenPGPClearsigned, Purpose: scheme.Index, Path: root + "/InRelease"},
			// apt takes no other than an armored one.
			{Name: "Release.gpg", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: root + "/Release.gpg"},
		}},
	})
}

// A distribution is what a shard consists of.
type distribution struct {
	components    []string
	architectures []string // with "all"
	sources       []string // the components that have sources
}

// distribution reads the groups of a shard. The architectures are those that it ever had and those of the settings, the
// same for all components: apt complains of a component that has fewer.
func (f *Format) distribution(groups []format.Group) distribution {
	d := distribution{architectures: append([]string{archAll}, f.settings.Architectures...)}
	for _, g := range groups {
		if g.Name == groupExtra {
			continue
		}
		component, arch, _ := strings.Cut(g.Name, "/")
		d.components = append(d.components, component)
		if arch == archSource {
			d.sources = append(d.sources, component)
		} else {
			d.architectures = append(d.architectures, arch)
		}
	}
	for _, names := range []*[]string{&d.components, &d.architectures, &d.sources} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return d
}

// listings returns the big indexes of a distribution, by their paths below it.
func (d distribution) listings() []format.Listing {
	var listings []format.Listing
	add := func(name string, groups ...string) {
		listings = append(listings, format.Listing{
			Name: name, Groups: groups, Encodings: []format.Encoding{format.Plain, format.Gzip},
		})
	}
	for _, component := range d.components {
		for _, arch := range d.architectures {
			groups := []string{group(component, arch)}
			if arch != archAll {
				groups = append(groups, group(component, archAll))
			}
			add(path.Join(component, "binary-"+arch, "Packages"), groups...)
		}
		if slices.Contains(d.sources, component) {
			add(path.Join(component, archSource, "Sources"), group(component, archSource))
		}
	}
	return listings
}

func suffixOf(e format.Encoding) string {
	if e == format.Gzip {
		return ".gz"
	}
	return ""
}

// An indexFile is a file that Release names.
type indexFile struct {
	name, sha256 string
	size         int64
}

// release returns the file Release of a distribution. Suite and Codename are its name, so that nothing of what apt
// remembers of a repository ever changes by itself. apt wants the plain files named, too, whichever it fetches.
func (f *Format) release(name string, s format.Site, d distribution, files []indexFile) []byte {
	var b bytes.Buffer
	field := func(name, value string) { b.WriteString(name + ": " + value + "\n") }
	field("Origin", f.settings.Origin)
	field("Label", f.settings.Label)
	field("Suite", name)
	field("Codename", name)
	field("Date", s.Date.UTC().Format(dateFormat))
	if until := f.validUntil(s); !until.IsZero() {
		field("Valid-Until", until.UTC().Format(dateFormat))
	}
	field("Acquire-By-Hash", "yes")
	field("No-Support-for-Architecture-all", "Packages")
	field("Architectures", strings.Join(d.architectures, " "))
	field("Components", strings.Join(d.components, " "))
	b.WriteString("SHA256:\n")
	for _, file := range files {
		fmt.Fprintf(&b, " %s %d %s\n", file.sha256, file.size, file.name)
	}
	return b.Bytes()
}

// validUntil returns the end of an index's validity, or zero. It is not later than that of the upstream's.
func (f *Format) validUntil(s format.Site) time.Time {
	var until time.Time
	if f.settings.ValidFor > 0 {
		until = s.Date.Add(f.settings.ValidFor)
	}
	if s.Behind != nil && !s.Behind.Until.IsZero() && (until.IsZero() || s.Behind.Until.Before(until)) {
		until = s.Behind.Until
	}
	return until
}

// extraLines returns the lines for the upstream's files that stand beside the listings, each once and in their order.
func extraLines(in format.Shard) ([]byte, error) {
	if !slices.ContainsFunc(in.Groups(), func(g format.Group) bool { return g.Name == groupExtra && g.Count > 0 }) {
		return nil, nil
	}
	entries, err := in.Entries(groupExtra)
	if err != nil {
		return nil, err
	}
	lines := slices.Collect(bytes.Lines(bytes.Join(entries, nil)))
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(slices.CompactFunc(lines, bytes.Equal), nil), nil
}
