package rpm

import (
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
)

// fileNameLimit is the longest name of a file that file systems take, less the longest that is put behind one here.
const fileNameLimit = 255 - len(".sigstore.json")

// An identity is what a package is called. None of its parts is empty or holds anything but letters, digits and
// ". _ + ~ ^ -", the last of which is in names alone.
type identity struct {
	name, version, release, arch string
	epoch                        uint64
	partial                      bool // a source package without some of its sources
}

func identify(f *rpmfile.File) (identity, error) {
	v := values{header: f.Header}
	id := identity{
		name:    v.text(rpmfile.Name),
		version: v.text(rpmfile.Version),
		release: v.text(rpmfile.Release),
		arch:    v.text(rpmfile.Arch),
		epoch:   v.number(rpmfile.Epoch),
	}
	if v.err != nil {
		return identity{}, v.err
	}
	for _, part := range []struct{ what, text, without string }{
		{"name", id.name, "~^"},
		{"version", id.version, "-"},
		{"release", id.release, "-"},
		{"architecture", id.arch, "-.~^+"},
	} {
		switch {
		case part.text == "":
			return identity{}, format.Malformedf("the header has no %s", part.what)
		case !isWord(part.text), strings.ContainsAny(part.text, part.without), part.text[0] == '.', part.text[0] == '-':
			return identity{}, format.Malformedf("the header has the %s %.100q, with a character that cannot be there",
				part.what, part.text)
		}
	}
	if f.Source() {
		// The header has the architecture of the machine on which it was made. Its file and its metadata say src.
		id.arch = "src"
		id.partial = f.Header.Has(rpmfile.NoSource) || f.Header.Has(rpmfile.NoPatch)
	} else if id.arch == "src" || id.arch == "nosrc" {
		return identity{}, format.Malformedf("the header says that this binary package is for the architecture %q", id.arch)
	}
	if name := id.fileName(); len(name) > fileNameLimit {
		return identity{}, format.Malformedf("the name %.100q… of the package has %d bytes; %d are possible",
			name, len(name), fileNameLimit)
	}
	return id, nil
}

// fileName returns what rpmbuild calls the file.
func (id identity) fileName() string {
	arch := id.arch
	if id.partial {
		arch = "nosrc"
	}
	return id.name + "-" + id.version + "-" + id.release + "." + arch + extension
}

// evr returns epoch, version and release as rpm writes them.
func (id identity) evr() string {
	evr := id.version + "-" + id.release
	if id.epoch > 0 {
		evr = strconv.FormatUint(id.epoch, 10) + ":" + evr
	}
	return evr
}

// values reads values of a header until one of them is not what it must be. What follows the first error is empty.
type values struct {
	header *rpmfile.Header
	err    error
}

func (v *values) text(tag rpmfile.Tag) string { return read(v, tag, (*rpmfile.Header).String) }

func (v *values) texts(tag rpmfile.Tag) []string { return read(v, tag, (*rpmfile.Header).Strings) }

func (v *values) number(tag rpmfile.Tag) uint64 { return read(v, tag, (*rpmfile.Header).Number) }

func (v *values) numbers(tag rpmfile.Tag) rpmfile.Numbers {
	return read(v, tag, (*rpmfile.Header).Numbers)
}

func read[T any](v *values, tag rpmfile.Tag, get func(*rpmfile.Header, rpmfile.Tag) (T, error)) T {
	var value T
	if v.err == nil {
		value, v.err = get(v.header, tag)
	}
	return value
}
