package helm

import (
	"encoding/json"
	"strings"

	"hallmark/formats/format"
)

// Answer puts answers of the API into the form of ChartMuseum. What charts and provenance are put to answers in plain text.
func (f *Format) Answer(_ format.Site, r format.Request, a format.Answer) format.Answer {
	if r.Path != apiProv && !strings.HasPrefix(r.Path, apiCharts) && !strings.HasPrefix(r.Path, apiProv+"/") {
		return a
	}
	said := map[string]any{}
	switch {
	case a.Status >= 400:
		said["error"] = a.Text
	case r.Method == "DELETE":
		a.Status = 200
		said["deleted"] = true
	default:
		a.Status = 201
		said["saved"] = true
	}
	data, err := json.Marshal(said)
	if err != nil {
		return a
	}
	a.Type, a.Data = "application/json", append(data, '\n')
	return a
}
