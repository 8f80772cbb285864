package ruby_test

import (
	"crypto"
	"errors"
	"net/url"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/ruby"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	text := func(p string) format.Op {
		return format.Op{Kind: format.Get, Paths: []string{p}, Type: "text/plain; charset=utf-8", Tag: crypto.MD5}
	}
	for _, tt := range []struct {
		method, path string
		want         format.Op
		err          error
	}{
		{"GET", "versions", text("versions"), nil},
		{"GET", "names", text("names"), nil},
		{"GET", "info/a", text("info/a"), nil},
		{"GET", "info/a.asc", format.Op{Kind: format.Get, Paths: []string{"info/a.asc"}}, nil},
		{"GET", "specs.4.8.gz", format.Op{Kind: format.Get, Paths: []string{"specs.4.8.gz"}}, nil},
		{"GET", "gems/a-1.gem", format.Op{Kind: format.Get, Paths: []string{"gems/a-1.gem"}}, nil},
		{"GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"POST", "api/v1/gems", format.Op{Kind: format.Put}, nil},
		{"DELETE", "api/v1/gems/yank", format.Op{Kind: format.Unwrap}, nil},
		{"PUT", "gems/a-1.gem", format.Op{Kind: format.Put, Dir: "gems", Name: "a-1.gem"}, nil},
		{"PUT", "gems/", format.Op{Kind: format.Put, Dir: "gems"}, nil},
		{"DELETE", "gems/a-1.gem", format.Op{Kind: format.Delete, Paths: []string{"gems/a-1.gem"}}, nil},
		{"PUT", "versions", format.Op{}, format.ErrNotAllowed},
		{"PUT", "info/a", format.Op{}, format.ErrNotAllowed},
		{"PUT", "a-1.gem", format.Op{}, format.ErrNotAllowed},
		{"PUT", "gems/a/a-1.gem", format.Op{}, format.ErrNotAllowed},
		{"PUT", "gems/a.txt", format.Op{}, format.ErrNotAllowed},
		{"DELETE", "quick/Marshal.4.8/a-1.gemspec.rz", format.Op{}, format.ErrNotAllowed},
		{"DELETE", "gems/", format.Op{}, format.ErrNotAllowed},
		{"POST", "api/v1/gems/yank", format.Op{}, format.ErrNotAllowed},
		{"POST", "gems/a-1.gem", format.Op{}, format.ErrNotAllowed},
	} {
		got, err := open(t, ruby.Defaults()).Route(format.Request{Method: tt.method, Path: tt.path})
		if !errors.Is(err, tt.err) {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s: %s", tt.method, tt.path, diff)
		}
	}
}

func TestAYankIsADeletion(t *testing.T) {
	f := open(t, ruby.Defaults())
	for _, tt := range []struct{ query, body, want string }{
		{"", "gem_name=a&version=1.0", "gems/a-1.0.gem"},
		{"", "gem_name=a&version=1.0&platform=ruby", "gems/a-1.0.gem"},
		{"", "gem_name=a&version=1.0&platform=x86_64-linux", "gems/a-1.0-x86_64-linux.gem"},
		{"gem_name=a&version=1.0.rc1&platform=java", "", "gems/a-1.0.rc1-java.gem"},
		{"", "", ""},
		{"", "gem_name=a", ""},
		{"", "version=1", ""},
		{"", "gem_name=../a&version=1", ""},
		{"", "gem_name=a&version=1/../../b", ""},
		{"", "gem_name=a&version=1&platform=../b", ""},
		{"", "gem_name=%zz", ""},
		{"", "gem_name=a&version=1&" + strings.Repeat("x", 1<<20), ""},
	} {
		query, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := f.Unwrap(format.Request{Method: "DELETE", Path: "api/v1/gems/yank", Query: query}, formattest.NewBlob([]byte(tt.body)))
		if tt.want == "" {
			if !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%.50q: %+v, %v", tt.body, changes, err)
			}
			continue
		}
		want := []format.Change{{Op: format.Op{Kind: format.Delete, Paths: []string{tt.want}}}}
		if diff := cmp.Diff(want, changes); err != nil || diff != "" {
			t.Errorf("%q %q: %v %s", tt.query, tt.body, err, diff)
		}
	}
}

func TestAnswersAreInTheWordsOfRubyGems(t *testing.T) {
	f := open(t, ruby.Defaults())
	for _, tt := range []struct {
		answer format.Answer
		want   string
	}{
		{format.Answer{Status: 201, Text: "it is signed", Op: format.Op{Kind: format.Put}, Paths: []string{"gems/a-1.gem"}}, "Successfully registered gem: a-1 (it is signed)"},
		{format.Answer{Status: 201, Op: format.Op{Kind: format.Unwrap}, Paths: []string{"gems/a-1.gem"}}, "Successfully deleted gem: a-1"},
		{format.Answer{Status: 409, Text: "no", Op: format.Op{Kind: format.Put}, Paths: []string{"gems/a-1.gem"}}, "no"},
		{format.Answer{Status: 400, Text: "no"}, "no"},
	} {
		status := tt.answer.Status
		if tt.answer.Op.Kind == format.Unwrap {
			status = 200
		}
		if got := f.Answer(format.Site{}, format.Request{}, tt.answer); got.Text != tt.want || got.Status != status {
			t.Errorf("%+v, want %d %q", got, status, tt.want)
		}
	}
}

func TestSettingsThatCannotBeUsedAreNamed(t *testing.T) {
	if _, err := ruby.New(ruby.Settings{SignPackages: "maybe"}); err == nil || !strings.Contains(err.Error(), "sign_packages") {
		t.Error(err)
	}
}
