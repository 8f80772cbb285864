package ruby

import (
	"bytes"
	"encoding/binary"
	"time"
)

// marshalHead begins what Ruby's Marshal writes: its version, 4.8 (doc/marshal.rdoc of Ruby).
const marshalHead = "\x04\x08"

// A marshaler writes values as Ruby's Marshal does, without its head. A symbol is written once and referred to after that, so
// that what one marshaler has written is whole by itself and may stand beside what another has: a reader numbers symbols in the
// order in which they come, and takes one that comes again for a new one.
type marshaler struct {
	bytes.Buffer
	symbols map[string]int
}

// integer writes a number as Marshal writes lengths and small integers.
func (m *marshaler) integer(n int) {
	switch {
	case n == 0:
		m.WriteByte(0)
	case n > 0 && n < 123:
		m.WriteByte(byte(n + 5))
	case n < 0 && n > -124:
		m.WriteByte(byte(n - 5))
	default:
		m.long(n)
	}
}

// long writes as many bytes of a number as it needs, least first, behind their count.
func (m *marshaler) long(n int) {
	end := 0
	if n < 0 {
		end = -1
	}
	var digits []byte
	for v := n; v != end; v >>= 8 {
		digits = append(digits, byte(v))
	}
	count := len(digits)
	if n < 0 {
		count = -count
	}
	m.WriteByte(byte(count))
	m.Write(digits)
}

func (m *marshaler) raw(text string) {
	m.integer(len(text))
	m.WriteString(text)
}

func (m *marshaler) symbol(name string) {
	if n, ok := m.symbols[name]; ok {
		m.WriteByte(';')
		m.integer(n)
		return
	}
	if m.symbols == nil {
		m.symbols = map[string]int{}
	}
	m.symbols[name] = len(m.symbols)
	m.WriteByte(':')
	m.raw(name)
}

// text writes a string in UTF-8.
func (m *marshaler) text(s string) { m.encoded(s, true) }

func (m *marshaler) encoded(s string, utf8 bool) {
	m.WriteString(`I"`)
	m.raw(s)
	m.integer(1)
	m.symbol("E")
	m.boolean(utf8)
}

// optional writes a string or nil.
func (m *marshaler) optional(s *string) {
	if s == nil {
		m.null()
		return
	}
	m.text(*s)
}

func (m *marshaler) texts(all []string) {
	m.array(len(all))
	for _, s := range all {
		m.text(s)
	}
}

func (m *marshaler) array(n int) {
	m.WriteByte('[')
	m.integer(n)
}

func (m *marshaler) null() { m.WriteByte('0') }

func (m *marshaler) fixnum(n int) {
	m.WriteByte('i')
	m.integer(n)
}

func (m *marshaler) boolean(b bool) {
	if b {
		m.WriteByte('T')
	} else {
		m.WriteByte('F')
	}
}

// date writes a Time at the beginning of a day in UTC, as Time#_dump packs it.
func (m *marshaler) date(d time.Time) {
	packed := uint32(1<<31 | 1<<30 | (d.Year()-1900)<<14 | (int(d.Month())-1)<<10 | d.Day()<<5)
	m.WriteString("Iu")
	m.symbol("Time")
	m.integer(8)
	m.Write(binary.LittleEndian.AppendUint32(nil, packed))
	m.Write(make([]byte, 4))
	m.integer(1)
	m.symbol("zone")
	m.encoded("UTC", false)
}

// version writes a Gem::Version.
func (m *marshaler) version(v string) {
	m.WriteByte('U')
	m.symbol("Gem::Version")
	m.array(1)
	m.text(v)
}

// requirement writes a Gem::Requirement.
func (m *marshaler) requirement(r requirement) {
	m.WriteByte('U')
	m.symbol("Gem::Requirement")
	m.array(1)
	m.array(len(r))
	for _, c := range r {
		m.array(2)
		m.text(c.operator)
		m.version(c.version)
	}
}

// dependency writes a Gem::Dependency.
func (m *marshaler) dependency(d dependency) {
	m.WriteByte('o')
	m.symbol("Gem::Dependency")
	m.integer(5)
	m.symbol("@name")
	m.text(d.name)
	m.symbol("@requirement")
	m.requirement(d.requirement)
	m.symbol("@type")
	m.symbol(d.kind)
	m.symbol("@prerelease")
	m.boolean(d.prerelease)
	m.symbol("@version_requirements")
	m.requirement(d.requirement)
}

// platform writes what Gem::Platform.new makes of a platform's name: "ruby" as it is, others as a Gem::Platform.
func (m *marshaler) platform(name string) {
	if name == platformRuby {
		m.text(name)
		return
	}
	p := parsePlatform(name)
	m.WriteByte('o')
	m.symbol("Gem::Platform")
	m.integer(3)
	m.symbol("@cpu")
	m.optional(p.cpu)
	m.symbol("@os")
	m.text(p.os)
	m.symbol("@version")
	m.optional(p.version)
}

// specVersion is the version of gemspecs that RubyGems writes today.
const specVersion = 4

// marshal returns the gemspec as it stands in the quick index, where it has no files and no certificates: a Gem::Specification
// is what its _dump returns, a second Marshal in the first one.
func (s gemspec) marshal() []byte {
	var inner marshaler
	inner.WriteString(marshalHead)
	inner.array(19)
	inner.text(s.rubygems)
	inner.fixnum(specVersion)
	inner.text(s.name)
	inner.version(s.version)
	inner.date(s.date)
	inner.text(s.summary)
	inner.requirement(s.ruby)
	inner.requirement(s.rubygemsVersion)
	inner.text(s.platform)
	inner.array(len(s.dependencies))
	for _, d := range s.dependencies {
		inner.dependency(d)
	}
	inner.text("") // rubyforge_project
	inner.texts(s.email)
	inner.texts(s.authors)
	inner.text(s.description)
	inner.optional(s.homepage)
	inner.boolean(true) // has_rdoc
	inner.platform(s.platform)
	inner.texts(s.licenses)
	inner.WriteByte('{')
	inner.integer(len(s.metadata))
	for _, pair := range s.metadata {
		inner.text(pair[0])
		inner.text(pair[1])
	}
	var outer marshaler
	outer.WriteString(marshalHead + "u")
	outer.symbol("Gem::Specification")
	outer.raw(inner.String())
	return outer.Bytes()
}

// tuple returns the gem as an entry of specs.4.8: name, version and platform.
func (id identity) tuple() []byte {
	var m marshaler
	m.array(3)
	m.text(id.name)
	m.version(id.version)
	m.text(id.platform)
	return m.Bytes()
}

// tuples begins an array of tuples.
func tuples(count int) []byte {
	var m marshaler
	m.WriteString(marshalHead)
	m.array(count)
	return m.Bytes()
}
