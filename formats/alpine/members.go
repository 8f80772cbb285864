package alpine

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"

	"hallmark/formats/format"
)

// What a member may unpack to, in bytes.
const (
	signatureLimit = 64 << 10
	controlLimit   = 4 << 20
	dataLimit      = 32 << 30
)

// member reads one gzip member (RFC 1952) of a file, and no byte behind it.
type member struct {
	source *source
	buffer *bufio.Reader
	z      *gzip.Reader
	start  int64
}

// openMember begins the member at an offset of a blob. If copied is not nil, it gets the bytes from there on, and some that
// follow the member.
func openMember(b format.Blob, offset int64, bufferSize int, copied io.Writer) (*member, error) {
	var r io.Reader = io.NewSectionReader(b, offset, b.Size()-offset)
	if copied != nil {
		r = io.TeeReader(r, copied)
	}
	m := &member{source: &source{r: r}, start: offset}
	// Only of a reader that gives single bytes gzip takes no more than it needs.
	m.buffer = bufio.NewReaderSize(m.source, int(min(int64(bufferSize), b.Size()-offset)))
	z, err := gzip.NewReader(m.buffer)
	if err != nil {
		return nil, m.broken(err)
	}
	z.Multistream(false)
	m.z = z
	return m, nil
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if err != nil && err != io.EOF {
		err = m.broken(err)
	}
	return n, err
}

// end returns the offset behind the member, once Read has returned io.EOF.
func (m *member) end() int64 { return m.start + m.source.n - int64(m.buffer.Buffered()) }

// broken says what is wrong with a member, unless it could not be read at all.
func (m *member) broken(err error) error {
	switch {
	case m.source.err != nil:
		return m.source.err
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return format.Malformedf("the file is cut off: the gzip member at byte %d has no end", m.start)
	case errors.Is(err, gzip.ErrHeader):
		return format.Malformedf("the file has no gzip member at byte %d", m.start)
	}
	return format.Malformedf("the gzip member at byte %d cannot be unpacked: %.100v", m.start, err)
}

// unpack returns what the member at an offset holds, and the offset behind it.
func unpack(b format.Blob, offset int64, limit int) ([]byte, int64, error) {
	m, err := openMember(b, offset, 4<<10, nil)
	if err != nil {
		return nil, 0, err
	}
	plain, err := io.ReadAll(io.LimitReader(m, int64(limit)+1))
	if err != nil {
		return nil, 0, err
	}
	if len(plain) > limit {
		return nil, 0, format.Malformedf("the gzip member at byte %d holds more than %d bytes", offset, limit)
	}
	return plain, m.end(), nil
}

// source counts what was read, and remembers whether reading failed.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
