package arch

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// The prefixes of groups: the entries of the databases, and those of the databases with lists of files.
const (
	groupDatabase = "db/"
	groupFiles    = "files/"
)

// Parse reads a package to its end, both times: the list of its files stands nowhere else. That takes as long as unpacking it.
//
// A folder at the end of the upload's URL that is the package's architecture is dropped, so that a package can be sent to
// the place where it will be served. A package takes the place of older versions of its name for the same architecture; one
// for all architectures takes those of each, and the other way round, since a database lists a name once.
func (f *Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	c, err := readContents(b)
	if err != nil {
		return format.Package{}, err
	}
	dir, file, err := c.info.place(op, b)
	if err != nil {
		return format.Package{}, err
	}
	var sig []byte
	for _, s := range sigs {
		if s.Seal == sealPackage {
			sig = s.Value
		}
	}
	database, files, err := c.entries(file, b, sig)
	if err != nil {
		return format.Package{}, err
	}
	variant := c.info.arch()
	if variant == archAny {
		variant = ""
	}
	return format.Package{
		Path:    path.Join(dir, c.info.arch(), file),
		Name:    c.info.name(),
		Version: c.info.version(),
		Arch:    c.info.arch(),
		Slot:    path.Join(dir, c.info.name()),
		Variant: variant,
		Shard:   dir,
		Entries: []format.Entry{
			{Group: groupDatabase + c.info.arch(), Data: database},
			{Group: groupFiles + c.info.arch(), Data: files},
		},
	}, nil
}

// place returns the folder and the name of a package's file. The URL of its upload must not say otherwise.
func (p pkginfo) place(op format.Op, b format.Blob) (dir, file string, err error) {
	extension, err := compression(b)
	if err != nil {
		return "", "", err
	}
	base := p.name() + "-" + p.version() + "-" + p.arch()
	if given, ext, ok := cutExtension(op.Name); ok {
		switch parts := fileForm.FindStringSubmatch(given); {
		case ext != extension:
			return "", "", format.Malformedf("the file's name ends in %s, and by its compression it must end in %s", ext, extension)
		case given != base && parts != nil:
			return "", "", format.Malformedf("the file's name says %.100s %.60s for %.40s, and the package in it is %s %s for %s",
				parts[1], parts[2], parts[3], p.name(), p.version(), p.arch())
		}
	}
	dir = op.Dir
	parent, last := path.Split(dir)
	switch {
	case last == p.arch(), p.arch() == archAny && isKnownArch(last):
		dir = strings.TrimSuffix(parent, "/")
	case isKnownArch(last):
		return "", "", format.Malformedf("the URL is that of packages for %s, and this one is for %s", last, p.arch())
	}
	// The last folder names the database, and pacman has its own meaning for these two.
	if last := path.Base(dir); last == "local" || last == "options" {
		return "", "", format.Malformedf("a database cannot be called %s: upload the package to another folder", last)
	}
	return dir, base + extension, nil
}
