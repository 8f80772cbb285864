package signing

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPayloadIsTheSameByteForByte(t *testing.T) {
	golden(t, "payload.json", app.Payload())
}

func TestSignaturesAreTheSameByteForByte(t *testing.T) {
	signatures, err := testRing(t, kinds...).SignImage(app)
	if err != nil {
		t.Fatal(err)
	}
	if len(signatures) != len(kinds) {
		t.Fatalf("%d signatures of %d keys", len(signatures), len(kinds))
	}
	var list bytes.Buffer
	for _, s := range signatures {
		fmt.Fprintf(&list, "%s %s\n", s.Key.Kind(), base64.StdEncoding.EncodeToString(s.Signature))
		if err := VerifyImage(s.Key, s.Payload, s.Signature, app); err != nil {
			t.Error(err)
		}
	}
	golden(t, "signatures.txt", list.Bytes())
}

// otherImages are images that a signature of app says nothing about.
func otherImages() map[string]Image {
	otherDigest, otherName := app, app
	otherDigest.Digest = "sha256:" + strings.Repeat("f", 64)
	otherName.Name, otherName.Reference = "team/other", "127.0.0.1:8080/team/other"
	return map[string]Image{
		"another digest":       otherDigest,
		"another repository":   otherName,
		"no image":             {},
		"a suffix of the name": {Name: "app", Reference: "127.0.0.1:8080/team/app", Digest: app.Digest},
	}
}

func TestVerifyImageRefuses(t *testing.T) {
	signatures, err := testRing(t, "p256").SignImage(app)
	if err != nil {
		t.Fatal(err)
	}
	s := signatures[0]
	for name, img := range otherImages() {
		if err := VerifyImage(s.Key, s.Payload, s.Signature, img); err == nil {
			t.Errorf("the signature verifies for %s", name)
		}
	}
	payload := bytes.Replace(s.Payload, []byte("team/app"), []byte("team/apq"), 1)
	for name, err := range map[string]error{
		"changed payload": VerifyImage(s.Key, payload, s.Signature, app),
		"another key":     VerifyImage(testKey(t, "p384").Public(), s.Payload, s.Signature, app),
		"no signature":    VerifyImage(s.Key, s.Payload, nil, app),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: error %v, want ErrSignature", name, err)
		}
	}
}

func TestCheckPayload(t *testing.T) {
	const format = `{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"%s"},"optional":%s}`
	payload := func(reference, digest, typ, optional string) string {
		return fmt.Sprintf(format, reference, digest, typ, optional)
	}
	ours := string(app.Payload())
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(ours, old) {
			t.Fatalf("the payload has no %q", old)
		}
		return strings.Replace(ours, old, new, 1)
	}
	tests := []struct {
		name    string
		payload string
		want    string // in the error; "" for none
	}{
		{"ours is accepted", ours, ""},
		{"cosign's without annotations is accepted by its reference", payload(app.Reference, app.Digest, cosignType, "null"), ""},
		{"one made under another public host is accepted by its repository", payload("example.com/team/app", app.Digest, cosignType, `{"repository":"team/app"}`), ""},
		{"annotations that differ in case are the user's", payload(app.Reference, app.Digest, cosignType, `{"Team":"a","team":{"x":1,"X":2}}`), ""},
		{"space between tokens is accepted", strings.ReplaceAll(ours, ":{", ": {\n"), ""},

		{"another type is refused", payload(app.Reference, app.Digest, "atomic container signature", "null"), "type"},
		{"another digest is refused", payload(app.Reference, "sha256:"+strings.Repeat("0", 64), cosignType, "null"), "digest"},
		{"another reference is refused", payload("127.0.0.1:8080/team/other", app.Digest, cosignType, "null"), "team/other"},
		{"another repository is refused", payload("example.com/team/app", app.Digest, cosignType, `{"repository":"team/other"}`), "team/other"},
		{"a repository in another case is refused", payload("example.com/team/app", app.Digest, cosignType, `{"Repository":"team/app"}`), "image is"},
		{"a repository that is no string is refused", payload("example.com/team/app", app.Digest, cosignType, `{"repository":["team/app"]}`), "image is"},
		{"a duplicate key is refused", replace(`"critical":`, `"critical":{},"critical":`), "duplicate"},
		{"a duplicate key in another case is refused", replace(`"critical":`, `"Critical":{},"critical":`), "duplicate"},
		{"a duplicate key by Unicode folding is refused", replace(`"docker-manifest-digest":`, `"doc\u212aer-manifest-digest":"","docker-manifest-digest":`), "duplicate"},
		{"a duplicate digest is refused", replace(`"docker-manifest-digest":`, `"docker-manifest-digest":"","docker-manifest-digest":`), "duplicate"},
		{"a duplicate annotation is refused", payload(app.Reference, app.Digest, cosignType, `{"a":1,"a":2}`), "duplicate"},
		{"a field in another case is refused", replace(`"critical"`, `"Critical"`), `no "critical"`},
		{"an unknown critical field is refused", replace(`"type":`, `"condition":"never","type":`), "condition"},
		{"an unknown field is refused", replace(`"optional":`, `"more":1,"optional":`), "more"},
		{"data after the end is refused", ours + "{}", "after"},
		{"a broken end is refused", ours + "x", "after"},
		{"half a payload is refused", ours[:len(ours)/2], "unexpected EOF"},
		{"an array is refused", "[" + ours + "]", "not a JSON object"},
		{"null is refused", "null", "not a JSON object"},
		{"nothing is refused", "", "unexpected EOF"},
		{"deep nesting is refused", payload(app.Reference, app.Digest, cosignType, strings.Repeat("[", 100)+strings.Repeat("]", 100)), "nested"},
		{"invalid UTF-8 is refused", replace("team/app\"}}", "team/app\"},\"optional\":{\"a\":\"\xff\""), "UTF-8"},
		{"a number for a string is refused", replace(`"`+cosignType+`"`, "1"), "wrong type"},
		{"a payload without an image is refused", replace(`"image"`, `"identity2"`), "identity2"},
		{"a huge payload is refused", ours + strings.Repeat(" ", maxDocument), "longer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckPayload([]byte(tt.payload), app)
			if tt.want == "" {
				wantError(t, err)
			} else {
				wantError(t, err, "payload", tt.want)
			}
		})
	}
}

func TestImagesThatAreNotSigned(t *testing.T) {
	r := testRing(t, "p256")
	with := func(f func(*Image)) Image {
		img := app
		f(&img)
		return img
	}
	named := func(host, name string) Image {
		return Image{Reference: host + "/" + name, Name: name, Digest: app.Digest}
	}
	tests := []struct {
		name  string
		image Image
		want  string
	}{
		{"an empty image", Image{}, "name"},
		{"an upper-case name", named("h", "Team/app"), "name"},
		{"a name with a quote", named("h", `a"b`), "name"},
		{"a name with a newline", named("h", "a\nb"), "name"},
		{"a name that ends in a newline", named("h", "a\n"), "name"},
		{"a name with dots alone", named("h", "a/../b"), "name"},
		{"a name that ends in a slash", named("h", "a/"), "name"},
		{"a name with a tag", named("h", "a:1"), "name"},
		{"a long name", named("h", strings.Repeat("a", 256)), "name"},
		{"no host", named("", "a"), "reference"},
		{"a host with a path", named("h/x", "a"), "reference"},
		{"a host with a user", named("u@h", "a"), "reference"},
		{"a reference to another name", with(func(i *Image) { i.Reference = "h/team/other" }), "reference"},
		{"a reference that is the name", with(func(i *Image) { i.Reference = i.Name }), "reference"},
		{"no digest", with(func(i *Image) { i.Digest = "" }), "digest"},
		{"an upper-case digest", with(func(i *Image) { i.Digest = "sha256:" + strings.Repeat("A", 64) }), "digest"},
		{"a short digest", with(func(i *Image) { i.Digest = i.Digest[:70] }), "digest"},
		{"a digest that ends in a newline", with(func(i *Image) { i.Digest += "\n" }), "digest"},
		{"a SHA-512 digest", with(func(i *Image) { i.Digest = "sha512:" + strings.Repeat("a", 128) }), "digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.SignImage(tt.image)
			wantError(t, err, "invalid image "+tt.want)
			_, err = r.BundleImage(tt.image)
			wantError(t, err, "invalid image "+tt.want)
			wantError(t, CheckPayload(tt.image.Payload(), tt.image), "invalid image "+tt.want)
		})
	}
	for _, host := range []string{"localhost", "registry.example.com", "127.0.0.1:5000", "[::1]:8080", "[2001:db8::1]"} {
		t.Run("but "+host+" is a host", func(t *testing.T) {
			wantError(t, named(host, "a_b/c.d/e--f/g__h").Validate())
		})
	}
}

func FuzzCheckPayload(f *testing.F) {
	f.Add(app.Payload())
	f.Add([]byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":""},"type":""},"optional":null}`))
	f.Add([]byte(`{"critical":{},"CRITICAL":{}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if CheckPayload(payload, app) != nil {
			return
		}
		if !bytes.Contains(payload, []byte("app")) && !bytes.Contains(payload, []byte(`\u`)) {
			t.Errorf("accepted without the name of the image: %q", payload)
		}
		for name, img := range otherImages() {
			// A payload may name two repositories: one in each place.
			if name != "another repository" && CheckPayload(payload, img) == nil {
				t.Errorf("accepted for %s, too: %q", name, payload)
			}
		}
	})
}
