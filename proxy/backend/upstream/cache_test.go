package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func openCache(t *testing.T, dir string, o CacheOptions) *Cache {
	t.Helper()
	c, err := OpenCache(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, c *Cache, name byte, content string) {
	t.Helper()
	f, err := c.create()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if err := c.add(Key{name}, sha256.Sum256([]byte(content)), int64(len(content)), f.Name()); err != nil {
		t.Fatal(err)
	}
}

// has fails the test unless the cache has the files of these names and no others of the first 10.
func has(t *testing.T, c *Cache, names ...byte) {
	t.Helper()
	f, s := c.Usage() // before the look: what is too old goes when somebody asks
	files, size := 0, int64(0)
	for _, e := range c.entries {
		files++
		size += e.Value.(*entry).size
	}
	if f != len(names) || files != f || s != size {
		t.Errorf("usage says %d files of %d bytes; there are %d of %d, want %d", f, s, files, size, len(names))
	}
	if f, s, err := CacheUsage(c.dir); f != files || s != size || err != nil {
		t.Errorf("the folder has %d files of %d bytes, %v; want %d of %d", f, s, err, files, size)
	}
	for n := range byte(10) {
		f, d, err := c.Open(Key{n})
		if wanted := bytes.IndexByte(names, n) >= 0; wanted != (err == nil) {
			t.Errorf("file %d: %v, wanted %v", n, err, wanted)
		}
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			continue
		}
		content, err := io.ReadAll(f)
		f.Close()
		if err != nil || sha256.Sum256(content) != d {
			t.Errorf("file %d: %d bytes, %v", n, len(content), err)
		}
	}
}

func TestTheLongestUnusedGoesFirst(t *testing.T) {
	now := &clock{time.Now()}
	dir := t.TempDir()
	c := openCache(t, dir, CacheOptions{Size: 10, Now: now.now})
	for n := range byte(3) {
		put(t, c, n, "xyz")
		now.Time = now.Add(time.Hour)
	}
	f, _, err := c.Open(Key{0})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	put(t, c, 3, "xyz")
	has(t, c, 0, 2, 3)
	release := c.reserve(5) // has used them in their order
	has(t, c, 3)
	release()
	put(t, c, 4, "0123456789")
	has(t, c, 4)
}

func TestUseOutlivesARestart(t *testing.T) {
	now := &clock{time.Now()}
	dir := t.TempDir()
	c := openCache(t, dir, CacheOptions{Size: 10, Now: now.now})
	for n := range byte(3) {
		put(t, c, n, "xyz")
		now.Time = now.Add(time.Hour)
	}
	f, _, err := c.Open(Key{0})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	c = openCache(t, dir, CacheOptions{Size: 6, Now: now.now})
	has(t, c, 0, 2)
}

func TestWhatNobodyUsesGoes(t *testing.T) {
	now := &clock{time.Now()}
	dir := t.TempDir()
	o := CacheOptions{Size: 100, Keep: 24 * time.Hour, Now: now.now}
	c := openCache(t, dir, o)
	put(t, c, 1, "one")
	now.Time = now.Add(20 * time.Hour)
	put(t, c, 2, "two")
	now.Time = now.Add(5 * time.Hour)
	has(t, c, 2)
	now.Time = now.Add(25 * time.Hour)
	c = openCache(t, dir, o)
	has(t, c)
}

func TestAFileThatIsOpenStaysReadable(t *testing.T) {
	c := openCache(t, t.TempDir(), CacheOptions{Size: 3})
	put(t, c, 1, "one")
	f, _, err := c.Open(Key{1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put(t, c, 2, "two")
	has(t, c, 2)
	if got, err := io.ReadAll(f); string(got) != "one" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatDoesNotBelongThereGoes(t *testing.T) {
	dir := t.TempDir()
	c := openCache(t, dir, CacheOptions{Size: 100})
	put(t, c, 1, "one")
	put(t, c, 2, "two")
	put(t, c, 3, "three")
	if _, err := c.create(); err != nil { // broken off
		t.Fatal(err)
	}
	file := func(n byte) string { return c.path(c.entries[Key{n}].Value.(*entry)) }
	if err := os.Truncate(file(2), 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file(3)); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "ab", "stray")
	os.Mkdir(filepath.Dir(stray), 0o700)
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for n, there := range map[byte]bool{1: true, 2: false, 3: false} {
		f, _, err := c.Open(Key{n})
		if (err == nil) != there {
			t.Errorf("file %d: %v", n, err)
		}
		if err == nil {
			f.Close()
		}
	}
	c = openCache(t, dir, CacheOptions{Size: 100})
	has(t, c, 1)
	if _, err := os.Stat(stray); err == nil {
		t.Error("the stray file is there")
	}
	if left, _ := os.ReadDir(c.incomplete()); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

func TestVerifyCacheFindsWhatHasChanged(t *testing.T) {
	dir := t.TempDir()
	c := openCache(t, dir, CacheOptions{Size: 100})
	put(t, c, 1, "one")
	put(t, c, 2, "two")
	var faults []error
	verify := func() {
		t.Helper()
		faults = nil
		files, err := VerifyCache(context.Background(), dir, func(file string, fault error) { faults = append(faults, fault) })
		if files != 2 || err != nil {
			t.Errorf("%d files, %v", files, err)
		}
	}
	if verify(); len(faults) != 0 {
		t.Errorf("%v", faults)
	}
	if err := os.WriteFile(c.path(c.entries[Key{1}].Value.(*entry)), []byte("0ne"), 0o600); err != nil {
		t.Fatal(err)
	}
	if verify(); len(faults) != 1 {
		t.Errorf("%v", faults)
	}
	if files, bytes, err := CacheUsage(filepath.Join(dir, "none")); files != 0 || bytes != 0 || err != nil {
		t.Errorf("of no folder: %d files, %d bytes, %v", files, bytes, err)
	}
	if files, err := VerifyCache(context.Background(), filepath.Join(dir, "none"), nil); files != 0 || err != nil {
		t.Errorf("%d files, %v", files, err)
	}
}
