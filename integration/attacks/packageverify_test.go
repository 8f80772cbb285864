package attacks

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: what was signed is what is there. proxy repo verify finds the first lie, on a stopped server's data and through
// the running one, and says where it is; reindex mends what can be made again.

// blobOf returns the file in which the storage keeps bytes.
func (d *depot) blobOf(t *testing.T, data []byte) string {
	t.Helper()
	name := hexOf(data)
	path := filepath.Join(d.proxy.Data, "storage", "packages", "sha256", name[:2], name[2:])
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// edit changes the ledger by hand, as somebody could who has the disk.
func (d *depot) edit(t *testing.T, statement string, args ...any) {
	t.Helper()
	db := d.ledger(t, "rw")
	defer db.Close()
	result, err := db.Exec(statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// now is the condition of a row of files that readers see.
const now = " WHERE repository = ? AND path = ? AND until = 9223372036854775807"

// flipIn flips a bit in a file that the ledger keeps.
func (d *depot) flipIn(t *testing.T, repository, path string) {
	t.Helper()
	db := d.ledger(t, "ro")
	defer db.Close()
	var data []byte
	if err := db.QueryRow("SELECT data FROM files"+now, repository, path).Scan(&data); err != nil || len(data) == 0 {
		t.Fatalf("%s has %d bytes in the ledger, %v", path, len(data), err)
	}
	d.edit(t, "UPDATE files SET data = ?"+now, world.FlipBit(data), repository, path)
}

func TestVerifyFindsWhatSomebodyChanged(t *testing.T) {
	const pool = "pool/stable/main/h/hello/hello_1.0_amd64.deb"
	for what, c := range map[string]struct {
		change func(*testing.T, *depot)
		says   string // what the sentence names
		mends  bool   // reindex
	}{
		"a bit of a package": {func(t *testing.T, d *depot) {
			path := d.blobOf(t, goodInput["debian"].body)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, world.FlipBit(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}, pool, false},
		"a package that is cut off": {func(t *testing.T, d *depot) {
			if err := os.Truncate(d.blobOf(t, goodInput["debian"].body), 1000); err != nil {
				t.Fatal(err)
			}
		}, pool, false},
		"a package that is gone": {func(t *testing.T, d *depot) {
			if err := os.Remove(d.blobOf(t, goodInput["debian"].body)); err != nil {
				t.Fatal(err)
			}
		}, pool, false},
		"a bit of F.asc":           {func(t *testing.T, d *depot) { d.flipIn(t, "debian", pool+".asc") }, pool + ".asc", false},
		"a bit of F.sigstore.json": {func(t *testing.T, d *depot) { d.flipIn(t, "debian", pool+".sigstore.json") }, pool + ".sigstore.json", false},
		"a signature that is gone": {func(t *testing.T, d *depot) {
			d.edit(t, "DELETE FROM files"+now, "debian", pool+".asc")
		}, pool + ".asc", false},
		"a bit of Release":     {func(t *testing.T, d *depot) { d.flipIn(t, "debian", "dists/stable/Release") }, "dists/stable/Release", true},
		"a bit of Release.gpg": {func(t *testing.T, d *depot) { d.flipIn(t, "debian", "dists/stable/Release.gpg") }, "dists/stable/Release.gpg", true},
		"a bit of InRelease":   {func(t *testing.T, d *depot) { d.flipIn(t, "debian", "dists/stable/InRelease") }, "dists/stable/InRelease", true},
		"an index that is another's": {func(t *testing.T, d *depot) {
			d.edit(t, "UPDATE files SET parts = (SELECT parts FROM files"+now+"), size = (SELECT size FROM files"+now+")"+now, "debian", pool, "debian", pool,
				"debian", "dists/stable/main/binary-amd64/Packages")
		}, "dists/stable/main/binary-amd64/Packages", true},
		"a file that nobody has signed": {func(t *testing.T, d *depot) {
			d.edit(t, "INSERT INTO files SELECT repository, 'pool/stable/main/e/evil.deb', since, until, 0, lasting, size, tag, time, data, parts FROM files"+now, "debian", "dists/stable/Release")
		}, "evil.deb", false},
		"a line of the index without its package": {func(t *testing.T, d *depot) {
			d.edit(t, "DELETE FROM packages WHERE repository = ? AND path = ?", "debian", pool)
		}, pool, false},
		"another digest in the facts": {func(t *testing.T, d *depot) {
			d.edit(t, "UPDATE packages SET digest = zeroblob(32) WHERE repository = ? AND path = ?", "debian", pool)
		}, pool, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := openDepot(t, shelf{repositories: []string{"debian"}})
			d.put(t, goodInput["debian"].path, goodInput["debian"].body)
			for i := range 3 {
				d.put(t, "/debian/stable/main/", deb{name: fmt.Sprintf("other%d", i)}.build())
			}
			if out, err := d.repo(t, "verify", "debian"); err != nil || !strings.Contains(out, "4 packages") {
				t.Fatalf("before: %v\n%s", err, out)
			}
			c.change(t, d)
			for _, running := range []bool{true, false} {
				if !running {
					if status := d.proxy.Terminate(); status != 0 {
						t.Fatalf("the proxy ended with status %d", status)
					}
				}
				out, err := d.repo(t, "verify", "debian")
				if err == nil || !strings.Contains(out, c.says) {
					t.Errorf("with the server running: %t: verify ends with %v and does not name %s:\n%s", running, err, c.says, out)
				}
			}
			out, err := d.repo(t, "reindex", "debian")
			if !c.mends {
				return
			}
			if err != nil {
				t.Fatalf("reindex: %v\n%s", err, out)
			}
			d.proxy.Start(t)
			if out, err := d.repo(t, "verify", "debian"); err != nil {
				t.Errorf("after reindex: %v\n%s", err, out)
			}
			r := d.newReader()
			listed, err := r.index()
			if err == nil {
				err = r.packages(listed)
			}
			if err != nil || len(listed) != 4 {
				t.Errorf("after reindex %d packages are listed, %v", len(listed), err)
			}
		})
	}
}

// Reindex through the running server goes on beside uploads and readers, and changes nothing that need not change.
func TestReindexGoesOnBesideUploadsAndReaders(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	before := make(map[string]string)
	for _, format := range allFormats {
		before[format] = d.put(t, goodInput[format].path, goodInput[format].body)
	}
	d.flipIn(t, "debian", "dists/stable/Release.gpg")
	done := make(chan error)
	go func() {
		for _, format := range allFormats {
			if out, err := d.repo(t, "reindex", format); err != nil {
				done <- fmt.Errorf("reindex %s: %w\n%s", format, err, out)
				return
			}
		}
		close(done)
	}()
	r := d.newReader()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			d.publish(t, "debian")
			listed, err := r.index()
			if err == nil {
				err = r.packages(listed)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, format := range allFormats {
		if out, err := d.repo(t, "verify", format); err != nil {
			t.Errorf("%s: %v\n%s", format, err, out)
		}
		d.api.get(t, before[format]).expect(t, http.StatusOK)
		d.api.do(t, http.MethodPut, goodInput[format].path, goodInput[format].body).expect(t, http.StatusOK)
	}
}

// Garbage is collected beside uploads and readers, and nobody notices.
func TestCollectingHurtsNoUpload(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian", "raw"}})
	s := newSet(1)
	for _, f := range s.files {
		d.api.do(t, http.MethodPut, "/debian/stable/main/incoming/"+f.name, []byte(f.data)).expect(t, http.StatusAccepted)
	}
	gone := d.put(t, "/raw/a/gone", []byte(noiseOf(9000)))
	d.api.do(t, http.MethodDelete, gone, nil).expect(t, http.StatusNoContent)
	done := make(chan error)
	go func() {
		for range 5 {
			if out, err := d.repo(t, "gc", "debian"); err != nil {
				done <- fmt.Errorf("%w\n%s", err, out)
				return
			}
		}
		close(done)
	}()
	uploaded := 0
	for running := true; running; uploaded++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			d.publish(t, "debian")
			d.publish(t, "raw")
		}
	}
	// Older than the uploads, deleted, and put again a moment later: it is wanted again.
	d.put(t, "/raw/a/gone", []byte(noiseOf(9000)))
	d.api.do(t, http.MethodPut, "/debian/stable/main/incoming/"+s.changes.name, []byte(s.changes.data)).expect(t, http.StatusCreated)
	for _, at := range s.at {
		if err := d.beside(d.fetch, "debian", at, d.api.get(t, at).expect(t, http.StatusOK).body); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d uploads meanwhile", uploaded)
	for _, repository := range []string{"debian", "raw"} {
		if out, err := d.repo(t, "verify", repository); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
