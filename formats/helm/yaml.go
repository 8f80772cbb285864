package helm

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/format"
)

const depthMost = 50 // levels of a document

// decode reads a YAML document that two readers cannot take differently: no anchors and aliases, no tags, no key twice,
// nothing behind it.
func decode(what string, data []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		return brokenYAML(what, err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return format.Malformedf("%s holds more than one document", what)
	}
	if err := checkNode(what, &doc, 0); err != nil {
		return err
	}
	if err := doc.Decode(into); err != nil {
		return brokenYAML(what, err)
	}
	return nil
}

func brokenYAML(what string, err error) error {
	if errors.Is(err, io.EOF) {
		return format.Malformedf("%s is empty", what)
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	return format.Malformedf("%s cannot be read: %.300q", what, text)
}

func checkNode(what string, n *yaml.Node, depth int) error {
	switch {
	case depth > depthMost:
		return format.Malformedf("%s has more than %d levels", what, depthMost)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return format.Malformedf("%s has an anchor or an alias in line %d: write what it stands for", what, n.Line)
	case n.Style&yaml.TaggedStyle != 0:
		return format.Malformedf("%s has the tag %.50q in line %d, and must have none", what, n.Tag, n.Line)
	}
	if n.Kind == yaml.MappingNode {
		keys := make(map[string]bool, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || keys[key.Value] {
				return format.Malformedf("%s has the key %.100q in line %d, which is there twice or no name", what, key.Value, key.Line)
			}
			keys[key.Value] = true
		}
	}
	for _, child := range n.Content {
		if err := checkNode(what, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}
