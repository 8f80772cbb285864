package python

import (
	"bytes"
	"strings"

	"hallmark/formats/format"
)

const (
	anchorMost     = 16 << 10 // bytes of a link's tag
	attributesMost = 32       // of a tag
)

// eachAnchor calls visit for each opening tag of a link in a page of HTML. What it is given is not kept by it.
func eachAnchor(page []byte, visit func([]byte) error) error {
	for len(page) > 0 {
		at := bytes.IndexByte(page, '<')
		if at < 0 {
			return nil
		}
		page = page[at:]
		if bytes.HasPrefix(page, []byte("<!--")) {
			_, rest, ok := bytes.Cut(page, []byte("-->"))
			if !ok {
				return format.Malformedf("the page has a comment without an end")
			}
			page = rest
			continue
		}
		if len(page) > len("<base") && strings.EqualFold(string(page[:len("<base")]), "<base") {
			return format.Malformedf("the page says by <base> where its links lead, which is not followed")
		}
		if !isAnchor(page) {
			page = page[1:]
			continue
		}
		_, n, ok := scanTag(page[:min(len(page), anchorMost+1)])
		if !ok {
			return format.Malformedf("the page has a link that is cut off, has an attribute twice, or has more than %d bytes: %.200q", anchorMost, page)
		}
		if err := visit(page[:n]); err != nil {
			return err
		}
		page = page[n:]
	}
	return nil
}

// isAnchor reports whether data begin with the opening tag of a link.
func isAnchor(data []byte) bool {
	return len(data) > 2 && data[0] == '<' && data[1]|0x20 == 'a' && (isSpace(data[2]) || data[2] == '>')
}

// scanTag reads the opening tag that data begin with: its attributes, by their names in small letters and with their values as
// they stand there, and how long it is. It reports false if the tag does not end or has an attribute twice.
func scanTag(data []byte) (attributes map[string]string, n int, ok bool) {
	attributes = map[string]string{}
	at := bytes.IndexFunc(data, func(r rune) bool { return r == '>' || r < 0x80 && isSpace(byte(r)) })
	if at < 0 {
		return nil, 0, false
	}
	for at < len(data) {
		switch c := data[at]; {
		case c == '>':
			return attributes, at + 1, true
		case c == '/' || isSpace(c):
			at++
			continue
		}
		name := data[at:]
		if end := bytes.IndexAny(name[1:], "=>/ \t\r\n\f"); end >= 0 {
			name = name[:end+1]
		}
		at += len(name)
		value, length, closed := scanValue(data[at:])
		at += length
		key := strings.ToLower(string(name))
		if _, twice := attributes[key]; twice || !closed || len(attributes) == attributesMost {
			return nil, 0, false
		}
		attributes[key] = value
	}
	return nil, 0, false
}

// scanValue reads what stands behind the name of an attribute: a value, or nothing.
func scanValue(data []byte) (value string, n int, ok bool) {
	rest := bytes.TrimLeft(data, " \t\r\n\f")
	if len(rest) == 0 || rest[0] != '=' {
		return "", 0, true
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n\f")
	skipped := len(data) - len(rest)
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return "", 0, false
		}
		return string(rest[1 : end+1]), skipped + end + 2, true
	}
	end := bytes.IndexAny(rest, "> \t\r\n\f")
	if end < 0 {
		return "", 0, false
	}
	return string(rest[:end]), skipped + end, true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' }
