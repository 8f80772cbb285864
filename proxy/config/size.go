package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes.
type Size int64

// A unit is a name that may stand after the number of a Size.
type unit struct {
	name  string
	bytes int64
}

// units returns the units, the largest first.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
		{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3},
	}
}

// ParseSize reads a whole number of bytes, optionally followed by KiB, MiB, GiB,
// TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000), without a space.
func ParseSize(text string) (Size, error) {
	number, factor := text, int64(1)
	for _, u := range units() {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is no size: write a whole number of bytes, or one with a unit, such as 512, 64KiB, 4MiB or 10GB", text)
	}
	return Size(int64(n) * factor), nil
}

// String returns the size in the largest unit in which it is a whole number.
// [ParseSize] reads it back.
func (s Size) String() string {
	if s != 0 {
		for _, u := range units() {
			if int64(s)%u.bytes == 0 {
				return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
			}
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes what String returns.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [ParseSize] reads.
func (s *Size) UnmarshalText(text []byte) error {
	size, err := ParseSize(string(text))
	if err != nil {
		return err
	}
	*s = size
	return nil
}
