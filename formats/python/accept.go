package python

import (
	"strconv"
	"strings"
)

// negotiate returns the form of a page that a client likes best, by its header Accept (RFC 9110, section 12.5.1): the name
// of the file, and its media type. Who says nothing gets HTML.
func negotiate(accept string) (file, media string) {
	file, media = pageHTML, typeHTML
	best := 0.0
	for accepted := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(accepted, ";")
		weight := 1.0
		for parameter := range strings.SplitSeq(parameters, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if w, err := strconv.ParseFloat(value, 64); key == "q" && err == nil {
				weight = w
			}
		}
		var f, m string
		switch strings.ToLower(strings.TrimSpace(name)) {
		case typeJSON, "application/vnd.pypi.simple.latest+json":
			f, m = pageJSON, typeJSON
		case typeV1HTML, "application/vnd.pypi.simple.latest+html":
			f, m = pageHTML, typeV1HTML
		case "text/html", "*/*":
			f, m = pageHTML, typeHTML
		}
		if f != "" && weight > best {
			file, media, best = f, m, weight
		}
	}
	return file, media
}
