package ruby

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	maxVersionsFile = 64 << 20 // bytes of an upstream's versions
	maxInfo         = 8 << 20
	maxSignature    = 64 << 10
	maxLine         = 64 << 10 // of info
	maxGems         = 20_000   // by name in versions, and by version in the older index
)

// Scope returns the one scope of an upstream: its index is one, whatever it is made of.
func (f *Format) Scope(p string) (scope string, ok bool) {
	return "", p != "" && !strings.HasSuffix(p, "/")
}

// Follow reads the compact index of an upstream: versions, and info of each gem of which that says something new, by the MD5 that
// it says. Signatures are beside the files, as this repository has them. Where the upstream is trusted without a key and has no
// compact index, as a tree by "gem generate_index" has none, it reads the older one.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	versions, err := fetchSigned(u, versionsFile, maxVersionsFile)
	if errors.Is(err, fs.ErrNotExist) && trustsAnything(u) {
		return format.Edition{}, f.followSpecs(u)
	}
	if err != nil {
		return format.Edition{}, err
	}
	sums, names, err := parseVersions(versions, f.follows)
	if err != nil {
		return format.Edition{}, err
	}
	if len(names) > maxGems {
		return format.Edition{}, tooMany(len(names))
	}
	for _, name := range names {
		if err := followInfo(u, name, sums[name]); err != nil {
			return format.Edition{}, err
		}
	}
	return format.Edition{}, nil
}

// follows reports whether a gem is listed that an upstream has.
func (f *Format) follows(name string) bool {
	wanted := f.settings.UpstreamGems
	return len(wanted) == 0 || slices.Contains(wanted, name)
}

// tooMany is for an upstream whose gems cannot be looked at one by one before a client is answered.
func tooMany(gems int) error {
	return format.Malformedf("the upstream has %d gems, and at most %d are listed: name those that you need, and what they depend on, "+
		"in upstream_gems", gems, maxGems)
}

// trustsAnything reports whether the upstream is trusted without a key: only then is no signature at all a good one.
func trustsAnything(u format.Upstream) bool {
	_, err := u.Verify(scheme.OpenPGPArmored, strings.NewReader(""), nil)
	return err == nil
}

// fetchSigned returns a file of the index, whose signature beside it is verified.
func fetchSigned(u format.Upstream, p string, limit int64) ([]byte, error) {
	b, err := u.Fetch(p, format.Wanted{Limit: limit})
	if err != nil {
		return nil, err
	}
	data, err := readAll(b)
	if err != nil {
		return nil, err
	}
	var sig []byte
	switch b, err := u.Fetch(p+signature, format.Wanted{Limit: maxSignature}); {
	case err == nil:
		if sig, err = readAll(b); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	_, err = u.Verify(scheme.OpenPGPArmored, bytes.NewReader(data), sig)
	return data, err
}

func readAll(b format.Blob) ([]byte, error) { return io.ReadAll(io.NewSectionReader(b, 0, b.Size())) }

// belongs makes a file that an index names and that is missing a fault of the index.
func belongs(p string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return format.Malformedf("the upstream's index names %.200q, which it does not have", p)
	}
	return err
}

// parseVersions returns the MD5 of the info of each gem that is wanted, in hex, and the names in their order. A gem may have
// several lines, of which the last counts; rubygems.org adds to the file.
func parseVersions(text []byte, wanted func(string) bool) (sums map[string]string, names []string, err error) {
	_, body, ok := bytes.Cut(text, []byte("\n---\n"))
	if !ok {
		return nil, nil, format.Malformedf("the upstream's %s has no line --- before its gems", versionsFile)
	}
	sums = map[string]string{}
	for line := range bytes.Lines(body) {
		fields := strings.Split(strings.TrimSuffix(string(line), "\n"), " ")
		if len(fields) != 3 {
			return nil, nil, format.Malformedf("the upstream's %s has the line %.100q, which is not a name, versions and an MD5", versionsFile, line)
		}
		if !wanted(fields[0]) {
			continue
		}
		sum, err := hex.DecodeString(fields[2])
		if err != nil || len(sum) != md5.Size {
			return nil, nil, format.Malformedf("the upstream's %s has no MD5 of the info of %.100q", versionsFile, fields[0])
		}
		if err := checkName(fields[0]); err != nil {
			return nil, nil, err
		}
		if _, again := sums[fields[0]]; !again {
			names = append(names, fields[0])
		}
		sums[fields[0]] = fields[2]
	}
	return sums, names, nil
}

// stanza returns a line of info with the name of its gem before it.
func stanza(name string, line []byte) []byte { return append([]byte(name+" "), line...) }

// followInfo emits the lines of a gem's info.
func followInfo(u format.Upstream, name, sum string) error {
	known := sha256.Sum256([]byte(name + " " + sum))
	if u.Known(name, known[:]) {
		return nil
	}
	info, err := fetchSigned(u, infoFolder+name, maxInfo)
	if err != nil {
		return belongs(infoFolder+name, err)
	}
	if got := md5.Sum(info); !strings.EqualFold(hex.EncodeToString(got[:]), sum) {
		return format.Malformedf("the upstream's info of %s is not the one that its %s means", name, versionsFile)
	}
	_, body, ok := bytes.Cut(append([]byte("\n"), info...), []byte("\n---\n"))
	if !ok {
		return format.Malformedf("the upstream's info of %s has no line --- before its versions", name)
	}
	for line := range bytes.Lines(body) {
		if len(line) > maxLine || !bytes.HasSuffix(line, []byte("\n")) {
			return format.Malformedf("the upstream's info of %s has a line that is too long or has no end", name)
		}
		if err := u.Emit(name, "", stanza(name, line)); err != nil {
			return err
		}
	}
	return nil
}
