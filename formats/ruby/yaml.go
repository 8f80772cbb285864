package ruby

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/format"
)

const (
	// maxText bounds a text in YAML, and maxMarks the characters in it of which a node needs at least one: they bound what the
	// nodes take in memory. The longest gemspecs of rubygems.org have some 10,000 files.
	maxText  = 2 << 20
	maxMarks = 120_000

	maxDepth = 16 // of nodes in each other
)

// objectTag begins the tags of Ruby's objects.
const objectTag = "!ruby/object:"

// permitted are the tags that a gemspec may have: those that RubyGems loads (lib/rubygems/safe_yaml.rb), and those of strings as
// older Rubies wrote them. Any other would be an object of the uploader's choice.
var permitted = map[string]bool{
	"": true, "!": true, "!!str": true, "!!null": true, "!!bool": true, "!!int": true, "!!float": true, "!!timestamp": true,
	"!!seq": true, "!!map": true, "!!binary": true, "!binary": true, "!str": true, "!ruby/symbol": true, "!ruby/sym": true,
	objectTag + "Gem::Specification": true, objectTag + "Gem::Version": true, objectTag + "Gem::Requirement": true,
	objectTag + "Gem::Version::Requirement": true, objectTag + "Gem::Dependency": true, objectTag + "Gem::Platform": true,
}

// readYAML returns the root of a text in YAML 1.1, as Ruby's Psych writes it: one document, without tags of other objects than
// those of a gemspec, and without a key that comes twice. What names the text in errors.
func readYAML(what string, text []byte) (*yaml.Node, error) {
	switch {
	case len(text) > maxText:
		return nil, format.Malformedf("%s has more than %d bytes", what, maxText)
	case !utf8.Valid(text) || bytes.HasPrefix(text, []byte("\ufeff")) || bytes.IndexByte(text, 0) >= 0:
		return nil, format.Malformedf("%s is no plain text in UTF-8", what)
	case countMarks(text) > maxMarks:
		return nil, format.Malformedf("%s has more than some %d values", what, maxMarks)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := d.Decode(&document); err != nil {
		return nil, format.Malformedf("%s is not YAML that can be read: %.200q", what, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, format.Malformedf("something follows the first document of %s", what)
	}
	if len(document.Content) != 1 {
		return nil, format.Malformedf("%s is empty", what)
	}
	root := document.Content[0]
	return root, checkNode(what, root, 0)
}

func countMarks(text []byte) int {
	count := 0
	for _, b := range text {
		switch b {
		case '\n', '\r', ',', '[', '{', ':', '-', '?':
			count++
		}
	}
	return count
}

// checkNode refuses tags that are not permitted, keys that come twice and merges of mappings.
func checkNode(what string, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return format.Malformedf("%s has values that are more than %d deep in each other", what, maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return nil // what it means is in the document once
	}
	if !permitted[n.ShortTag()] {
		return format.Malformedf("%s holds a value with the tag %.100q, which RubyGems does not load from a gem", what, n.Tag)
	}
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if child.Kind != yaml.ScalarNode || child.Value == "<<" || seen[child.Value] {
				return format.Malformedf("%s has a key twice or one that is no text: %.100q", what, child.Value)
			}
			seen[child.Value] = true
		}
		if err := checkNode(what, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// child returns the value of a key of a mapping, and nil if it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// scalar returns the text of a scalar. A number is its text as it stands: only what is a string in Ruby, too, is exact.
func scalar(n *yaml.Node) (text string, exact, ok bool) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return "", false, false
	}
	switch n.ShortTag() {
	case "!binary", "!!binary":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		return string(data), err == nil, err == nil
	case "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
		return n.Value, false, true
	}
	return n.Value, true, true
}
