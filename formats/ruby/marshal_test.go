package ruby

import "testing"

// As Ruby 3.1 writes these lengths.
func TestLengthsInMarshal(t *testing.T) {
	for count, want := range map[int]string{
		0: "\x00", 1: "\x06", 122: "\x7f", 123: "\x01\x7b", 255: "\x01\xff", 256: "\x02\x00\x01", 300: "\x02\x2c\x01", 70000: "\x03\x70\x11\x01",
	} {
		if got := string(tuples(count)); got != marshalHead+"["+want {
			t.Errorf("an array of %d begins with %q", count, got)
		}
		u := &unmarshaler{rest: want}
		if got := u.integer(); got != count || u.err != nil || u.rest != "" {
			t.Errorf("%q is read as %d, %v", want, got, u.err)
		}
	}
	for number, text := range map[int]string{-1: "\xfa", -123: "\x80", -124: "\xff\x84", -256: "\xff\x00", -257: "\xfe\xff\xfe"} {
		u := &unmarshaler{rest: text}
		if got := u.integer(); got != number || u.rest != "" {
			t.Errorf("%q is read as %d, want %d", text, got, number)
		}
		var m marshaler
		if m.integer(number); m.String() != text {
			t.Errorf("%d is written as %q, want %q", number, m.String(), text)
		}
	}
}
