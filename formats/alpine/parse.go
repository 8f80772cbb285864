package alpine

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// Parse reads a package to its end, and checks that its data is what .PKGINFO names. With signatures, which come to bytes
// that it has read before, it only compares the digest of the data.
//
// A folder at the end of the upload's URL that is the package's architecture is dropped, so that a package can be sent to
// the place where it will be served. A version of a package is there for all architectures or for single ones: under the
// address by which apk asks for it, both would be the same file.
func (f *Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	c, err := readContents(b)
	if err != nil {
		return format.Package{}, err
	}
	dir, err := c.info.place(op.Dir)
	if err != nil {
		return format.Package{}, err
	}
	if err := c.info.checkFile(op.Name); err != nil {
		return format.Package{}, err
	}
	check := c.checkData
	if len(sigs) > 0 {
		check = c.checkDataHash
	}
	if err := check(b); err != nil {
		return format.Package{}, err
	}
	entry, err := c.info.entry(c.checksum, b.Size())
	if err != nil {
		return format.Package{}, err
	}
	variant := c.info.arch
	if variant == noarch {
		variant = ""
	}
	return format.Package{
		Path:    path.Join(dir, c.info.arch, c.info.name+"-"+c.info.version+extension),
		Name:    c.info.name,
		Version: c.info.version,
		Arch:    c.info.arch,
		Slot:    path.Join(dir, c.info.name+"-"+c.info.version),
		Variant: variant,
		Shard:   dir,
		Entries: []format.Entry{{Group: c.info.arch, Data: entry}},
	}, nil
}

// place returns the folder of a package by that of its upload's URL.
func (p pkginfo) place(dir string) (string, error) {
	parent, last := path.Split(dir)
	parent = strings.TrimSuffix(parent, "/")
	switch {
	case last == p.arch:
		return parent, nil
	case !isKnownArch(last):
		return dir, nil
	case p.arch == noarch:
		return parent, nil // it is listed for that architecture, among others
	}
	return "", format.Malformedf("the URL is that of packages for %s, and this one is for %s", last, p.arch)
}

// checkFile refuses the name of a file that says another name, version or architecture than the package itself.
func (p pkginfo) checkFile(file string) error {
	base := strings.TrimSuffix(file, extension)
	if base == "" || base == p.name+"-"+p.version || base == p.name+"_"+p.version+"_"+p.arch {
		return nil
	}
	if name, version, ok := splitName(base); ok {
		return format.Malformedf("the file's name says %.100s %.60s, and the package in it is %s %s",
			name, version, p.name, p.version)
	}
	if name, version, arch, ok := splitUnderscored(base); ok {
		return format.Malformedf("the file's name says %.100s %.60s for %s, and the package in it is %s %s for %s",
			name, version, arch, p.name, p.version, p.arch)
	}
	return nil
}
