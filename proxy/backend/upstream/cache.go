package upstream

import (
	"container/list"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hallmark/proxy/backend"
)

// CacheOptions bound a [Cache].
type CacheOptions struct {
	// Size is how many bytes the files may have together. Those that were not used for longest go first.
	Size int64
	// Keep is how long a file stays that nobody uses. Zero: as long as there is space.
	Keep time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// A Key names a file in a [Cache]. Whoever makes keys sees to it that two files never have the same.
type Key = [32]byte

// A Cache keeps files of an upstream in a folder of the local disk: those that were complete and matched, and their
// SHA-256. It survives a restart, and a power cut too: a file gets its name when its bytes are on the disk. The folder
// belongs to one Cache of one process. It is safe for concurrent use.
//
// Each file is named by its key and its digest, in a folder of the key's first byte: <hex>/<key>.<sha256>. What is in tmp
// is not complete.
type Cache struct {
	dir     string
	options CacheOptions

	mu       sync.Mutex
	entries  map[Key]*list.Element
	recent   list.List // of *entry, the last used first
	bytes    int64
	reserved int64 // for files that are on their way
}

type entry struct {
	key    Key
	digest backend.Digest
	size   int64
	used   time.Time
	marked time.Time // the use that the file's date tells of
}

// marks is how often the use of a file is written to the disk at most.
const marks = time.Minute

// OpenCache returns the cache in a folder, which is made if there is none. What does not belong there is removed.
func OpenCache(dir string, o CacheOptions) (*Cache, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{dir: dir, options: o, entries: map[Key]*list.Element{}}
	if err := os.RemoveAll(c.incomplete()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.incomplete(), 0o700); err != nil {
		return nil, err
	}
	found, err := c.walk()
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	for _, e := range found {
		c.insert(e)
	}
	c.trim()
	return c, nil
}

func (c *Cache) incomplete() string { return filepath.Join(c.dir, "tmp") }

func (c *Cache) path(e *entry) string {
	key := hex.EncodeToString(e.key[:])
	return filepath.Join(c.dir, key[:2], key+"."+hex.EncodeToString(e.digest[:]))
}

// Open returns the file of a key and its SHA-256. The error wraps fs.ErrNotExist if the cache has none. The file stays
// readable after it was removed from the cache; the caller closes it.
func (c *Cache) Open(k Key) (*os.File, backend.Digest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.entries[k]
	if !ok {
		return nil, backend.Digest{}, fs.ErrNotExist
	}
	e := at.Value.(*entry)
	f, err := os.Open(c.path(e))
	if err == nil {
		info, statErr := f.Stat()
		if statErr == nil && info.Size() == e.size {
			c.use(at)
			c.trim()
			return f, e.digest, nil
		}
		f.Close()
		err = fs.ErrNotExist // somebody wrote to it
	}
	if errors.Is(err, fs.ErrNotExist) {
		c.remove(at)
	}
	return nil, backend.Digest{}, err
}

// use notes that a file is used now.
func (c *Cache) use(at *list.Element) {
	e := at.Value.(*entry)
	e.used = c.options.Now()
	c.recent.MoveToFront(at)
	if e.used.Sub(e.marked) >= marks {
		e.marked = e.used
		os.Chtimes(c.path(e), e.used, e.used) // or the file goes a little early after a restart
	}
}

// Remove removes the file of a key, if there is one.
func (c *Cache) Remove(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.entries[k]; ok {
		c.remove(at)
	}
}

// Usage returns how many files there are, and how many bytes they have together.
func (c *Cache) Usage() (files int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trim()
	return len(c.entries), c.bytes
}

// Size returns how many bytes the files may have together.
func (c *Cache) Size() int64 { return c.options.Size }

// create returns a file for what is not complete yet.
func (c *Cache) create() (*os.File, error) {
	return os.CreateTemp(c.incomplete(), "")
}

// reserve makes room for a file of so many bytes that is on its way. Release gives it back, once.
func (c *Cache) reserve(size int64) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved += size
	c.trim()
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reserved -= size
	})
}

// add takes a file that [Cache.create] returned, is complete and is on the disk, under a key.
func (c *Cache) add(k Key, d backend.Digest, size int64, file string) error {
	now := c.options.Now()
	e := &entry{key: k, digest: d, size: size, used: now, marked: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.Mkdir(filepath.Dir(c.path(e)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if old, ok := c.entries[k]; ok {
		c.remove(old)
	}
	if err := os.Chtimes(file, now, now); err != nil {
		return err
	}
	if err := os.Rename(file, c.path(e)); err != nil {
		return err
	}
	c.insert(e)
	c.trim()
	return nil
}

// insert takes an entry into the index; the one that was used last comes last.
func (c *Cache) insert(e *entry) {
	c.entries[e.key] = c.recent.PushFront(e)
	c.bytes += e.size
}

func (c *Cache) remove(at *list.Element) {
	e := at.Value.(*entry)
	os.Remove(c.path(e))
	c.recent.Remove(at)
	delete(c.entries, e.key)
	c.bytes -= e.size
}

// trim removes what is too much or too old.
func (c *Cache) trim() {
	for at := c.recent.Back(); at != nil; at = c.recent.Back() {
		old := c.options.Keep > 0 && c.options.Now().Sub(at.Value.(*entry).used) > c.options.Keep
		if !old && c.bytes+c.reserved <= c.options.Size {
			return
		}
		c.remove(at)
	}
}

// parseEntry reads the name of a file.
func parseEntry(name string) (e entry, ok bool) {
	key, digest, ok := strings.Cut(name, ".")
	if !ok || len(key) != 64 || len(digest) != 64 {
		return e, false
	}
	_, keyErr := hex.Decode(e.key[:], []byte(key))
	_, digestErr := hex.Decode(e.digest[:], []byte(digest))
	return e, keyErr == nil && digestErr == nil
}
