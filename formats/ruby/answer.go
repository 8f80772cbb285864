package ruby

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// Answer puts what was done into the words of rubygems.org. gem shows whatever text it gets, also of a refusal.
func (f *Format) Answer(_ format.Site, _ format.Request, a format.Answer) format.Answer {
	if a.Status/100 != 2 || len(a.Paths) == 0 {
		return a
	}
	gem := strings.TrimSuffix(path.Base(a.Paths[0]), gemExtension)
	switch a.Op.Kind {
	case format.Put:
		a.Text = "Successfully registered gem: " + gem + " (" + a.Text + ")"
	case format.Unwrap, format.Delete:
		a.Text = "Successfully deleted gem: " + gem
		if a.Op.Kind == format.Unwrap {
			a.Status = 200 // nothing was created
		}
	}
	return a
}
