package python

import (
	"encoding/json"
	"io"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	reasonMost    = 500       // bytes
	signatureMost = 64 << 10  // bytes
	attestedMost  = 512 << 10 // bytes

	fieldSignature = "gpg_signature" // of a form
)

// Unwrap takes apart the form in which twine and uv upload a distribution, with what its author has signed, and reads what is
// put beside one: a signature, or why it is yanked.
func (f *Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	t := targetOf(r.Path)
	if r.Method == "POST" {
		return unwrapForm(r.Type, b)
	}
	if file, ok := strings.CutSuffix(t.name, "/"+yankedName); ok {
		reason, err := readText(b, reasonMost, "the reason")
		if err != nil {
			return nil, err
		}
		reason = strings.TrimSpace(reason)
		if reason == "" || !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) {
			return nil, format.Malformedf("the body says in one line why the file is yanked: curl -X PUT -d 'it breaks on Windows' …")
		}
		return []format.Change{{Op: t.mark(file, markYanked, reason)}}, nil
	}
	text, err := readText(b, signatureMost, "the signature")
	if err != nil {
		return nil, err
	}
	if err := checkSignature(text); err != nil {
		return nil, err
	}
	return []format.Change{{Op: t.mark(strings.TrimSuffix(t.name, ".asc"), markSignature, text)}}, nil
}

func readText(b format.Blob, most int64, what string) (string, error) {
	if b.Size() > most {
		return "", format.Malformedf("%s has %d bytes, and at most %d are taken", what, b.Size(), most)
	}
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(data), err
}

// unwrapForm returns the upload that a form asks for. Its fields must say of the file what its name does, and their digests must
// be those of its bytes; what the metadata in it says is compared by Parse.
func unwrapForm(mediaType string, b format.Blob) ([]format.Change, error) {
	u, err := readUpload(mediaType, b)
	if err != nil {
		return nil, err
	}
	name, file := u.fields["name"], u.content.Name
	if !isName(name) {
		return nil, format.Malformedf("the form's field name is %.100q, which is no name of a project (PEP 508)", name)
	}
	if !isFile(file) {
		return nil, format.Malformedf("%.200q is not the name of a distribution: those end in .whl, .tar.gz or .zip", file)
	}
	project := normalize(name)
	of, ok := releaseOf(project, file)
	version, isVersion := canonical(u.fields["version"])
	if !ok || !isVersion || version != of.version {
		return nil, format.Malformedf("the form says that %.200q is %.100s %.100s, and its name says something else", file, name, u.fields["version"])
	}
	body, err := u.body()
	if err != nil {
		return nil, err
	}
	op := format.Op{Kind: format.Put, Dir: path.Join(root, project), Name: file, Marks: map[string]string{}}
	if text := u.fields[fieldSignature]; text != "" {
		if err := checkSignature(text); err != nil {
			return nil, err
		}
		op.Marks[markSignature] = text
	}
	if text := u.fields["attestations"]; text != "" {
		var attestations []json.RawMessage
		if err := json.Unmarshal([]byte(text), &attestations); err != nil || len(text) > attestedMost {
			return nil, format.Malformedf("the form's attestations are no JSON array of at most %d bytes (PEP 740)", attestedMost)
		}
		op.Marks[markAttestations] = text
	}
	return []format.Change{{Op: op, Body: body}}, nil
}

// checkSignature refuses what is no detached OpenPGP signature in armor. Nobody has the author's key here: whether it is one of
// the file, whoever has the key finds out.
func checkSignature(text string) error {
	const begin, end = "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
	body, opened := strings.CutPrefix(strings.TrimSpace(text), begin)
	body, closed := strings.CutSuffix(body, end)
	odd := func(r rune) bool { return r > '~' || r < ' ' && r != '\n' && r != '\r' }
	if !opened || !closed || strings.Contains(body, "-----") || strings.ContainsFunc(text, odd) || len(text) > signatureMost {
		return format.Malformedf("this is no detached OpenPGP signature in armor: make it with `gpg --detach-sign --armor FILE`")
	}
	return nil
}
