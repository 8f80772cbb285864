package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad checks that no YAML makes the loader panic, and that whatever it
// accepts it prints and accepts again as the same.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte(full))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := load("config.yml", text, noEnv, Overrides{})
		if err != nil {
			return
		}
		var b strings.Builder
		if err := Print(&b, c); err != nil {
			t.Fatal(err)
		}
		again, err := load("config.yml", []byte(b.String()), noEnv, Overrides{})
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if !reflect.DeepEqual(again, c) {
			t.Errorf("%+v prints as\n%s\nand loads as %+v", c, b.String(), again)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"0", "512", "64KiB", "10GB", "9223372036854775807", "8388608TiB", "1.5GiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(size.String()); err != nil || again != size || size < 0 {
			t.Errorf("%q is %d, prints as %v and reads back as %d, %v", text, int64(size), size, int64(again), err)
		}
	})
}
