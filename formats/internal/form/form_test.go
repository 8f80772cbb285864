package form_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/form"
)

const mediaType = "multipart/form-data; boundary=x"

// lines ends each line of a form as a client does.
func lines(text string) *formattest.Blob {
	return formattest.NewBlob([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
}

const filled = `--x
Content-Disposition: form-data; name="content"; filename="../a.whl"

the file
--x
Content-Disposition: form-data; name="name"

foo
--x
Content-Disposition: form-data; name="name"

bar
--x
Content-Disposition: form-data; name="sig"; filename="a.asc"
Content-Type: application/pgp-signature

signed
--x--
`

func TestFieldsAndFilesAreFound(t *testing.T) {
	f, err := form.Read(mediaType, lines(filled))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Fields) != 1 || f.Fields["name"] != "foo" || len(f.Files) != 2 || len(f.Of("content")) != 1 || f.Files[0].Name != "a.whl" {
		t.Errorf("%+v", f)
	}
	for i, want := range []string{"the file", "signed"} {
		if data, err := io.ReadAll(f.Files[i].Open()); err != nil || string(data) != want || f.Files[i].Size != int64(len(want)) {
			t.Errorf("%q, %v", data, err)
		}
	}
	if _, err := f.Files[0].Text(3); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a text of more than is allowed: %v", err)
	}
}

func TestWhatIsNoFormIsMalformed(t *testing.T) {
	for name, err := range map[string]error{
		"no form":     second(form.Read("application/json", lines(filled))),
		"no boundary": second(form.Read("multipart/form-data", lines(filled))),
		"another":     second(form.Read(mediaType+"y", lines(filled))),
		"nothing":     second(form.Read(mediaType, lines(""))),
		"no parts":    second(form.Read(mediaType, lines("--x--\n"))),
		"cut off":     second(form.Read(mediaType, lines(filled[:len(filled)-20]))),
		"many parts":  second(form.Read(mediaType, lines(strings.Repeat("--x\nContent-Disposition: form-data; name=a\n\n\n", 3000)+"--x--\n"))),
		"many files":  second(form.Read(mediaType, lines(strings.Repeat("--x\nContent-Disposition: form-data; name=a; filename=b\n\n\n", 30)+"--x--\n"))),
		"long fields": second(form.Read(mediaType, lines("--x\nContent-Disposition: form-data; name=a\n\n"+strings.Repeat("a", 9<<20)+"\n--x--\n"))),
	} {
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ *form.Form, err error) error { return err }

func FuzzRead(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(filled, "\n", "\r\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := form.Read(mediaType, formattest.NewBlob(data))
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		for _, file := range read.Files {
			if text, err := file.Text(1 << 20); err != nil || int64(len(text)) != file.Size {
				t.Fatalf("%q, %v", text, err)
			}
		}
	})
}
