package helm

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"hallmark/formats/format"
)

// metadata is what Chart.yaml says (helm.sh/docs/topics/charts, "The Chart.yaml File"), as far as an index has it. What else
// there is in the file is for nobody but the chart itself.
type metadata struct {
	APIVersion   string            `yaml:"apiVersion" json:"apiVersion"`
	Name         string            `yaml:"name" json:"name"`
	Version      string            `yaml:"version" json:"version"`
	KubeVersion  string            `yaml:"kubeVersion" json:"kubeVersion,omitempty"`
	Description  string            `yaml:"description" json:"description,omitempty"`
	Type         string            `yaml:"type" json:"type,omitempty"`
	Keywords     []string          `yaml:"keywords" json:"keywords,omitempty"`
	Home         string            `yaml:"home" json:"home,omitempty"`
	Sources      []string          `yaml:"sources" json:"sources,omitempty"`
	Dependencies []dependency      `yaml:"dependencies" json:"dependencies,omitempty"`
	Maintainers  []maintainer      `yaml:"maintainers" json:"maintainers,omitempty"`
	Icon         string            `yaml:"icon" json:"icon,omitempty"`
	AppVersion   string            `yaml:"appVersion" json:"appVersion,omitempty"`
	Deprecated   bool              `yaml:"deprecated" json:"deprecated,omitempty"`
	Annotations  map[string]string `yaml:"annotations" json:"annotations,omitempty"`
	Condition    string            `yaml:"condition" json:"condition,omitempty"`
	Tags         string            `yaml:"tags" json:"tags,omitempty"`
}

type maintainer struct {
	Name  string `yaml:"name" json:"name,omitempty"`
	Email string `yaml:"email" json:"email,omitempty"`
	URL   string `yaml:"url" json:"url,omitempty"`
}

type dependency struct {
	Name       string   `yaml:"name" json:"name"`
	Version    string   `yaml:"version" json:"version,omitempty"`
	Repository string   `yaml:"repository" json:"repository"`
	Condition  string   `yaml:"condition" json:"condition,omitempty"`
	Tags       []string `yaml:"tags" json:"tags,omitempty"`
	Alias      string   `yaml:"alias" json:"alias,omitempty"`
}

// An entry is what an index says of a chart (ChartVersion of helm's pkg/repo).
type entry struct {
	metadata `yaml:",inline"`
	URLs     []string  `yaml:"urls" json:"urls"`
	Created  time.Time `yaml:"created" json:"created,omitzero"`
	Digest   string    `yaml:"digest" json:"digest"` // SHA-256 in hex
}

const nameMost = 128 // bytes of a chart's name

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// file is the name of a chart's archive, by which helm asks for it.
func (m *metadata) file() string { return m.Name + "-" + m.Version + archiveSuffix }

// check refuses what helm does not take (Validate of helm's pkg/chart).
func (m *metadata) check(what string) error {
	_, isVersion := parseVersion(m.Version)
	switch {
	case m.APIVersion != "v1" && m.APIVersion != "v2":
		return format.Malformedf("%s has the apiVersion %.50q, and v1 and v2 are known", what, m.APIVersion)
	case !nameForm.MatchString(m.Name) || len(m.Name) > nameMost:
		return format.Malformedf("%s has the name %.100q, and a name is of letters, digits and ._-", what, m.Name)
	case !isVersion:
		return format.Malformedf("%s has the version %.100q, which is no semantic version, such as 1.2.3", what, m.Version)
	case m.Type != "" && m.Type != "application" && m.Type != "library":
		return format.Malformedf("%s has the type %.50q, and application and library are known", what, m.Type)
	}
	for i, d := range m.Dependencies {
		if d.Name == "" || strings.ContainsFunc(d.Name, isControl) {
			return format.Malformedf("%s has a dependency without a name, or with control characters in it: number %d", what, i+1)
		}
	}
	if text := fmt.Sprint(*m); !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return isControl(r) && r != '\n' && r != '\t' }) {
		return format.Malformedf("%s has control characters", what)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
