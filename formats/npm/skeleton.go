package npm

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// A request to publish is JSON with a whole tarball in one string of it. So that no memory is needed for that, a long string
// is left out of what is read as JSON: in its place stands refMark and the number of its section of the body.
const (
	skeletonMost = 16 << 20 // bytes of JSON without long strings
	shortMost    = 64 << 10 // bytes of a string that stays
	refsMost     = 10_000
	refMark      = "\u0000ref "
)

// A section is a range of the body.
type section struct{ from, to int64 }

// readEnvelope returns the JSON of a body, and the sections of the strings that are left out of it.
func readEnvelope(b format.Blob) (skeleton []byte, refs []section, err error) {
	e := &envelope{r: bufio.NewReaderSize(io.NewSectionReader(b, 0, b.Size()), 64<<10)}
	for {
		c, err := e.r.ReadByte()
		if err == io.EOF {
			return e.out.Bytes(), e.refs, nil
		}
		if err != nil {
			return nil, nil, err
		}
		e.at++
		e.out.WriteByte(c)
		if c == '"' {
			if err := e.text(); err != nil {
				return nil, nil, err
			}
		}
		if e.out.Len() > skeletonMost {
			return nil, nil, format.Malformedf("the request has more than %d bytes of JSON besides its tarballs", skeletonMost)
		}
	}
}

type envelope struct {
	r    *bufio.Reader
	at   int64 // of the next byte
	out  bytes.Buffer
	refs []section
}

// text copies a string behind its first quote, or leaves it out.
func (e *envelope) text() error {
	from, start, escaped := e.at, e.out.Len(), false
	for long, slash := false, false; ; {
		c, err := e.r.ReadByte()
		if err == io.EOF {
			return format.Malformedf("the request ends in the middle of a string")
		}
		if err != nil {
			return err
		}
		e.at++
		if c == '"' && !slash {
			if long {
				return e.leaveOut(section{from, e.at - 1}, start, escaped)
			}
			if bytes.HasPrefix(e.out.Bytes()[start:], []byte(`\u0000`)) {
				return format.Malformedf("the request has a string that begins with NUL")
			}
			e.out.WriteByte(c)
			return nil
		}
		slash = c == '\\' && !slash
		escaped = escaped || c == '\\'
		if !long {
			e.out.WriteByte(c)
			long = e.out.Len()-start > shortMost
		}
	}
}

// leaveOut puts a reference into the place of a long string. What has escapes can be no base64, and stays readable by nobody.
func (e *envelope) leaveOut(s section, start int, escaped bool) error {
	if len(e.refs) >= refsMost {
		return format.Malformedf("the request has more than %d long strings", refsMost)
	}
	if escaped {
		s = section{}
	}
	e.out.Truncate(start)
	fmt.Fprintf(&e.out, `\u0000ref %d"`, len(e.refs))
	e.refs = append(e.refs, s)
	return nil
}

// ref returns the section that a string stands for.
func (s source) ref(text string) (section, bool) {
	number, ok := strings.CutPrefix(text, refMark)
	if !ok {
		return section{}, false
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(s.refs) {
		return section{}, false
	}
	return s.refs[n], true
}
