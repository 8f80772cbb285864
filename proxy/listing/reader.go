package listing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"sync"
)

// chunk is how much a Reader reads ahead: enough to make up for the way to an object store. It holds two of them.
const chunk = 128 << 10

// idleBlobs is how many blobs a Reader keeps open that nobody reads at the moment.
const idleBlobs = 2

// A Reader reads the bytes of parts. Read and Seek are those of one position; while one chunk is read the next is
// fetched. ReadAt has nothing to do with the position. All methods may be called concurrently.
//
// It needs some 256 KiB, and up to two objects. A blob or object that is shorter than the parts say makes an error that
// wraps io.ErrUnexpectedEOF; the bytes themselves are not checked.
type Reader struct {
	ctx   context.Context
	src   Source
	parts Parts
	ends  []int64 // where each part ends in the file

	at      sync.Mutex // guards the position
	pos     int64
	current stretch
	ahead   chan stretch
	spare   []byte
	done    bool

	mu     sync.Mutex // guards the handles
	open   []*handle  // the one that was used last stands last
	closed bool
}

// A stretch is some bytes of the file, or why there are none.
type stretch struct {
	start int64
	data  []byte
	err   error
}

// A handle is a blob or object that is open.
type handle struct {
	digest Digest
	object bool
	blob   Blob
	users  int
}

// NewReader returns a Reader at the beginning of the parts, which must not be changed. It opens nothing before the first
// read. Reads fail after ctx has ended. The caller closes it.
func NewReader(ctx context.Context, src Source, parts Parts) *Reader {
	r := &Reader{ctx: ctx, src: src, parts: parts, ends: make([]int64, len(parts))}
	var end int64
	for i := range parts {
		end += parts[i].Size
		r.ends[i] = end
	}
	return r
}

// Size returns the number of bytes.
func (r *Reader) Size() int64 {
	if len(r.ends) == 0 {
		return 0
	}
	return r.ends[len(r.ends)-1]
}

// Read reads on from the position.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.at.Lock()
	defer r.at.Unlock()
	data, err := r.upcoming()
	if err != nil {
		return 0, err
	}
	n := copy(p, data)
	r.pos += int64(n)
	return n, nil
}

// WriteTo writes all that follows the position.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	r.at.Lock()
	defer r.at.Unlock()
	var written int64
	for {
		data, err := r.upcoming()
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		r.fetch() // the whole chunk will be read
		n, err := w.Write(data)
		written += int64(n)
		r.pos += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// Seek moves the position, as far as one likes. It reads nothing.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.at.Lock()
	defer r.at.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.Size()
	default:
		return 0, fmt.Errorf("seek in a listing from %d: %w", whence, fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in a listing to %d: %w", offset, fs.ErrInvalid)
	}
	r.pos = offset
	return offset, nil
}

// upcoming returns the bytes from the position to the end of its chunk.
func (r *Reader) upcoming() ([]byte, error) {
	if r.done {
		return nil, fmt.Errorf("read a listing: %w", fs.ErrClosed)
	}
	if r.pos >= r.Size() {
		return nil, io.EOF
	}
	if data := r.current.from(r.pos); len(data) > 0 {
		// Whoever comes twice reads on; a single read of a small range shall not fetch more than it wants.
		r.fetch()
		return data, nil
	}
	next := stretch{start: -1}
	if r.ahead != nil {
		next = <-r.ahead
		r.ahead = nil
	}
	if next.start == r.pos && next.err == nil {
		r.current, r.spare = next, r.current.data
		r.fetch()
	} else {
		if next.data != nil {
			r.spare = next.data
		}
		r.current = r.load(r.pos, r.current.data)
	}
	if r.current.err != nil {
		err := r.current.err
		r.current = stretch{data: r.current.data[:0]}
		return nil, err
	}
	return r.current.data, nil
}

func (s stretch) from(pos int64) []byte {
	if pos < s.start || pos >= s.start+int64(len(s.data)) {
		return nil
	}
	return s.data[pos-s.start:]
}

// fetch begins to load the chunk after the current one, unless that is under way.
func (r *Reader) fetch() {
	start := r.current.start + int64(len(r.current.data))
	if r.ahead != nil || start >= r.Size() {
		return
	}
	ahead, buffer := make(chan stretch, 1), r.spare
	r.ahead, r.spare = ahead, nil
	go func() { ahead <- r.load(start, buffer) }()
}

// load reads a chunk, into the buffer if it is large enough.
func (r *Reader) load(start int64, buffer []byte) stretch {
	size := min(chunk, r.Size()-start)
	if int64(cap(buffer)) < size {
		buffer = make([]byte, size)
	}
	buffer = buffer[:size]
	_, err := r.ReadAt(buffer, start)
	if errors.Is(err, io.EOF) {
		err = nil // it ends where the file ends
	}
	return stretch{start: start, data: buffer, err: err}
}

// ReadAt reads the bytes from an offset on. It returns io.EOF if the file ends before p is full.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read a listing at %d: %w", off, fs.ErrInvalid)
	}
	i := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] > off })
	n := 0
	for ; i < len(r.parts) && n < len(p); i++ {
		part := &r.parts[i]
		skip := off + int64(n) - (r.ends[i] - part.Size)
		want := min(part.Size-skip, int64(len(p)-n))
		if want <= 0 {
			continue
		}
		if err := r.readPart(part, p[n:n+int(want)], skip); err != nil {
			return n, fmt.Errorf("read a listing at %d: %w", off+int64(n), err)
		}
		n += int(want)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readPart fills p with what stands skip bytes behind the beginning of a part.
func (r *Reader) readPart(part *Part, p []byte, skip int64) error {
	if part.Data != nil {
		copy(p, part.Data[skip:])
		return nil
	}
	h, err := r.acquire(part)
	if err != nil {
		return err
	}
	n, err := h.blob.ReadAt(p, part.Offset+skip)
	if releaseErr := r.release(h); err == nil {
		err = releaseErr
	}
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%x is too short: %w", part.Digest, io.ErrUnexpectedEOF)
	}
	return err
}

func (r *Reader) acquire(part *Part) (*handle, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, fs.ErrClosed
	}
	for i, h := range r.open {
		if h.digest == part.Digest && h.object == part.Object {
			h.users++
			r.open = append(slices.Delete(r.open, i, i+1), h)
			r.mu.Unlock()
			return h, nil
		}
	}
	r.mu.Unlock()

	// Two readers may open the same blob at once here, which does no harm.
	h := &handle{digest: part.Digest, object: part.Object, users: 1}
	if part.Object {
		data, err := r.src.Object(r.ctx, part.Digest)
		if err != nil {
			return nil, err
		}
		h.blob = object{bytes.NewReader(data)}
	} else {
		var err error
		if h.blob, err = r.src.Open(r.ctx, part.Digest); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, h)
	return h, nil
}

// release gives a handle back, and closes those that have been idle for longest.
func (r *Reader) release(h *handle) error {
	r.mu.Lock()
	h.users--
	keep := idleBlobs
	if r.closed {
		keep = 0
	}
	var idle []*handle
	for i := len(r.open) - 1; i >= 0; i-- {
		if r.open[i].users > 0 {
			continue
		}
		if keep > 0 {
			keep--
			continue
		}
		idle = append(idle, r.open[i])
		r.open = slices.Delete(r.open, i, i+1)
	}
	r.mu.Unlock()
	var errs []error
	for _, h := range idle {
		errs = append(errs, h.blob.Close())
	}
	return errors.Join(errs...)
}

// Close closes what is open, as soon as nobody reads it any more. Later reads fail with an error that wraps
// fs.ErrClosed. It may be called more than once.
func (r *Reader) Close() error {
	r.at.Lock()
	r.done = true
	if r.ahead != nil {
		<-r.ahead
		r.ahead = nil
	}
	r.current, r.spare = stretch{}, nil
	r.at.Unlock()

	r.mu.Lock()
	r.closed = true
	var idle []*handle
	for i := len(r.open) - 1; i >= 0; i-- {
		if r.open[i].users == 0 {
			idle = append(idle, r.open[i])
			r.open = slices.Delete(r.open, i, i+1)
		}
	}
	r.mu.Unlock()
	var errs []error
	for _, h := range idle {
		errs = append(errs, h.blob.Close())
	}
	return errors.Join(errs...)
}

// An object is a Blob of bytes in memory.
type object struct{ *bytes.Reader }

func (object) Close() error { return nil }
