package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"hallmark/formats"
	"hallmark/proxy/publish"
)

const exampleFile = "../../config.example.yml"

// knownFormats are the formats of the program, as it gives them to Load.
func knownFormats() []PackageFormat {
	var all []PackageFormat
	for _, f := range formats.Table() {
		all = append(all, PackageFormat{Name: f.Name, Alias: f.Alias, Defaults: f.Defaults, Open: func(settings any) ([]KeyUse, error) {
			opened, err := f.New(settings)
			if err != nil {
				return nil, err
			}
			var uses []KeyUse
			for _, use := range append(opened.Spec().Keys, publish.Sidecars()...) {
				uses = append(uses, KeyUse{Purpose: string(use.Purpose), Scheme: string(use.Family), Generate: use.Generate, Kinds: use.Kinds, Optional: use.Shared, Certificate: use.Certificate})
			}
			return uses, nil
		}})
	}
	return all
}

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
	got, err := Load(exampleFile, noEnv, Overrides{}, knownFormats()...)
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(knownFormats()...); !reflect.DeepEqual(got, want) {
		t.Errorf("the example reads as\n%s\nthe defaults are\n%s", printed(t, got), printed(t, want))
	}
}

func TestTheExampleLoadsWithEverySettingShown(t *testing.T) {
	c, err := load("config.example.yml", []byte(uncommented(t)), noEnv, Overrides{}, knownFormats()...)
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS == nil || c.Auth == nil || len(c.Storage) == 0 || c.Repositories["mirror"].Upstream == nil || len(c.Keys["images"]) != 2 {
		t.Errorf("a hidden setting stayed hidden:\n%s", printed(t, c))
	}
}

func TestTheExamplesHiddenSettingsAreDefaultsWhereTheyHaveOne(t *testing.T) {
	shown, err := load("config.example.yml", []byte(uncommented(t)), noEnv, Overrides{}, knownFormats()...)
	if err != nil {
		t.Fatal(err)
	}
	text := "repositories:\n  raw: {format: raw}\n  debian: {format: debian, upstream: {url: 'https://deb.example.com/ours', user: hallmark, password_file: upstream.password, key: upstream.asc, redirect_origins: []}}\n  rpm: {format: rpm}\n  alpine: {format: alpine}\n  arch: {format: arch}\n  npm: {format: npm}\n  unity: {format: unity}\n  maven: {format: maven}\n  python: {format: python}\n  ruby: {format: ruby}\n  nuget: {format: nuget}\n  helm: {format: helm}\n  images: {format: oci, images: ['*']}\n" +
		"  mirror: {format: oci, upstream: {url: 'https://registry.example.com'}}\nauth: {htpasswd: ./htpasswd}\n"
	short, err := load("config.example.yml", []byte(text), noEnv, Overrides{}, knownFormats()...)
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
	for _, f := range knownFormats() {
		keys(reflect.TypeOf(f.Defaults()))
	}
}

func TestTheExampleNamesTheVariables(t *testing.T) {
	example := uncommented(t)
	for _, name := range []string{variable("listen"), variable("limits/upload"), passphraseVariable} {
		if !strings.Contains(example, name) {
			t.Errorf("the example does not name %s", name)
		}
	}
}
