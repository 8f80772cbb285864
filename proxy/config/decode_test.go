package config

import (
	"strings"
	"testing"
)

func TestYAMLThatIsNotOursIsRefusedWithItsPosition(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"an unknown key, with the nearest known one", "listen: 127.0.0.1:80\nrepositories:\n  images:\n    upstrem: {}\n",
			"config.yml:4:5: unknown key upstrem (did you mean upstream?)"},
		{"an unknown key like no other, with the known ones", "log:\n  colour: blue\n",
			"config.yml:2:3: unknown key colour (known: format, level)"},
		{"a key in capitals", "Listen: 127.0.0.1:80\n", "config.yml:1:1: unknown key Listen (did you mean listen?)"},
		{"a setting that only the environment may give", "key_passphrase: x\n", "config.yml:1:1: unknown key key_passphrase"},
		{"a key that stands twice", "data: a\nlisten: 127.0.0.1:80\ndata: b\n",
			"config.yml:3:1: key data stands twice, first at config.yml:1:1: remove one of them"},
		{"a repository that stands twice", "repositories:\n  a: {format: oci}\n  a: {format: oci}\n",
			"config.yml:3:3: key a stands twice, first at config.yml:2:3: remove one of them"},
		{"a storage parameter that stands twice", "storage: {filesystem: {maxthreads: 50, maxthreads: 60}}\n",
			"config.yml:1:40: key maxthreads stands twice"},
		{"a key that is a number", "repositories:\n  1: {format: oci}\n", "config.yml:2:3: a key is a number, must be text: put it in quotes"},
		{"a key that is a list", "? [a]\n: b\n", "config.yml:1:3: a key is a list, must be text"},
		{"text where a mapping belongs", "log: text\n", "config.yml:1:6: log is text, must be a mapping (key: value)"},
		{"a mapping where text belongs", "data: {}\n", "config.yml:1:7: data is a mapping, must be text"},
		{"a mapping where a list belongs", "repositories: {a: {images: {}}}\n", "config.yml:1:28: repositories.a.images is a mapping, must be a list"},
		{"text where a list belongs", "repositories: {a: {images: 'a/*'}}\n", "config.yml:1:28: repositories.a.images is text, must be a list"},
		{"a number where text belongs", "data: 5\n", "config.yml:1:7: data is a number, must be text: put it in quotes"},
		{"a date where text belongs", "data: 2026-01-01\n", "config.yml:1:7: data is a date, must be text: put it in quotes"},
		{"text where true or false belongs", "repositories: {a: {hide_signature_tags: 'yes'}}\n",
			"config.yml:1:41: repositories.a.hide_signature_tags is text, must be true or false"},
		{"a number where a duration belongs", "repositories: {a: {upstream: {timeout: 30}}}\n",
			"config.yml:1:40: repositories.a.upstream.timeout is a number, must be a duration such as 30s, with its unit"},
		{"a duration that is none", "repositories: {a: {upstream: {timeout: 30 s}}}\n",
			`config.yml:1:40: repositories.a.upstream.timeout: "30 s" is no duration: write a number with a unit, such as 30s or 2m`},
		{"a size that is none", "limits:\n  upload: lots\n", `config.yml:2:11: limits.upload: "lots" is no size`},
		{"a fraction where a size belongs", "limits: {upload: 1.5}\n", "config.yml:1:18: limits.upload is a number, must be a size such as 10GiB"},
		{"an element of a list", "repositories: {a: {images: [a, 2]}}\n", "config.yml:1:32: repositories.a.images[1] is a number, must be text"},
		{"text without value", "data:\n", "config.yml:1:6: data has no value: write text, or remove the key"},
		{"auth without value", "auth:\n", "config.yml:1:6: auth has no value: write a mapping (key: value), or remove the key"},
		{"a list without value", "auth: {htpasswd: a, rules: }\n", "auth.rules has no value: write a list, or remove the key"},
		{"an upstream without value", "repositories: {a: {format: oci, upstream: }}\n", "repositories.a.upstream has no value"},
		{"a second document", "data: a\n---\ndata: b\n", "config.yml:2:1: a second YAML document begins here"},
		{"an alias", "data: &x a\nlisten: *x\n", "config.yml:2:9: listen is an alias (*x): write the value out"},
		{"an alias as a key", "data: &x listen\n*x : a\n", "config.yml:2:1: a key is an alias, must be text"},
		{"an alias in a driver's parameters", "data: &x a\nstorage: {filesystem: {rootdirectory: *x}}\n", "config.yml:2:39: storage.filesystem.rootdirectory is an alias"},
		{"a merge key", "log: &x {format: json}\nlimits:\n  <<: *x\n", "config.yml:3:3: a merge key (<<) is not read here: write the keys out"},
		{"a list at the top", "- a\n", "config.yml:1:1: the configuration is a list, must be a mapping (key: value)"},
		{"text at the top", "hello\n", "config.yml:1:1: the configuration is text, must be a mapping (key: value)"},
		{"a list as a driver's parameter", "storage: {filesystem: {rootdirectory: [a]}}\n", "storage.filesystem.rootdirectory is a list, must be text, a whole number, or true or false"},
		{"what is no YAML", "data: a\nlisten: [\n", "config.yml:2: not YAML: "},
		{"a tab", "log:\n\tformat: json\n", "config.yml:2: not YAML: "},
		{"bytes that are not UTF-8", "data: \xff\n", "config.yml: not YAML: "},
		{"binary text", "data: !!binary aGVsbG8=\n", "config.yml:1:7: data is of type !!binary, must be text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAllFaultsOfAFileAreNamedAtOnce(t *testing.T) {
	_, err := parse("lisen: a\nlog: {level: 1}\nlimits: {upload: x}\n")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}

func TestABombOfAliasesIsRefused(t *testing.T) {
	text := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		previous := string(c - 1)
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+previous+", ", 9) + "]\n"
	}
	if _, err := parse("repositories: {r: {images: [a]}}\n" + text); err == nil {
		t.Error("it loads")
	}
}

func TestAFaultOfTheEnvironmentNamesItsVariable(t *testing.T) {
	for _, tt := range []struct{ variable, value, want string }{
		{"HALLMARK_LIMITS_UPLOAD", "lots", `HALLMARK_LIMITS_UPLOAD: "lots" is no size`},
		{"HALLMARK_LISTEN", "8080", `HALLMARK_LISTEN: listen is "8080", which is not host:port`},
		{"HALLMARK_LOG_FORMAT", "jsn", `HALLMARK_LOG_FORMAT: log.format is "jsn" (did you mean json?): write text or json`},
		{"HALLMARK_TLS_CERT", "cert", "config.yml: tls.key is missing"},
		{"HALLMARK_DATA", "\xff", "HALLMARK_DATA: is not UTF-8"},
	} {
		t.Run(tt.variable, func(t *testing.T) {
			_, err := load("config.yml", nil, env(map[string]string{tt.variable: tt.value}), Overrides{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAFaultOfAFlagNamesTheFlag(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags Overrides
		want  string
	}{
		{"an address that is none", Overrides{Listen: "8080"}, `--listen: listen is "8080"`},
		{"a folder that is not UTF-8", Overrides{Data: "\xff"}, "--data: is not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load("config.yml", []byte("listen: 127.0.0.1:80\n"), noEnv, tt.flags)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
