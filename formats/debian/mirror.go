package debian

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/deb822"
	"hallmark/formats/internal/tarball"
	"hallmark/signing/scheme"
)

// The most bytes that files of an upstream's index may have, packed and unpacked.
const (
	maxRelease  = 16 << 20
	maxPacked   = 1 << 30
	maxUnpacked = 4 << 30
)

// forms are the ends of the names of an index that can be read, the best first.
var forms = [...]string{".xz", ".gz", ".zst", ""}

var _ format.Mirror = (*Format)(nil)

// Scope implements [format.Mirror]. A scope is a distribution.
func (f *Format) Scope(p string) (string, bool) {
	rest, ok := strings.CutPrefix(p, "dists/")
	distribution, name, below := strings.Cut(rest, "/")
	return distribution, ok && below && name != "" && isSegment(distribution)
}

// Follow implements [format.Mirror]. It reads InRelease or, where there is none, Release and Release.gpg, and every Packages
// and Sources that they name. A stanza of Sources is emitted for each of its files. Contents, the metadata of app stores
// and differences of indexes are left out: apt does without.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	if !isSegment(scope) {
		return format.Edition{}, format.NotFoundf("%.100q cannot be the name of a distribution", scope)
	}
	m := mirror{upstream: u, root: "dists/" + scope + "/"}
	text, err := m.fetchRelease()
	if err != nil {
		return format.Edition{}, err
	}
	if m.release, err = parseRelease(text); err != nil {
		return format.Edition{}, in("the Release of "+scope+" is broken", err)
	}
	for _, component := range m.components {
		for _, arch := range m.architectures {
			if !f.follows(arch) {
				continue
			}
			if err := m.follow(path.Join(component, "binary-"+arch, "Packages"), component, m.emitPackage); err != nil {
				return format.Edition{}, err
			}
		}
		if f.follows(archSource) {
			if err := m.follow(path.Join(component, archSource, "Sources"), component, m.emitSource); err != nil {
				return format.Edition{}, err
			}
		}
		if err := m.emitTranslations(component); err != nil {
			return format.Edition{}, err
		}
	}
	return format.Edition{Shard: scope, Order: m.order, Until: m.until}, nil
}

// follows reports whether packages for an architecture, or sources, are listed that an upstream has.
func (f *Format) follows(arch string) bool {
	wanted := f.settings.UpstreamArchitectures
	return len(wanted) == 0 || arch == archAll || slices.Contains(wanted, arch)
}

// A mirror is one run of Follow.
type mirror struct {
	upstream format.Upstream
	root     string
	release
}

// fetchRelease returns what the signed Release says.
func (m *mirror) fetchRelease() ([]byte, error) {
	document, err := m.read("InRelease")
	if err == nil {
		return m.upstream.Cleartext(document)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := m.read("Release")
	if err != nil {
		return nil, err
	}
	signature, err := m.read("Release.gpg")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, err = m.upstream.Verify(scheme.OpenPGPArmored, bytes.NewReader(text), signature)
	return text, err
}

// read returns a small file that nothing else names.
func (m *mirror) read(name string) ([]byte, error) {
	b, err := m.upstream.Fetch(m.root+name, format.Wanted{Limit: maxRelease})
	if err != nil {
		return nil, err
	}
	data := make([]byte, b.Size())
	_, err = io.ReadFull(io.NewSectionReader(b, 0, b.Size()), data)
	return data, err
}

// follow emits the stanzas of an index, of which any form may be there. An index that Release does not name has none.
func (m *mirror) follow(name, component string, emit func(part, component string, stanza []byte) error) error {
	named := false
	for _, form := range forms {
		file, ok := m.files[name+form]
		if !ok {
			continue
		}
		if !named && m.upstream.Known(name, file.digest) {
			return nil
		}
		named = true
		b, err := m.fetch(name+form, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		unpacked, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), maxUnpacked)
		if err != nil {
			return in(name+form+" of the upstream is broken", err)
		}
		unpacked = tarball.Ahead(unpacked)
		defer unpacked.Close()
		return in(name+form+" of the upstream is broken", eachStanza(unpacked, func(stanza []byte) error {
			return emit(name, component, stanza)
		}))
	}
	if named {
		return format.Malformedf("the upstream has no %s, which its Release names", name)
	}
	return nil
}

// fetch returns a file that Release names, by its digest where the upstream has it so.
func (m *mirror) fetch(name string, file releaseFile) (format.Blob, error) {
	want := format.Wanted{Limit: maxPacked, SHA256: file.digest, Size: file.size}
	if m.byHash {
		b, err := m.upstream.Fetch(m.root+byHash(name, file.digest), want)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return m.upstream.Fetch(m.root+name, want)
}

// byHash returns the name of an index file that tells its digest.
func byHash(name string, digest []byte) string {
	return path.Join(path.Dir(name), "by-hash", "SHA256", hex.EncodeToString(digest))
}

func (m *mirror) emitPackage(part, component string, stanza []byte) error {
	return m.upstream.Emit(part, component, stanza)
}

// emitSource emits a stanza of Sources once for each file, which its context names.
func (m *mirror) emitSource(part, component string, stanza []byte) error {
	fields, err := deb822.Parse(stanza)
	if err != nil {
		return err
	}
	files, err := parseList(fields, "Checksums-Sha256", 64, 0)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := m.upstream.Emit(part, sourceContext(component, file.name), stanza); err != nil {
			return err
		}
	}
	return nil
}

// emitTranslations emits, for each language that a component's descriptions are translated to, the line of Release of the
// best form, and behind it that of the plain one, which apt wants named.
func (m *mirror) emitTranslations(component string) error {
	languages := map[string]string{} // the plain name → the best
	for _, form := range []string{"", ".gz", ".bz2", ".xz"} {
		for name := range m.files {
			plain, ok := strings.CutSuffix(name, form)
			if ok && path.Dir(plain) == component+"/"+translations && strings.HasPrefix(path.Base(plain), "Translation-") &&
				!strings.Contains(path.Base(plain), ".") {
				languages[plain] = name
			}
		}
	}
	var names []string
	for plain := range languages {
		names = append(names, plain)
	}
	slices.Sort(names)
	for _, plain := range names {
		best := languages[plain]
		lines := m.files[best].line(best)
		if file, ok := m.files[plain]; ok && best != plain {
			lines += file.line(plain)
		}
		if err := m.upstream.Emit(translations, translationContext(component, m.byHash), []byte(lines)); err != nil {
			return err
		}
	}
	return nil
}
