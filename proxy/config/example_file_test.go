package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const exampleFile = "../../config.example.yml"

// uncommented returns the example with every hidden setting shown. Text follows
// "# "; a # before anything else hides a setting.
func uncommented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^#([^ \n]|  )`).ReplaceAllString(string(text), "$1")
}

func TestTheExampleSaysWhatTheProxyDoesWithoutAFile(t *testing.T) {
	got, err := Load(exampleFile, noEnv, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("the example reads as\n%s\nthe defaults are\n%s", printed(t, got), printed(t, want))
	}
}

func TestTheExampleLoadsWithEverySettingShown(t *testing.T) {
	c, err := load("config.example.yml", []byte(uncommented(t)), noEnv, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS == nil || c.Auth == nil || len(c.Storage) == 0 || c.Repositories["mirror"].Upstream == nil || len(c.Keys["images"]) != 2 {
		t.Errorf("a hidden setting stayed hidden:\n%s", printed(t, c))
	}
}

func TestTheExamplesHiddenSettingsAreDefaultsWhereTheyHaveOne(t *testing.T) {
	shown, err := load("config.example.yml", []byte(uncommented(t)), noEnv, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	text := "repositories:\n  images: {format: oci, images: ['*']}\n" +
		"  mirror: {format: oci, upstream: {url: 'https://registry.example.com'}}\nauth: {htpasswd: ./htpasswd}\n"
	short, err := load("config.example.yml", []byte(text), noEnv, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(shown.Repositories, short.Repositories) {
		t.Errorf("the example shows the repositories %+v, their defaults are %+v", shown.Repositories, short.Repositories)
	}
	if !reflect.DeepEqual(shown.Auth, short.Auth) {
		t.Errorf("the example shows auth as %+v, its default is %+v", shown.Auth, short.Auth)
	}
}

func TestTheExampleHasEveryKeyOfTheType(t *testing.T) {
	example := uncommented(t)
	var keys func(of reflect.Type)
	keys = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			keys(of.Elem())
		case reflect.Struct:
			for _, s := range settings(reflect.New(of).Elem()) {
				setting := regexp.MustCompile(`(?m)^ *(- )?` + regexp.QuoteMeta(s.name) + `:`)
				if !setting.MatchString(example) {
					t.Errorf("%v: the key %s is not in the example", of, s.name)
				}
				keys(s.value.Type())
			}
		}
	}
	keys(reflect.TypeFor[Config]())
}

func TestTheExampleNamesTheVariables(t *testing.T) {
	example := uncommented(t)
	for _, name := range []string{variable("listen"), variable("limits/upload"), passphraseVariable} {
		if !strings.Contains(example, name) {
			t.Errorf("the example does not name %s", name)
		}
	}
}
