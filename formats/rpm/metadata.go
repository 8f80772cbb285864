package rpm

import (
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
)

// changelogLimit is how many changes the metadata has, as with createrepo_c.
const changelogLimit = 10

// metadata is what repodata says of a package. The elements are those of createrepo_c (src/xml_dump_primary.c,
// xml_dump_filelists.c, xml_dump_other.c); the times are the package's own, so that the same bytes always give the same
// metadata.
type metadata struct {
	identity
	digest string // SHA-256 of the file, in hexadecimal digits

	summary, description, packager, url          string
	license, vendor, group, buildHost, sourceRPM string
	built, installed, archive                    uint64
	packageSize, headerOffset, payloadOffset     int64
	related                                      [len(relations)][]dependency
	files                                        files
	changes                                      []change
}

// A change is an entry of the changelog.
type change struct {
	time         uint64 // seconds since 1970
	author, text string
}

func describe(f *rpmfile.File, id identity, digest string) (*metadata, error) {
	v, sig := values{header: f.Header}, values{header: f.Signature}
	m := &metadata{
		identity:    id,
		digest:      digest,
		summary:     v.text(rpmfile.Summary),
		description: v.text(rpmfile.Description),
		packager:    v.text(rpmfile.Packager),
		url:         v.text(rpmfile.URL),
		license:     v.text(rpmfile.License),
		vendor:      v.text(rpmfile.Vendor),
		group:       v.text(rpmfile.Group),
		buildHost:   v.text(rpmfile.BuildHost),
		sourceRPM:   v.text(rpmfile.SourceRPM),
		built:       v.number(rpmfile.BuildTime),
		installed:   max(v.number(rpmfile.LongSize), v.number(rpmfile.Size)),
		archive: max(sig.number(rpmfile.SigLongPayloadSize), sig.number(rpmfile.SigPayloadSize),
			v.number(rpmfile.ArchiveSize)),
		packageSize:   f.Size,
		headerOffset:  f.HeaderOffset,
		payloadOffset: f.PayloadOffset,
	}
	payload := v.text(rpmfile.PayloadFormat)
	if v.err != nil {
		return nil, v.err
	}
	if sig.err != nil {
		return nil, sig.err
	}
	if payload != "" && payload != "cpio" {
		return nil, format.Malformedf("the payload of this .rpm is a %.20q: packages have a cpio archive, "+
			"and deltas are not kept here", payload)
	}
	var err error
	if m.files, err = listFiles(f); err != nil {
		return nil, err
	}
	for i, r := range relations {
		if m.related[i], err = dependencies(f.Header, r); err != nil {
			return nil, err
		}
	}
	m.related[1] = needed(m.related[1], m.related[0], m.files)
	if m.changes, err = changelog(f.Header); err != nil {
		return nil, err
	}
	return m, nil
}

// changelog returns the newest changes, the oldest of them first. Readers tell changes apart by their time, so that of
// those with the same one each newer gets a second more, as createrepo_c does it.
func changelog(h *rpmfile.Header) ([]change, error) {
	v := values{header: h}
	times, authors, texts := v.numbers(rpmfile.ChangelogTime), v.texts(rpmfile.ChangelogName), v.texts(rpmfile.ChangelogText)
	if v.err != nil {
		return nil, v.err
	}
	if times.Len() != len(authors) || len(authors) != len(texts) {
		return nil, format.Malformedf("the changelog of the header has %d times, %d authors and %d texts",
			times.Len(), len(authors), len(texts))
	}
	var changes []change
	for i := range min(len(texts), changelogLimit) {
		changes = append(changes, change{times.At(i), strings.TrimRight(authors[i], " "), texts[i]})
	}
	slices.Reverse(changes)
	before := uint64(0)
	for i := range changes {
		own := changes[i].time
		if i > 0 && own >= before && own <= changes[i-1].time {
			changes[i].time = changes[i-1].time + 1
		}
		before = own
	}
	return changes, nil
}

// primary writes the package's element of the primary metadata.
func (m *metadata) primary(d *document) {
	d.raw("<package type=\"rpm\">\n")
	d.element("  ", "name", m.name)
	d.element("  ", "arch", m.arch)
	m.writeVersion(d)
	d.raw(`  <checksum type="sha256" pkgid="YES">`, m.digest, "</checksum>\n")
	d.element("  ", "summary", m.summary)
	d.element("  ", "description", m.description)
	d.element("  ", "packager", m.packager)
	d.element("  ", "url", m.url)
	d.raw("  <time")
	d.attr("file", decimal(m.built))
	d.attr("build", decimal(m.built))
	d.raw("/>\n  <size")
	d.attr("package", decimal(m.packageSize))
	d.attr("installed", decimal(m.installed))
	d.attr("archive", decimal(m.archive))
	d.raw("/>\n  <location")
	d.attr("href", m.fileName())
	d.raw("/>\n  <format>\n")
	d.element("    ", "rpm:license", m.license)
	d.element("    ", "rpm:vendor", m.vendor)
	d.element("    ", "rpm:group", m.group)
	d.element("    ", "rpm:buildhost", m.buildHost)
	d.element("    ", "rpm:sourcerpm", m.sourceRPM)
	d.raw("    <rpm:header-range")
	d.attr("start", decimal(m.headerOffset))
	d.attr("end", decimal(m.payloadOffset))
	d.raw("/>\n")
	for i, r := range relations {
		writeDependencies(d, r.element, m.related[i])
	}
	for p, kind := range m.files.paths() {
		if isPrimary(p) {
			d.raw("  ")
			writeFile(d, p, kind)
		}
	}
	d.raw("  </format>\n</package>\n")
}

func writeDependencies(d *document, element string, all []dependency) {
	if len(all) == 0 {
		return
	}
	d.raw("    <rpm:", element, ">\n")
	for _, one := range all {
		d.raw("      <rpm:entry")
		d.attr("name", one.name)
		if one.sense != "" && one.version != "" {
			epoch, version, release := evr(one.version)
			d.attr("flags", one.sense)
			d.attr("epoch", epoch)
			d.attr("ver", version)
			if release != "" {
				d.attr("rel", release)
			}
		}
		if one.pre {
			d.raw(` pre="1"`)
		}
		d.raw("/>\n")
	}
	d.raw("    </rpm:", element, ">\n")
}

// filelists writes the package's element of the filelists metadata.
func (m *metadata) filelists(d *document) {
	m.open(d)
	for p, kind := range m.files.paths() {
		writeFile(d, p, kind)
	}
	d.raw("</package>\n")
}

// other writes the package's element of the other metadata: its changelog.
func (m *metadata) other(d *document) {
	m.open(d)
	for _, c := range m.changes {
		d.raw("  <changelog")
		d.attr("author", c.author)
		d.attr("date", decimal(c.time))
		d.raw(">")
		d.escape(c.text, false)
		d.raw("</changelog>\n")
	}
	d.raw("</package>\n")
}

// open begins the package's element of filelists or other.
func (m *metadata) open(d *document) {
	d.raw("<package")
	d.attr("pkgid", m.digest)
	d.attr("name", m.name)
	d.attr("arch", m.arch)
	d.raw(">\n")
	m.writeVersion(d)
}

func (m *metadata) writeVersion(d *document) {
	d.raw("  <version")
	d.attr("epoch", decimal(m.epoch))
	d.attr("ver", m.version)
	d.attr("rel", m.release)
	d.raw("/>\n")
}

func writeFile(d *document, p, kind string) {
	d.raw("  <file")
	if kind != "" {
		d.attr("type", kind)
	}
	d.raw(">")
	d.escape(p, false)
	d.raw("</file>\n")
}

func decimal[N int64 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }
