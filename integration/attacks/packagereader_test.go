package attacks

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"hallmark/integration/world"
	"hallmark/signing"
)

// An aptReader reads a distribution of Debian as apt does, and is stricter: it verifies what it sees against what signs
// it, digest by digest, and tells of the first thing that is not as it must be.
type aptReader struct {
	d            *depot
	get          func(path string) (answer, error)
	distribution string
	date         time.Time         // of the newest index that was seen
	checked      map[string]string // the packages whose bytes and signatures were verified, with their SHA-256
	looks        int
}

// maxNew is how many packages one look verifies that no look before has verified.
const maxNew = 20

// An entry is a package as the signed index lists it.
type entry struct{ sha256, size string }

// index returns what the signed index lists, by path below the host.
func (r *aptReader) index() (map[string]entry, error) {
	root := "/debian/dists/" + r.distribution + "/"
	document, err := r.expect(root + "InRelease")
	if err != nil {
		return nil, err
	}
	release, err := signing.VerifyClearsigned(r.d.keys["debian"].index, document)
	if err != nil {
		return nil, fmt.Errorf("InRelease: %w\n%s", err, document)
	}
	if _, err := signing.VerifyClearsigned(r.d.keys["debian"].file, document); err == nil {
		return nil, errors.New("the key of files verifies InRelease")
	}
	if err := r.dated(string(release)); err != nil {
		return nil, err
	}
	listed := make(map[string]entry)
	_, sums, _ := strings.Cut(string(release), "\nSHA256:\n")
	files := 0
	for line := range strings.Lines(sums) {
		words := strings.Fields(line)
		if !strings.HasPrefix(line, " ") || len(words) != 3 {
			break
		}
		place := root + path.Dir(words[2]) + "/by-hash/SHA256/" + words[0]
		data, err := r.expect(place)
		if err != nil {
			return nil, fmt.Errorf("the index names %s: %w", words[2], err)
		}
		if hexOf(data) != words[0] || strconv.Itoa(len(data)) != words[1] {
			return nil, fmt.Errorf("%s has %d bytes with the SHA-256 %s", place, len(data), hexOf(data))
		}
		files++
		if path.Base(words[2]) == "Packages" {
			if err := readStanzas(string(data), listed); err != nil {
				return nil, fmt.Errorf("%s: %w", words[2], err)
			}
		}
	}
	if files == 0 {
		return nil, fmt.Errorf("the index names no file:\n%s", release)
	}
	return listed, nil
}

// dated returns an error if an index is older than one that was seen before, or of the future.
func (r *aptReader) dated(release string) error {
	_, rest, _ := strings.Cut(release, "\nDate: ")
	line, _, _ := strings.Cut(rest, "\n")
	date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 MST", line)
	if err != nil {
		return err
	}
	if date.Before(r.date) || date.After(time.Now().Add(time.Second)) {
		return fmt.Errorf("the index is of %v, and %v was seen before", date, r.date)
	}
	r.date = date
	return nil
}

// readStanzas reads a file Packages.
func readStanzas(text string, listed map[string]entry) error {
	for stanza := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		if stanza == "" {
			continue
		}
		fields := make(map[string]string)
		for line := range strings.Lines(stanza) {
			if name, value, ok := strings.Cut(line, ": "); ok && line[0] != ' ' {
				fields[name] = strings.TrimSpace(value)
			}
		}
		at := "/debian/" + fields["Filename"]
		if _, twice := listed[at]; twice && fields["Architecture"] != "all" || fields["Filename"] == "" || len(fields["SHA256"]) != 64 {
			return fmt.Errorf("a stanza is listed twice, or says too little:\n%s", stanza)
		}
		listed[at] = entry{fields["SHA256"], fields["Size"]}
	}
	return nil
}

// expect returns what is at a path, which must be there.
func (r *aptReader) expect(path string) ([]byte, error) {
	w, err := r.get(path)
	if err != nil {
		return nil, err
	}
	if w.status != http.StatusOK {
		return nil, fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
	}
	return w.body, nil
}

// look reads what is visible in a folder, and then the signed index: all that was visible must be listed, and all that is
// listed must be there, with its signatures.
func (r *aptReader) look(folder string, onTheirWay []string) error {
	visible, err := r.visible(folder)
	if err != nil {
		return err
	}
	for _, at := range onTheirWay {
		w, err := r.get(at)
		if err != nil {
			return err
		}
		if w.status == http.StatusOK {
			if err := r.d.beside(r.get, "debian", at, w.body); err != nil {
				return err
			}
			visible = append(visible, at)
		} else if w.status != http.StatusNotFound {
			return fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
	}
	listed, err := r.index()
	if err != nil && len(visible) > 0 {
		return err
	}
	for _, at := range visible {
		if _, ok := listed[at]; !ok {
			return fmt.Errorf("%s was visible, and the index that was read after it does not list it", at)
		}
	}
	r.looks++
	return r.packages(listed)
}

// visible returns the packages of a folder, each of which must have its signatures there.
func (r *aptReader) visible(folder string) (all []string, err error) {
	names, err := folderNames(r.get, "/debian/"+folder)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool)
	for _, n := range names {
		there[n] = true
	}
	for _, n := range names {
		if !strings.HasSuffix(n, ".deb") {
			continue
		}
		if !there[n+".asc"] || !there[n+".sigstore.json"] {
			return nil, fmt.Errorf("the folder has %s without its signatures", n)
		}
		all = append(all, "/debian/"+folder+n)
	}
	return all, nil
}

// packages verifies some of the packages that are listed and were not verified before.
func (r *aptReader) packages(listed map[string]entry) error {
	if r.checked == nil {
		r.checked = make(map[string]string)
	}
	news := 0
	for at, e := range listed {
		if before, ok := r.checked[at]; ok && before != e.sha256 {
			return fmt.Errorf("%s was listed with the SHA-256 %s, and is now with %s", at, before, e.sha256)
		} else if ok && mathrand.IntN(50) > 0 {
			continue
		}
		if news++; news > maxNew {
			break
		}
		data, err := r.expect(at)
		if err != nil {
			return fmt.Errorf("the index lists %s: %w", at, err)
		}
		if hexOf(data) != e.sha256 || strconv.Itoa(len(data)) != e.size {
			return fmt.Errorf("%s has %d bytes with the SHA-256 %s, and the index says %s", at, len(data), hexOf(data), e.sha256)
		}
		if err := r.d.beside(r.get, "debian", at, data); err != nil {
			return err
		}
		r.checked[at] = e.sha256
	}
	return nil
}

// newReader returns a reader with connections of its own.
func (d *depot) newReader() *aptReader {
	a := newAPI(d.proxy.URL, d.api.user)
	return &aptReader{d: d, distribution: "stable", get: func(path string) (answer, error) {
		return a.try(http.MethodGet, path, nil, "Accept", "application/json")
	}}
}

// patiently makes a reader ask again while nobody answers: whoever is just being killed does not.
func (r *aptReader) patiently(ctx context.Context) *aptReader {
	a := newAPI(r.d.proxy.URL, r.d.api.user)
	r.get = func(path string) (answer, error) {
		return answered(ctx, func() (answer, error) {
			return a.send(ctx, http.MethodGet, path, nil, "Accept", "application/json")
		})
	}
	return r
}

// answered asks until somebody answers. Any answer counts.
func answered(ctx context.Context, ask func() (answer, error)) (w answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, world.Patience)
	defer cancel()
	for pause := time.NewTicker(3 * time.Millisecond); ; {
		if w, err = ask(); err == nil {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return w, err
		case <-pause.C: // the proxy is being started
		}
	}
}

// A crowd uploads packages, and knows which of them were answered.
type crowd struct {
	mu           sync.Mutex
	onTheirWay   map[string]bool   // by path below the host
	acknowledged map[string]string // with the SHA-256 of what was uploaded
}

// crowdFolder is where the packages of a crowd are, which all come from one source.
const crowdFolder = "pool/stable/main/c/crowd/"

// next returns a package that is like no other, and where it will be.
func (c *crowd) next(n int) (body []byte, file, at string) {
	p := deb{name: fmt.Sprintf("crowd%d", n), more: "Source: crowd\n", noise: mathrand.IntN(20_000)}
	file = p.name + "_1.0_amd64.deb"
	at = "/debian/" + crowdFolder + file
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onTheirWay == nil {
		c.onTheirWay, c.acknowledged = make(map[string]bool), make(map[string]string)
	}
	c.onTheirWay[at] = true
	return p.build(), file, at
}

// answered notes that a package was acknowledged.
func (c *crowd) answered(at string, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.onTheirWay, at)
	c.acknowledged[at] = hexOf(body)
}

// some returns packages that are on their way.
func (c *crowd) some() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := range c.onTheirWay {
		all = append(all, at)
	}
	return all
}

// count returns how many packages were acknowledged.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acknowledged)
}
