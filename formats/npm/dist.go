package npm

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"hallmark/formats/format"
)

// pathMost is how long the path of an upstream's tarball may be, in bytes.
const pathMost = 1024

// theirDist is what an upstream says of a tarball.
type theirDist struct {
	Integrity, Shasum, Tarball string
	FileCount                  int
	UnpackedSize               int64
	Signatures                 []signature
	Attestations               json.RawMessage
}

// readDist reads the dist of a manifest, for Follow, which has it verified, and in the same way for Describe.
func readDist(manifest []byte) (d theirDist, err error) {
	var m struct{ Dist *theirDist }
	if err := json.Unmarshal(manifest, &m); err != nil || m.Dist == nil {
		return d, format.Malformedf("the packument has a version without a dist that can be read")
	}
	return *m.Dist, nil
}

// signed returns the integrity as the signature of a registry has it, to the byte.
func (d *theirDist) signed() string {
	if d.Integrity != "" {
		return d.Integrity
	}
	sum, err := hex.DecodeString(d.Shasum)
	if err != nil {
		return ""
	}
	return "sha1-" + base64.StdEncoding.EncodeToString(sum)
}

// check returns the strongest digest of those that are signed.
func (d *theirDist) check() (string, error) {
	all := strings.Fields(d.signed())
	for _, algorithm := range algorithms {
		i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, algorithm.name+"-") })
		if i < 0 {
			continue
		}
		if _, err := parseCheck(all[i]); err != nil {
			return "", err
		}
		return all[i], nil
	}
	return "", format.Malformedf("the packument has no digest of %.200q", d.Tarball)
}

// source returns the path at which the upstream has the tarball, below its address: what follows that is the name, most
// often, and else all of the path.
func (d *theirDist) source(name string) (string, error) {
	address := d.Tarball
	if _, rest, ok := strings.Cut(address, "://"); ok {
		_, address, _ = strings.Cut(rest, "/")
	}
	address, _, _ = strings.Cut(address, "?")
	p, err := url.PathUnescape(address)
	if err != nil || len(p) > pathMost || !fs.ValidPath(p) || p == "." || strings.ContainsFunc(p, unicode.IsControl) {
		return "", format.Malformedf("the packument has a tarball at %.200q, which is no address", d.Tarball)
	}
	if i := strings.LastIndex("/"+p, "/"+name+"/-/"); i >= 0 {
		p = p[i:]
	}
	return p, nil
}

// provenance returns what an upstream says of a version's provenance, if it is where npm asks for it.
func (d *theirDist) provenance() json.RawMessage {
	var a struct {
		URL        string
		Provenance json.RawMessage
	}
	if len(d.Attestations) > aboutMost || json.Unmarshal(d.Attestations, &a) != nil || !strings.Contains(a.URL, "/"+attestationsFolder+"/") {
		return nil
	}
	return a.Provenance
}
