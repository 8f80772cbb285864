// Package formats is the table of formats. Only the program that wires all together imports it.
package formats

import (
	"fmt"

	"hallmark/formats/alpine"
	"hallmark/formats/arch"
	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/formats/helm"
	"hallmark/formats/maven"
	"hallmark/formats/npm"
	"hallmark/formats/nuget"
	"hallmark/formats/python"
	"hallmark/formats/raw"
	"hallmark/formats/rpm"
	"hallmark/formats/ruby"
)

// An Entry of the table is one format.
type Entry struct {
	// Name is the format's name in the configuration, and that of the repository that there is without one.
	Name string
	// Alias says that the name is another one of a format that stands above: there is no such repository without a
	// configuration.
	Alias bool
	// Defaults returns a pointer to a struct of the format's settings, with yaml tags.
	Defaults func() any
	// New returns the format with the settings that such a pointer holds.
	New func(settings any) (format.Format, error)
}

// Table returns all formats.
func Table() []Entry {
	return []Entry{
		entry("raw", raw.Defaults, raw.New),
		entry("debian", debian.Defaults, debian.New),
		entry("rpm", rpm.Defaults, rpm.New),
		entry("alpine", alpine.Defaults, alpine.New),
		entry("arch", arch.Defaults, arch.New),
		entry("npm", npm.Defaults, npm.New),
		entry("unity", npm.Defaults, npm.NewUnity),
		entry("python", python.Defaults, python.New),
		entry("helm", helm.Defaults, helm.New),
		entry("ruby", ruby.Defaults, ruby.New),
		entry("nuget", nuget.Defaults, nuget.New),
		entry("maven", maven.Defaults, maven.New),
		alias(entry("gradle", maven.Defaults, maven.NewGradle)),
		alias(entry("sbt", maven.Defaults, maven.NewSbt)),
	}
}

func alias(e Entry) Entry {
	e.Alias = true
	return e
}

// entry makes an Entry of a format's default settings and its constructor.
func entry[S any, F format.Format](name string, defaults func() S, open func(S) (F, error)) Entry {
	return Entry{
		Name: name,
		Defaults: func() any {
			s := defaults()
			return &s
		},
		New: func(settings any) (format.Format, error) {
			s, ok := settings.(*S)
			if !ok {
				return nil, fmt.Errorf("settings of %s are a %T", name, settings)
			}
			return open(*s)
		},
	}
}
