package ruby

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"hallmark/formats/format"
)

const chainKey = "cert_chain"

// withChain returns the text of a gemspec with a certificate as its chain. Nothing else changes, neither in the text nor in what
// it means.
func withChain(text []byte, certificate []byte) ([]byte, error) {
	root, err := readYAML(metadataName, text)
	if err != nil {
		return nil, err
	}
	start, end, err := chainLines(text, root)
	if err != nil {
		return nil, err
	}
	var chain strings.Builder
	chain.WriteString(chainKey + ":\n- |\n")
	for line := range strings.Lines(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))) {
		chain.WriteString("  " + line)
	}
	changed := slices.Concat(text[:start], []byte(chain.String()), text[end:])
	if err := onlyChainDiffers(root, changed); err != nil {
		return nil, err
	}
	return changed, nil
}

// chainLines returns where the lines of cert_chain are, or where they may be put.
func chainLines(text []byte, root *yaml.Node) (start, end int, err error) {
	if root.Kind != yaml.MappingNode || root.Style == yaml.FlowStyle || len(root.Content) == 0 {
		return 0, 0, errForm
	}
	lines := lineStarts(text)
	var keys []int // where the line of each key begins
	chain := -1
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if key.Line < 1 || key.Line > len(lines) || key.Column != 1 || !bytes.HasPrefix(text[lines[key.Line-1]:], []byte(key.Value+":")) {
			return 0, 0, errForm
		}
		if key.Value == chainKey {
			chain = len(keys)
			if hasAnchor(root.Content[i+1]) {
				return 0, 0, errForm // what it names would change with the chain
			}
		}
		keys = append(keys, lines[key.Line-1])
	}
	switch {
	case chain < 0:
		return keys[0], keys[0], nil
	case chain == len(keys)-1:
		return keys[chain], len(text), nil
	}
	return keys[chain], keys[chain+1], nil
}

func hasAnchor(n *yaml.Node) bool { return n.Anchor != "" || slices.ContainsFunc(n.Content, hasAnchor) }

var errForm = format.Malformedf("%s is not written as gem build writes it, so that it cannot be signed here: build the gem with gem build, "+
	"or sign it yourself", metadataName)

// lineStarts returns where the lines begin, as YAML 1.1 breaks them.
func lineStarts(text []byte) []int {
	starts := []int{0}
	s := string(text)
	for i, r := range s {
		switch r {
		case '\r':
			if strings.HasPrefix(s[i:], "\r\n") {
				continue
			}
			starts = append(starts, i+1)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i+len(string(r)))
		}
	}
	return starts
}

// onlyChainDiffers returns an error unless a changed text says what the gemspec said, but for its chain.
func onlyChainDiffers(before *yaml.Node, changed []byte) error {
	after, err := readYAML(metadataName, changed)
	if err != nil {
		return errForm // it can be read before, so that what was put there has broken it
	}
	if !reflect.DeepEqual(meaning(before), meaning(after)) {
		return errForm
	}
	return nil
}

// meaning returns what the nodes of a gemspec say, without its chain and without where they stand.
func meaning(root *yaml.Node) []string {
	var all []string
	var add func(*yaml.Node)
	add = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			all = append(all, "*"+n.Value)
			return
		}
		all = append(all, fmt.Sprintf("%d %d %s &%s %s", n.Kind, len(n.Content), n.ShortTag(), n.Anchor, n.Value))
		for _, c := range n.Content {
			add(c)
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != chainKey {
			add(root.Content[i])
			add(root.Content[i+1])
		}
	}
	return all
}
