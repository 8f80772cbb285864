package rpm

import (
	"strings"
	"unicode/utf8"
)

// entryLimit is the most bytes that one package may have in one metadata file.
const entryLimit = 32 << 20

// A document is XML in the making. It stops growing at its limit, and says so.
type document struct {
	bytes    []byte
	limit    int
	overflow bool
}

// raw appends text as it is.
func (d *document) raw(parts ...string) {
	for _, text := range parts {
		if len(d.bytes)+len(text) > d.limit {
			d.overflow = true
			return
		}
		d.bytes = append(d.bytes, text...)
	}
}

// attr appends an attribute with a space before it.
func (d *document) attr(name, value string) {
	d.raw(" ", name, `="`)
	d.escape(value, true)
	d.raw(`"`)
}

// element appends a line with an element that holds nothing but text.
func (d *document) element(indent, name, text string) {
	d.raw(indent, "<", name, ">")
	d.escape(text, false)
	d.raw("</", name, ">\n")
}

// escape appends text such that a reader of XML 1.0 gets it back, but for characters that XML cannot hold, which are left
// out. Text that is not UTF-8 is from the time of Latin-1. createrepo_c does both.
func (d *document) escape(text string, attribute bool) {
	if !utf8.ValidString(text) {
		runes := make([]rune, len(text))
		for i := range len(text) {
			runes[i] = rune(text[i])
		}
		text = string(runes)
	}
	from := 0
	for i, c := range text {
		var with string
		switch {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c == '\r':
			with = "&#13;"
		case c == '"' && attribute:
			with = "&quot;"
		case c == '\n' && attribute:
			with = "&#10;"
		case c == '\t' && attribute:
			with = "&#9;"
		case isXML(c):
			continue
		}
		d.raw(text[from:i], with)
		from = i + utf8.RuneLen(c)
	}
	d.raw(text[from:])
}

// isXML reports whether XML 1.0 can hold a character (section 2.2).
func isXML(c rune) bool {
	return c >= ' ' && c != 0xfffe && c != 0xffff || c == '\t' || c == '\n' || c == '\r'
}

// hasControl reports whether a name has a character that would make it two names, or another, for a reader of lines.
func hasControl(name string) bool {
	return strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f })
}
