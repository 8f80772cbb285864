package debian

import (
	"archive/tar"
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/ar"
	"hallmark/formats/internal/deb822"
	"hallmark/formats/internal/tarball"
)

// The limits of a binary package. The control member's are generous: its md5sums has a line for each file.
const (
	maxControlPacked   = 4 << 20
	maxControlUnpacked = 16 << 20
	maxControlEntries  = 1000
	maxOriginSignature = 64 << 10

	// Up to this size, the control member is read at once.
	smallControl = 64 << 10
)

const (
	binaryMember    = "debian-binary"
	signatureMember = "_gpgorigin"
	formatVersion   = "2.0\n"
)

// debMembers are the members of a .deb (deb(5)). signed is nil if nobody has signed it.
type debMembers struct {
	version, control, data ar.Member
	signed                 *ar.Member
}

// readMembers finds the members of a .deb. It takes no others than those that dpkg needs and a signature by the origin.
func readMembers(b format.Blob) (debMembers, error) {
	members, err := ar.Members(b, b.Size())
	if err != nil {
		return debMembers{}, in("the file is no Debian package", err)
	}
	if len(members) < 3 {
		return debMembers{}, format.Malformedf("the file is no Debian package: it has %d members in place of "+
			"debian-binary, control.tar and data.tar", len(members))
	}
	m := debMembers{version: members[0], control: members[1], data: members[2]}
	version := make([]byte, len(formatVersion))
	if m.version.Name != binaryMember || m.version.Size != int64(len(version)) {
		return debMembers{}, format.Malformedf("the file is no Debian package: its first member is not " +
			"debian-binary with the text 2.0")
	}
	if n, err := b.ReadAt(version, m.version.Offset); n < len(version) {
		return debMembers{}, err
	}
	if string(version) != formatVersion {
		return debMembers{}, format.Malformedf("the Debian package has the version %q of the format, and 2.0 "+
			"alone is known", version)
	}
	if err := checkTar(b, m.control, "control.tar"); err != nil {
		return debMembers{}, err
	}
	if err := checkTar(b, m.data, "data.tar"); err != nil {
		return debMembers{}, err
	}
	if m.control.Size > maxControlPacked {
		return debMembers{}, format.Malformedf("the Debian package has a control member of %d bytes, and %d are "+
			"allowed", m.control.Size, maxControlPacked)
	}
	for i, other := range members[3:] {
		if i > 0 || other.Name != signatureMember {
			return debMembers{}, format.Malformedf("the Debian package has a member %q after data.tar, where %s "+
				"alone may stand", other.Name, signatureMember)
		}
		if other.Size == 0 || other.Size > maxOriginSignature {
			return debMembers{}, format.Malformedf("the Debian package has a member %s of %d bytes, and from 1 to "+
				"%d are allowed", other.Name, other.Size, maxOriginSignature)
		}
		m.signed = &other
	}
	return m, nil
}

// checkTar checks that a member is a tar archive, as its name says.
func checkTar(b format.Blob, m ar.Member, name string) error {
	suffix, ok := strings.CutPrefix(m.Name, name)
	want, known := debCompression(suffix)
	if !ok || !known {
		return format.Malformedf("the Debian package has the member %q where %s stands, perhaps with .gz, .xz or "+
			".zst", m.Name, name)
	}
	head := make([]byte, min(16, m.Size))
	if n, err := b.ReadAt(head, m.Offset); n < len(head) {
		return err
	}
	if len(head) < 14 || tarball.Sniff(head) != want {
		return format.Malformedf("the Debian package has a member %q that is not what its name says", m.Name)
	}
	return nil
}

// debCompression returns the compression that the end of a member's name stands for. dpkg reads two more of data.tar than
// of control.tar, which are refused when they are unpacked.
func debCompression(suffix string) (c tarball.Compression, ok bool) {
	switch suffix {
	case "":
		return tarball.None, true
	case ".gz":
		return tarball.Gzip, true
	case ".xz":
		return tarball.XZ, true
	case ".zst":
		return tarball.Zstd, true
	case ".bz2":
		return tarball.Bzip2, true
	case ".lzma":
		return tarball.LZMA, true
	}
	return "", false
}

// parseDeb reads a binary package.
func parseDeb(op format.Op, b format.Blob) (format.Package, error) {
	members, err := readMembers(b)
	if err != nil {
		return format.Package{}, err
	}
	text, err := readControl(b, members.control)
	if err != nil {
		return format.Package{}, err
	}
	c, err := parseControl(text)
	if err != nil {
		return format.Package{}, err
	}
	if op.Name != "" {
		if err := c.checkFileName(op.Name); err != nil {
			return format.Package{}, err
		}
	}
	at := placeOf(op)
	p := format.Package{
		Path:    path.Join(at.pool(c.source), c.fileName()),
		Name:    c.name,
		Version: c.version,
		Arch:    c.arch,
		Shard:   at.distribution,
		Waits:   op.Waits,
	}
	if op.Waits {
		p.Set = op.Dir
	}
	stanza := make([]byte, 0, len(text)+len(p.Path)+200)
	for _, field := range c.fields {
		stanza = deb822.Append(stanza, field)
	}
	stanza = deb822.Append(stanza, deb822.Field{Name: "Filename", Value: p.Path})
	stanza = deb822.Append(stanza, deb822.Field{Name: "Size", Value: strconv.FormatInt(b.Size(), 10)})
	stanza = deb822.Append(stanza, deb822.Field{Name: "SHA256", Value: hex.EncodeToString(b.Digest(crypto.SHA256))})
	p.Entries = []format.Entry{{Group: group(at.component, c.arch), Data: append(stanza, '\n')}}
	return p, nil
}

// readControl returns the file control of a package's control member, all of which it reads.
func readControl(b format.Blob, m ar.Member) ([]byte, error) {
	var packed io.Reader = io.NewSectionReader(b, m.Offset, m.Size)
	if m.Size <= smallControl {
		data := make([]byte, m.Size)
		if n, err := b.ReadAt(data, m.Offset); n < len(data) {
			return nil, err
		}
		packed = bytes.NewReader(data)
	}
	unpacked, err := tarball.Decompress(packed, maxControlUnpacked)
	if err != nil {
		return nil, inMember(m, err)
	}
	defer unpacked.Close()
	var text []byte
	limits := tarball.Limits{Entries: maxControlEntries, Size: maxControlUnpacked}
	err = tarball.Walk(unpacked, limits, func(h *tar.Header, r io.Reader) error {
		switch {
		case h.Typeflag == tar.TypeDir:
			return nil
		case h.Typeflag != tar.TypeReg:
			return format.Malformedf("it holds %.100q, which is neither a file nor a folder", h.Name)
		case h.Name != "control":
			return nil
		case h.Size > maxText:
			return format.Malformedf("its file control has %d bytes, and %d are allowed", h.Size, maxText)
		}
		text = make([]byte, h.Size)
		_, err := io.ReadFull(r, text)
		return err
	})
	if err == nil && text == nil {
		err = format.Malformedf("it holds no file control")
	}
	if err != nil {
		return nil, inMember(m, err)
	}
	return text, nil
}

// inMember says in which member of a package something is wrong.
func inMember(m ar.Member, err error) error {
	return in("the Debian package is broken in "+m.Name, err)
}

// in puts a line of context before what is wrong with a file. Errors of reading it stay as they are.
func in(context string, err error) error {
	if errors.Is(err, format.ErrMalformed) {
		return format.Malformedf("%s: %v", context, err)
	}
	return err
}
