package debian

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// clientAPT is the only client that there is a set-up text for.
const clientAPT = "apt"

// Render has no documents: all that apt reads is stored.
func (f *Format) Render(format.Site, format.Op) (format.Document, error) {
	return format.Document{}, fs.ErrNotExist
}

// Setup returns a script that makes apt trust the repository, and nothing else by its key. It names the distributions and
// components that there are, or stable and main where nothing has been uploaded yet.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	if client != clientAPT {
		return nil, format.NotFoundf("there is no set-up text for %.40q: ask for %s", client, clientAPT)
	}
	for _, url := range []string{s.URL, s.KeysURL} {
		if !isPlainURL(url) {
			return nil, fmt.Errorf("the address %q cannot stand in a sources file", url)
		}
	}
	data := setup{Name: s.Repository, URL: s.URL, KeysURL: s.KeysURL}
	for _, key := range s.Keys.Of(scheme.Index, scheme.OpenPGP) {
		data.Fingerprints = append(data.Fingerprints, key.Fingerprint)
	}
	for shard, err := range s.Tree.Shards() {
		if err != nil {
			return nil, err
		}
		if d := f.distribution(shard.Groups); len(d.components) > 0 {
			data.Distributions = append(data.Distributions, setupDistribution{
				Name: shard.Shard, Components: strings.Join(d.components, " "), Sources: hasSources(shard),
			})
		}
	}
	if len(data.Distributions) == 0 {
		data.Distributions = []setupDistribution{{Name: "stable", Components: "main"}}
	}
	parsed, err := template.New(clientAPT).Parse(setupTemplate)
	if err != nil {
		return nil, err
	}
	var script bytes.Buffer
	if err := parsed.Execute(&script, data); err != nil {
		return nil, err
	}
	return script.Bytes(), nil
}

// hasSources reports whether a distribution holds a source now.
func hasSources(c format.Contents) bool {
	return slices.ContainsFunc(c.Groups, func(g format.Group) bool {
		return g.Count > 0 && strings.HasSuffix(g.Name, "/"+archSource)
	})
}

// isPlainURL reports whether an address means nothing to a shell inside of single quotes, nor to apt.
func isPlainURL(url string) bool {
	return strings.HasPrefix(url, "http") && !strings.ContainsFunc(url, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`'"\`+"`$", r)
	})
}

type setup struct {
	Name, URL, KeysURL string
	Fingerprints       []string
	Distributions      []setupDistribution
}

type setupDistribution struct {
	Name, Components string
	Sources          bool
}

// The script runs as a whole or not at all: a shell that gets half of it through a pipe only reads half a function.
const setupTemplate = `#!/bin/sh
# Makes apt use the package repository {{.URL}}
#
#   1. /etc/apt/keyrings/hallmark-{{.Name}}.asc gets the repository's public key
{{- range .Fingerprints}}
#      {{.}}
{{- end}},
#   2. /etc/apt/sources.list.d/hallmark-{{.Name}}.sources names the repository, and trusts that key for it alone,
#   3. apt-get update fetches its signed index.
#
# Run it as root; running it again does no harm. To undo it, remove the two files.
set -eu

hallmark_setup() {
	keyring='/etc/apt/keyrings/hallmark-{{.Name}}.asc'
	sources='/etc/apt/sources.list.d/hallmark-{{.Name}}.sources'

	if [ "$(id -u)" -ne 0 ]; then
		echo 'This sets up apt, which root may do: run it again as root, such as with "| sudo sh".' >&2
		exit 1
	fi
	if ! command -v apt-get >/dev/null; then
		echo 'There is no apt-get here: this is for Debian, Ubuntu and their kin.' >&2
		exit 1
	fi
	umask 022
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT

	if command -v curl >/dev/null; then
		curl -fsSL -o "$work/key" '{{.KeysURL}}/openpgp.asc'
	elif command -v wget >/dev/null; then
		wget -q -O "$work/key" '{{.KeysURL}}/openpgp.asc'
	else
		echo 'Install curl or wget first: one of them must fetch the public key.' >&2
		exit 1
	fi
	if ! grep -q '^-----BEGIN PGP PUBLIC KEY BLOCK-----' "$work/key"; then
		echo 'What came from {{.KeysURL}}/openpgp.asc is no public key.' >&2
		exit 1
	fi
	cat >"$work/sources" <<'END_OF_SOURCES'
{{- range $i, $d := .Distributions}}
{{- if $i}}
{{end}}
Types: deb{{if $d.Sources}} deb-src{{end}}
URIs: {{$.URL}}
Suites: {{$d.Name}}
Components: {{$d.Components}}
Signed-By: /etc/apt/keyrings/hallmark-{{$.Name}}.asc
{{- end}}
END_OF_SOURCES
	mkdir -p /etc/apt/keyrings /etc/apt/sources.list.d
	install -m 644 "$work/key" "$keyring"
	install -m 644 "$work/sources" "$sources"
	apt-get update
}

hallmark_setup
`
