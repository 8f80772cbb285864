package helm

import (
	"regexp"
	"strings"

	"hallmark/formats/format"
)

// The addresses of ChartMuseum's API (chartmuseum.com/docs, "API").
const (
	apiCharts = "api/charts"
	apiProv   = "api/prov"
)

// fileForm is what a chart's name and version are of, with a hyphen between them.
var fileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*-v?[0-9][A-Za-z0-9.+-]*$`)

// isArchive reports whether a name is one that a chart's archive can have.
func isArchive(name string) bool {
	base, ok := strings.CutSuffix(name, archiveSuffix)
	return ok && len(name) <= 2*nameMost && fileForm.MatchString(base)
}

// Route says what a request asks for. Charts are in the root.
func (f *Format) Route(r format.Request) (format.Op, error) {
	p := r.Path
	switch r.Method {
	case "GET":
		return get(p), nil
	case "PUT":
		chart, prov := strings.CutSuffix(p, provenanceSuffix)
		switch {
		case isArchive(p):
			return format.Op{Kind: format.Put, Name: p}, nil
		case prov && isArchive(chart):
			return format.Op{Kind: format.Unwrap}, nil
		}
		return format.Op{}, format.NotAllowedf("%.200q is not the name of a chart: those are NAME-VERSION%s, with or without %s, in the root",
			p, archiveSuffix, provenanceSuffix)
	case "POST":
		if trimmed := strings.TrimSuffix(p, "/"); trimmed == apiCharts || trimmed == apiProv {
			return format.Op{Kind: format.Unwrap}, nil
		}
		return format.Op{}, format.NotAllowedf("charts are posted to %s and provenance to %s", apiCharts, apiProv)
	case "DELETE":
		return remove(p)
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for charts: use GET, PUT, POST or DELETE", r.Method)
}

func get(p string) format.Op {
	chart, prov := strings.CutSuffix(p, provenanceSuffix)
	own, ours := strings.CutSuffix(p, ownSuffix)
	switch {
	case p == apiCharts || strings.HasPrefix(p, apiCharts+"/") && len(p) > len(apiCharts)+1:
		return format.Op{Kind: format.Render, Document: p}
	case p == "" || strings.HasSuffix(p, "/"):
		return format.Op{Kind: format.List, Paths: []string{p}}
	case p == indexName:
		return format.Op{Kind: format.Get, Paths: []string{p}, Type: "application/yaml"}
	case ours && isArchive(own):
		return format.Op{Kind: format.Get, Paths: []string{own + provenanceSuffix}}
	case prov && isArchive(chart):
		return format.Op{Kind: format.Get, Paths: []string{chart + authorSuffix, p}}
	}
	return format.Op{Kind: format.Get, Paths: []string{p}}
}

func remove(p string) (format.Op, error) {
	chart, prov := strings.CutSuffix(p, provenanceSuffix)
	if rest, ok := strings.CutPrefix(p, apiCharts+"/"); ok {
		name, version, _ := strings.Cut(rest, "/")
		if chart = name + "-" + version + archiveSuffix; isArchive(chart) && version != "" {
			return format.Op{Kind: format.Delete, Paths: []string{chart}}, nil
		}
	}
	switch {
	case isArchive(p):
		return format.Op{Kind: format.Delete, Paths: []string{p}}, nil
	case prov && isArchive(chart):
		return format.Op{Kind: format.Mark, Paths: []string{chart}, Marks: map[string]string{markProvenance: ""}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.200q is no chart: what is beside one goes with it, and the index with the last", p)
}
