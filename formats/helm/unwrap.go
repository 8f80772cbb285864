package helm

import (
	"io"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/form"
)

// Unwrap takes in what ChartMuseum takes: a chart, perhaps with the provenance of its author, or a provenance alone, in a form or
// as the body itself. It takes a provenance that is put beside its chart, too.
func (f *Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	whole := io.NewSectionReader(b, 0, b.Size())
	switch path := strings.TrimSuffix(r.Path, "/"); {
	case r.Method == "PUT" || path == apiProv && !form.IsForm(r.Type):
		if b.Size() > provenanceMost {
			return nil, format.Malformedf("the provenance has %d bytes, and at most %d are taken", b.Size(), provenanceMost)
		}
		document, err := io.ReadAll(whole)
		if err != nil {
			return nil, err
		}
		return provenanceOf(strings.TrimSuffix(path, provenanceSuffix), string(document))
	case !form.IsForm(r.Type):
		return []format.Change{{Op: format.Op{Kind: format.Put}, Body: whole}}, nil
	case path == apiProv:
		_, document, err := readForm(r.Type, b)
		if err != nil {
			return nil, err
		}
		return provenanceOf(path, document)
	}
	chart, document, err := readForm(r.Type, b)
	if err != nil {
		return nil, err
	}
	if chart == nil {
		return nil, format.Malformedf("the form has no field chart: curl -F chart=@FILE")
	}
	op := format.Op{Kind: format.Put}
	if document != "" {
		if _, _, err := readProvenance(document); err != nil {
			return nil, err
		}
		op.Marks = map[string]string{markProvenance: document}
	}
	return []format.Change{{Op: op, Body: chart.Open()}}, nil
}

// readForm returns the chart and the provenance of a form, as far as it has them.
func readForm(mediaType string, b format.Blob) (chart *form.File, document string, err error) {
	read, err := form.Read(mediaType, b)
	if err != nil {
		return nil, "", err
	}
	for _, file := range read.Files {
		switch {
		case file.Field == "chart" && chart == nil:
			chart = file
		case file.Field == "prov" && document == "":
			if document, err = file.Text(provenanceMost); err != nil {
				return nil, "", err
			}
		default:
			return nil, "", format.Malformedf("the form has a file in the field %.50q: it has one in chart, and perhaps one in prov", file.Field)
		}
	}
	return chart, document, nil
}

// provenanceOf returns the change that puts a provenance beside the chart that it names, which is the one of the address where
// that is one of a chart.
func provenanceOf(address, document string) ([]format.Change, error) {
	file, _, err := readProvenance(document)
	if err != nil {
		return nil, err
	}
	if isArchive(address) && address != file {
		return nil, format.Malformedf("the address is that of the provenance of %.200q, and this one is of %.200q", address, file)
	}
	return []format.Change{{Op: format.Op{Kind: format.Mark, Paths: []string{file}, Marks: map[string]string{markProvenance: document}}}}, nil
}
