package maven

import (
	"encoding/json"
	"encoding/xml"
	"strings"

	"hallmark/formats/format"
)

// A pom is what matters here of a pom.xml. Elements that may stand once are lists, so that a second one is seen.
type pom struct {
	XMLName xml.Name `xml:"project"`
	coordinates
	Packaging []string      `xml:"packaging"`
	Name      []string      `xml:"name"`
	Parent    []coordinates `xml:"parent"`
	Plugins   []struct {
		coordinates
		Prefix []string `xml:"configuration>goalPrefix"`
	} `xml:"build>plugins>plugin"`
}

type coordinates struct {
	GroupID    []string `xml:"groupId"`
	ArtifactID []string `xml:"artifactId"`
	Version    []string `xml:"version"`
}

func readPom(b format.Blob) (pom, error) {
	var m pom
	data, err := readAll(b, maxPom)
	if err == nil {
		err = readXML(data, &m)
	}
	return m, err
}

// fits returns an error unless the pom is that of a place.
func (m *pom) fits(p place) error {
	if len(m.Parent) > 1 || len(m.Packaging) > 1 {
		return format.Malformedf("the pom names two parents, or two packagings")
	}
	var parent coordinates
	if len(m.Parent) == 1 {
		parent = m.Parent[0]
	}
	bare := p.artifact
	if plugin := sbtForm.FindStringSubmatch(p.artifact); plugin != nil && !strings.HasPrefix(p.name, p.artifact+"-") {
		bare = plugin[1]
	}
	for _, c := range []struct {
		what            string
		said, inherited []string
		want            string
	}{
		{"group", m.GroupID, parent.GroupID, p.group},
		{"artifact", m.ArtifactID, nil, bare},
		{"version", m.Version, parent.Version, p.version},
	} {
		said := c.said
		if len(said) == 0 {
			said = c.inherited
		}
		switch {
		case len(said) != 1:
			return format.Malformedf("the pom names %d times its %s, and must once", len(said), c.what)
		case strings.Contains(said[0], "${"):
			return format.Malformedf("the pom's %s is %.100q, which whoever depends on it cannot resolve: let flatten-maven-plugin write it out",
				c.what, said[0])
		case strings.TrimSpace(said[0]) != c.want:
			return format.Malformedf("the pom's %s is %.100q, and its path says %.100q", c.what, said[0], c.want)
		}
	}
	return nil
}

// plugin returns how Maven calls the plugin that the pom is of, or nil if it is of none.
func (m *pom) plugin() *plugin {
	if len(m.Packaging) != 1 || strings.TrimSpace(m.Packaging[0]) != "maven-plugin" {
		return nil
	}
	if len(m.ArtifactID) != 1 {
		return nil
	}
	p := &plugin{ArtifactID: strings.TrimSpace(m.ArtifactID[0])}
	if len(m.Name) > 0 {
		p.Name = strings.TrimSpace(m.Name[0])
	}
	// By what a plugin is called if it does not say: org.apache.maven.tools.plugin.util.PluginUtils.
	p.Prefix = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(p.ArtifactID, "-maven-plugin"), "-plugin"), "maven-")
	for _, other := range m.Plugins {
		if len(other.ArtifactID) == 1 && strings.TrimSpace(other.ArtifactID[0]) == "maven-plugin-plugin" && len(other.Prefix) == 1 {
			p.Prefix = strings.TrimSpace(other.Prefix[0])
		}
	}
	if !artifactForm.MatchString(p.Prefix) {
		return nil // nobody could call it so
	}
	return p
}

// checkModule returns an error unless a file of Gradle's module metadata is that of a place. One that describes variants of
// another module names that one, and where it is.
func checkModule(p place, b format.Blob) error {
	data, err := readAll(b, maxModule)
	if err != nil {
		return err
	}
	var module struct {
		FormatVersion string
		Component     struct{ Group, Module, Version, URL string }
	}
	if err := json.Unmarshal(data, &module); err != nil || module.FormatVersion == "" {
		return format.Malformedf("%.100q is no module metadata of Gradle", p.name)
	}
	c := module.Component
	if c.URL == "" && (c.Group != p.group || c.Module != p.artifact || c.Version != p.version) {
		return format.Malformedf("the module's component is %.100q, and its path says %.200q",
			c.Group+":"+c.Module+":"+c.Version, p.group+":"+p.artifact+":"+p.version)
	}
	return nil
}
