package debian_test

import (
	"strings"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/signing/scheme"
)

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*debian.Settings)
		want   string
	}{
		{"no origin", func(s *debian.Settings) { s.Origin = "" }, "origin"},
		{"an origin over two lines", func(s *debian.Settings) { s.Origin = "a\nSuite: b" }, "origin"},
		{"a label with space around", func(s *debian.Settings) { s.Label = " a " }, "label"},
		{"a label that is not UTF-8", func(s *debian.Settings) { s.Label = "\xff" }, "label"},
		{"a validity that is over", func(s *debian.Settings) { s.ValidFor = -time.Hour }, "valid_for"},
		{"a validity of parts of a second", func(s *debian.Settings) { s.ValidFor = 1500 * time.Millisecond }, "valid_for"},
		{"another word", func(s *debian.Settings) { s.SignPackages = "yes" }, "sign_packages"},
		{"an architecture with a slash", func(s *debian.Settings) { s.Architectures = []string{"amd64/x"} }, "architectures"},
		{"all as an architecture", func(s *debian.Settings) { s.Architectures = []string{"all"} }, "architectures"},
		{"source as an architecture", func(s *debian.Settings) { s.Architectures = []string{"source"} }, "architectures"},
	} {
		s := debian.Defaults()
		tt.change(&s)
		if _, err := debian.New(s); err == nil || !strings.HasPrefix(err.Error(), tt.want+" ") || !strings.Contains(err.Error(), ": write ") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSpecFollowsTheSettings(t *testing.T) {
	spec := open(t, nil).Spec()
	if len(spec.Keys) != 1 || spec.Keys[0].Purpose != scheme.Index || spec.Valid != 0 || spec.Resign != 0 {
		t.Errorf("%+v", spec)
	}
	spec = open(t, func(s *debian.Settings) { s.SignPackages, s.ValidFor = "unsigned", 3*time.Hour }).Spec()
	if len(spec.Keys) != 2 || spec.Keys[1].Purpose != scheme.Package || spec.Keys[1].Shared || spec.Valid != 3*time.Hour || spec.Resign != time.Hour {
		t.Errorf("%+v", spec)
	}
}
