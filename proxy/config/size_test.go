package config

import "testing"

func TestParseSize(t *testing.T) {
	for _, tt := range []struct {
		text      string
		want      Size
		canonical string
	}{
		{"0", 0, "0"},
		{"512", 512, "512"},
		{"1024", 1 << 10, "1KiB"},
		{"64KiB", 64 << 10, "64KiB"},
		{"4MiB", 4 << 20, "4MiB"},
		{"10GiB", 10 << 30, "10GiB"},
		{"10240MiB", 10 << 30, "10GiB"},
		{"2TiB", 2 << 40, "2TiB"},
		{"1kB", 1000, "1kB"},
		{"10GB", 10e9, "10GB"},
		{"1500kB", 1500e3, "1500kB"},
		{"3TB", 3e12, "3TB"},
		{"9223372036854775807", 1<<63 - 1, "9223372036854775807"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseSize(tt.text)
			if err != nil || got != tt.want || got.String() != tt.canonical {
				t.Errorf("got %d (%v), %v; want %d (%s)", int64(got), got, err, int64(tt.want), tt.canonical)
			}
			if again, err := ParseSize(got.String()); err != nil || again != got {
				t.Errorf("%v reads back as %d, %v", got, int64(again), err)
			}
		})
	}
}

func TestParseSizeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no text":                     "",
		"a unit alone":                "MiB",
		"a negative number":           "-1",
		"a sign":                      "+1",
		"a fraction":                  "1.5GiB",
		"a space":                     "4 MiB",
		"a unit in the wrong case":    "4mib",
		"an unknown unit":             "4M",
		"a hexadecimal number":        "0x10",
		"an underscore":               "1_000",
		"more than 63 bits":           "9223372036854775808",
		"more than 63 bits by a unit": "8388608TiB",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseSize(text); err == nil {
				t.Errorf("%q reads as %d", text, int64(got))
			}
		})
	}
}
