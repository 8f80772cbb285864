package helm

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

const (
	provenanceSuffix = ".prov"
	authorSuffix     = ".author.prov"     // where an author's own is kept, which .prov leads to then
	ownSuffix        = ".repository.prov" // leads to ours in any case

	provenanceMost = 512 << 10 // bytes
)

// separator stands between the two documents of a provenance (parseMessageBlock of helm's pkg/provenance).
const separator = "\n...\n"

// Seal wishes for a provenance, which is the text that helm sign signs but for one thing: what Chart.yaml says is written anew,
// as JSON in one line, which is YAML. So nothing in it can pass for the second document, which names the file.
func (f *Format) Seal(_ format.Site, _ format.Op, b format.Blob) (format.Sealing, error) {
	m, err := readChart(b)
	if err != nil {
		return format.Sealing{}, err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return format.Sealing{}, err
	}
	text := fmt.Appendf(data, "%sfiles:\n  %s: sha256:%x\n", separator, m.file(), b.Digest(sha256Hash))
	return format.Sealing{Seals: []format.Seal{{
		Name: "provenance", Scheme: scheme.OpenPGPClearsigned, Purpose: scheme.Package, Text: text, Path: m.file() + provenanceSuffix,
	}}}, nil
}

// readProvenance returns the file that an author's provenance names, and its SHA-256. Whether the author has signed it, whoever
// has the author's key finds out: here, its form is checked.
func readProvenance(document string) (file string, sum []byte, err error) {
	text, err := cleartext(document)
	if err != nil {
		return "", nil, err
	}
	parts := strings.Split(text, separator)
	if len(parts) != 2 {
		return "", nil, format.Malformedf("the provenance does not hold two documents, %s and the digest of the chart: make it with `helm package --sign`",
			chartFile)
	}
	var sums struct {
		Files  map[string]string `yaml:"files"`
		Images map[string]string `yaml:"images"`
	}
	if err := decode("the provenance", []byte(parts[1]), &sums); err != nil {
		return "", nil, err
	}
	if len(sums.Files) != 1 {
		return "", nil, format.Malformedf("the provenance names %d files, and must name its chart alone", len(sums.Files))
	}
	for name, digest := range sums.Files {
		text, ok := strings.CutPrefix(digest, "sha256:")
		if sum, err = hex.DecodeString(text); !ok || err != nil || len(sum) != 32 {
			return "", nil, format.Malformedf("the provenance names the digest %.100q, and must name a SHA-256: sha256:…", digest)
		}
		file = name
	}
	if !isArchive(file) {
		return "", nil, format.Malformedf("the provenance is of %.200q, which is not the name of a chart", file)
	}
	return file, sum, nil
}

// cleartext returns the text of a clear-signed document (RFC 9580, section 7), around which nothing may stand.
func cleartext(document string) (string, error) {
	const begin, middle, end = "-----BEGIN PGP SIGNED MESSAGE-----\n", "\n-----BEGIN PGP SIGNATURE-----\n", "\n-----END PGP SIGNATURE-----\n"
	document = strings.ReplaceAll(document, "\r\n", "\n")
	if !strings.HasSuffix(document, "\n") {
		document += "\n"
	}
	rest, opened := strings.CutPrefix(document, begin)
	rest, closed := strings.CutSuffix(rest, end)
	text, signature, signed := strings.Cut(rest, middle)
	headers, text, framed := strings.Cut(text, "\n\n")
	for header := range strings.SplitSeq(headers, "\n") {
		framed = framed && strings.HasPrefix(header, "Hash: ")
	}
	if !opened || !closed || !signed || !framed || strings.Contains(signature, "-----") || strings.ContainsFunc(document, func(r rune) bool {
		return isControl(r) && r != '\n' && r != '\t'
	}) {
		return "", format.Malformedf("this is no provenance, which is a clear-signed text: make it with `helm package --sign`")
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		escaped := strings.HasPrefix(line, "- ")
		if strings.HasPrefix(line, "-") && !escaped {
			return "", format.Malformedf("the provenance has a line that begins with a dash that is not escaped")
		}
		lines[i] = strings.TrimPrefix(line, "- ")
	}
	return strings.Join(lines, "\n") + "\n", nil
}
