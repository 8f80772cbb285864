package listing

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"slices"
)

// markEvery is how many closed segments lie between two places whose hash states are kept in memory.
const markEvery = 64

// hash makes the file of an encoding. It runs without the change's lock, and only reads.
func (p *closing) hash(ctx context.Context, form int) (*File, error) {
	f, e := p.next.forms[form], &p.ends[form]
	src := changed{p.change}
	s, done, size, err := p.resume(form)
	if err != nil {
		return nil, err
	}
	for done < len(f.closed) {
		next := min(len(f.closed), (done/markEvery+1)*markEvery)
		parts := appendRefs(nil, f.closed[done:next])
		if done == 0 {
			parts = parts.from(p.skip)
		}
		n, err := copyParts(ctx, s, src, parts)
		if err != nil {
			return nil, err
		}
		size += n
		done = next
		m := mark{count: done, size: size}
		if m.sums, err = s.clone(); err != nil {
			return nil, err
		}
		f.marks = append(f.marks, m)
	}
	for i, r := range f.open {
		data := f.literals[i]
		if data == nil {
			if data, err = src.Object(ctx, r.digest); err != nil {
				return nil, fmt.Errorf("segment %d: %w", r.seg.id, err)
			}
			f.literals[i] = data
		}
		if int64(len(data)) != r.size {
			return nil, fmt.Errorf("segment %d: %w: its object has %d bytes, not %d", r.seg.id, ErrCorrupt, len(data), r.size)
		}
		if i == 0 && len(f.closed) == 0 {
			data = data[min(p.skip, r.size):]
		}
		s.Write(data)
		size += int64(len(data))
	}
	s.Write(e.data[1])
	size += e.trail.Size

	file := &File{Size: size, Digests: make(map[crypto.Hash][]byte), states: stateMap(p.hashes, s)}
	for h, state := range file.states {
		file.Digests[h] = state.Sum(nil)
	}
	file.Parts = appendEnd(file.Parts, e.lead)
	file.Parts = append(file.Parts, appendRefs(appendRefs(nil, f.closed), f.open).from(p.skip)...)
	file.Parts = appendEnd(file.Parts, e.trail)
	f.digest, f.size = file.Digest(), file.Size
	return file, nil
}

func appendEnd(parts Parts, end Part) Parts {
	if end.Size == 0 {
		return parts
	}
	return append(parts, end)
}

// resume returns hashes that the beginning of a file has been written to, how many closed segments that is, and its
// size. It keeps the marks that are of further use.
func (p *closing) resume(form int) (sums, int, int64, error) {
	f, e := p.next.forms[form], &p.ends[form]
	if p.prior != nil && p.prior.forms[form] != nil && slices.Equal(p.prior.hashes, p.hashes) {
		was := p.prior.forms[form]
		for i := len(was.marks) - 1; i >= 0 && was.lead == f.lead; i-- {
			m := was.marks[i]
			if m.count > e.kept {
				continue
			}
			for _, m := range was.marks[:i+1] {
				if m.count%markEvery == 0 || m.count == len(f.closed) {
					f.marks = append(f.marks, m)
				}
			}
			s, err := m.sums.clone()
			return s, m.count, m.size, err
		}
	}
	s := newSums(p.hashes)
	s.Write(e.data[0])
	return s, 0, e.lead.Size, nil
}

// changed is the source of what there will be after a change.
type changed struct{ *Change }

func (c changed) Open(ctx context.Context, d Digest) (Blob, error) { return c.blobs.Open(ctx, d) }

func (c changed) Object(ctx context.Context, d Digest) ([]byte, error) {
	c.mu.Lock()
	data, ok := c.objects[d]
	c.mu.Unlock()
	if ok {
		return data, nil
	}
	return c.blobs.Object(ctx, d)
}

// copyParts writes the bytes of parts to w.
func copyParts(ctx context.Context, w io.Writer, src Source, parts Parts) (int64, error) {
	r := NewReader(ctx, src, parts)
	n, err := r.WriteTo(w)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return n, err
}
