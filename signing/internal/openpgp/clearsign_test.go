package openpgp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// open returns the text that c has signed.
func open(c *Certificate, document []byte) (string, error) {
	text, state, signatures, err := ParseClearsigned(document)
	if err != nil {
		return "", err
	}
	return string(text), c.Verify(TextDocument, state, signatures)
}

func TestClearsignedTexts(t *testing.T) {
	tests := []struct{ name, text, frame, signed string }{
		{"a line", "text\n", "text\n", "text\n"},
		{"a line without end", "text", "text\n", "text\n"},
		{"dashes are escaped", "-\n- a\n--\n-----BEGIN PGP SIGNATURE-----\n", "- -\n- - a\n- --\n- -----BEGIN PGP SIGNATURE-----\n", "-\n- a\n--\n-----BEGIN PGP SIGNATURE-----\n"},
		{"white space at the end of lines goes", "a \t\n b\r\n \n\tc", "a\n b\n\n\tc\n", "a\n b\n\n\tc\n"},
		{"empty lines stay", "\n\na\n\n\n", "\n\na\n\n\n", "\n\na\n\n\n"},
		{"any letters", "Größe: \xff\v\f.", "Größe: \xff\v\f.\n", "Größe: \xff\v\f.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys := []*Secret{generated(t, "p384"), generated(t, "ed25519")}
			document, signatures, err := Clearsign(keys, []byte(tt.text), now)
			if err != nil {
				t.Fatal(err)
			}
			if len(signatures) != 2 || !bytes.HasPrefix(document, []byte(beginMessage+"\nHash: SHA384,SHA256\n\n"+tt.frame+beginSignature+"\n")) {
				t.Errorf("%d signatures in\n%s", len(signatures), document)
			}
			for _, k := range keys {
				if got, err := open(k.Certificate(), document); err != nil || got != tt.signed {
					t.Errorf("got %q, %v", got, err)
				}
				// On the way, mail may change the ends of lines.
				crlf := bytes.ReplaceAll(document, []byte("\n"), []byte(" \r\n"))
				if got, err := open(k.Certificate(), crlf); err != nil || got != tt.signed {
					t.Errorf("with CR LF: got %q, %v", got, err)
				}
			}
			if _, err := open(generated(t, "ed25519").Certificate(), document); !errors.Is(err, ErrNoSignature) {
				t.Errorf("another key: %v", err)
			}
			block, rest := clearsign.Decode(document)
			if block == nil || len(rest) > 0 || string(block.Plaintext)+"\n" != tt.signed {
				t.Error("another reader reads something else")
			}
		})
	}
}

func TestWhatCannotBeClearsignedIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":               {"", "empty"},
		"white space":           {" \t\r\n", "empty"},
		"a NUL":                 {"a\x00b\n", "line 1 holds CR or NUL"},
		"a CR inside a line":    {"a\na\rb\n", "line 2 holds CR or NUL"},
		"a line that gpg cuts":  {strings.Repeat("x", maxLine+1), "line 1 has more"},
		"several lines of CRLF": {"\r\n\r\n", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Clearsign([]*Secret{generated(t, "ed25519")}, []byte(tt.text), now)
			wantError(t, err, tt.want)
		})
	}
}

func TestChangedDocumentsAreRefused(t *testing.T) {
	s := generated(t, "ed25519")
	document, _, err := Clearsign([]*Secret{s}, []byte("Suite: stable\n- dash\n\nend\n"), now)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) []byte {
		t.Helper()
		if !bytes.Contains(document, []byte(old)) {
			t.Fatalf("no %q", old)
		}
		return bytes.Replace(document, []byte(old), []byte(new), 1)
	}
	for name, tt := range map[string]struct {
		document []byte
		want     string
	}{
		"another word":             {change("stable", "testing"), ErrSignature.Error()},
		"a line more":              {change("Suite", "X: y\nSuite"), ErrSignature.Error()},
		"a line less":              {change("end\n", ""), ErrSignature.Error()},
		"an empty line more":       {change("end\n", "end\n\n"), ErrSignature.Error()},
		"white space before":       {change("Suite", " Suite"), ErrSignature.Error()},
		"something before":         {append([]byte("Suite: old\n"), document...), "does not begin"},
		"something after":          {append(bytes.Clone(document), "Suite: old\n"...), "follows"},
		"two documents":            {slices.Concat(document, document), "follows"},
		"a header that is unknown": {change("Hash: ", "Comment: "), "Comment"},
		"a text in the head":       {change("Hash: SHA256\n", "Suite: old\n"), "Suite"},
		"a dash without escape":    {change("- - dash", "-- dash"), "not escaped"},
		"no signature":             {document[:bytes.Index(document, []byte(beginSignature))], "no signature"},
		"half a signature":         {document[:len(document)-30], "no end"},
		"nothing":                  {nil, "does not begin"},
		"a frame alone":            {[]byte(beginMessage + "\nHash: SHA256\n"), "no end"},
		"another type of armor":    {change(beginSignature, "-----BEGIN PGP MESSAGE-----"), "not escaped"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(s.Certificate(), tt.document)
			wantError(t, err, tt.want)
		})
	}
}

func FuzzClearsigned(f *testing.F) {
	s := secret(f, "ed25519")
	document, _, err := Clearsign([]*Secret{s}, []byte("Suite: stable\n- dash\n\nend\n"), now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add(bytes.ReplaceAll(document, []byte("\n"), []byte("\r\n")))
	f.Fuzz(func(t *testing.T, document []byte) {
		text, err := open(s.Certificate(), document)
		if err == nil && text != "Suite: stable\n- dash\n\nend\n" {
			t.Errorf("accepted: %q", text)
		}
	})
}

// Whatever can be signed can be read, and says the same.
func FuzzClearsign(f *testing.F) {
	s := secret(f, "ed25519")
	for _, text := range []string{"a", "-a\n", " \n-", "\r\r\n\nx", "\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		document, _, err := Clearsign([]*Secret{s}, text, now)
		if err != nil {
			return
		}
		got, err := open(s.Certificate(), document)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Clearsign([]*Secret{s}, []byte(got), now)
		if err != nil || !bytes.Equal(again, document) {
			t.Errorf("%q is read as %q, which is signed otherwise: %v", text, got, err)
		}
		if block, _ := clearsign.Decode(document); block == nil || string(block.Plaintext)+"\n" != got {
			t.Errorf("another reader reads something else than %q", got)
		}
	})
}
