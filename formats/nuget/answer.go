package nuget

import (
	"strings"

	"hallmark/formats/format"
)

// warningHeader is the header whose text nuget and dotnet show to people, whatever the status is
// (learn.microsoft.com/nuget/api/nuget-protocols).
const warningHeader = "X-NuGet-Warning"

// Answer puts the sentence of a refusal where clients show it: they print the status and its name alone, and a header of
// warnings. A push is warned of where NuGet cannot take the repository for what its signatures name.
func (*Format) Answer(s format.Site, r format.Request, a format.Answer) format.Answer {
	warning := ""
	pushed := a.Status == 201 && (a.Op.Kind == format.Put || a.Op.Kind == format.Unwrap)
	switch {
	case a.Status >= 400:
		warning = a.Text
	case pushed && !strings.HasPrefix(s.URL, "https://"):
		warning = "This repository has no https address in its configuration (public_url), and NuGet knows repositories by that alone: " +
			"the signature in the package names " + serviceIndexURL(s)
	}
	if warning != "" {
		a.Header = map[string]string{warningHeader: ascii(warning)}
	}
	return a
}

// ascii returns a text as a header can hold it.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
