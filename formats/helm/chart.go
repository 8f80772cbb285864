package helm

import (
	"archive/tar"
	"io"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

const (
	archiveSuffix = ".tgz"
	chartFile     = "Chart.yaml"

	chartMost    = 256 << 10 // bytes of Chart.yaml
	unpackedMost = 100 << 20 // bytes of a chart, of which helm unpacks no more
)

// readChart returns what a chart says of itself. All of the archive is read, so that one that is cut off or damaged is refused.
func readChart(b format.Blob) (*metadata, error) {
	var magic [3]byte
	if _, err := b.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	if tarball.Sniff(magic[:]) != tarball.Gzip {
		return nil, format.Malformedf("this is no chart: those are packed by `helm package`, with gzip")
	}
	r, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), unpackedMost)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var data []byte
	folder := ""
	err = tarball.Walk(r, tarball.Limits{Size: unpackedMost}, func(h *tar.Header, r io.Reader) error {
		first, rest, below := strings.Cut(h.Name, "/")
		switch {
		case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir, strings.Contains(h.Name, `\`):
			return format.Malformedf("the chart holds %.200q, which is no plain file: pack it with `helm package`", h.Name)
		case h.Typeflag == tar.TypeDir && h.Name == ".":
			return nil
		case folder != "" && folder != first, !below && h.Typeflag == tar.TypeReg:
			return format.Malformedf("the chart holds %.200q beside its folder: pack it with `helm package`", h.Name)
		}
		folder = first
		if rest != chartFile {
			return nil
		}
		if h.Typeflag != tar.TypeReg || h.Size > chartMost {
			return format.Malformedf("%s of the chart is no file, or has more than %d bytes", chartFile, chartMost)
		}
		var err error
		data, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, format.Malformedf("the chart has no %s in its folder: pack it with `helm package`", chartFile)
	}
	m := &metadata{}
	if err := decode(chartFile, data, m); err != nil {
		return nil, err
	}
	if err := m.check(chartFile); err != nil {
		return nil, err
	}
	if folder != m.Name {
		return nil, format.Malformedf("the chart is packed in the folder %.100q, and %s calls it %s", folder, chartFile, m.Name)
	}
	return m, nil
}
