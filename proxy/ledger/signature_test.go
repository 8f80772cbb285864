package ledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
)

func TestSignaturesReturnsWhatWasAppended(t *testing.T) {
	l := ledgertest.Open(t)
	first, second := row("a"), row("a")
	first.Time = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
	second.Time = first.Time.Add(-time.Hour) // clocks go back; the order is that of the log
	second.Scheme = "bundle"
	record(t, l, first, second)
	record(t, l, row("b"))

	first.ID, second.ID = 1, 2
	first.Time, second.Time = time.Date(2026, 1, 2, 2, 4, 5, 6000, time.UTC), time.Date(2026, 1, 2, 1, 4, 5, 6000, time.UTC)
	first.State, second.State = ledger.Made, ledger.Made
	got := signatures(t, l, "a")
	for i := range got {
		got[i].Leaf = nil
	}
	if diff := cmp.Diff([]ledger.Signature{first, second}, got); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}
}

func TestSignaturesOfWhatWasNeverSignedAreNone(t *testing.T) {
	l := ledgertest.Open(t)
	record(t, l, row("a"))
	for _, tt := range []struct{ name, repository, image, digest string }{
		{"another repository", "others", "app", digestOf("a")},
		{"another name", "images", "other", digestOf("a")},
		{"another digest", "images", "app", digestOf("b")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := l.Signatures(t.Context(), tt.repository, tt.image, tt.digest)
			if err != nil || len(all) != 0 {
				t.Errorf("Signatures = %v, %v; want none", all, err)
			}
			if signed, err := l.Signed(t.Context(), tt.repository, tt.image, tt.digest); err != nil || signed {
				t.Errorf("Signed = %t, %v; want false", signed, err)
			}
		})
	}
}

func TestLeafIsCanonicalJSONOfWhatCannotChange(t *testing.T) {
	l := ledgertest.Open(t)
	s := row("a")
	s.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	s.By = `jo "<&>" é😀\` + "\u007e"
	ids := record(t, l, s)
	want := `{"by":"jo \"<&>\" é😀\\~","digest":"` + s.Digest + `","key":"` + s.Key + `","message":"` + s.Message +
		`","name":"app","repository":"images","request":"r1","scheme":"cosign","time":"2026-01-02T02:04:05.000000Z","value":"` + s.Value + `","version":1}`
	if got := string(signatures(t, l, "a")[0].Leaf); got != want {
		t.Errorf("leaf:\n got %s\nwant %s", got, want)
	}
	if err := l.Void(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	if got := string(signatures(t, l, "a")[0].Leaf); got != want {
		t.Errorf("leaf of a void row:\n got %s\nwant %s", got, want)
	}
}

func TestAppendRefusesRowsThatCannotBeRecorded(t *testing.T) {
	l := ledgertest.Open(t)
	for _, tt := range []struct {
		name   string
		change func(*ledger.Signature)
		want   string
	}{
		{"no time", func(s *ledger.Signature) { s.Time = time.Time{} }, "no time"},
		{"a time before computers", func(s *ledger.Signature) { s.Time = time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC) }, "year 1815"},
		{"no repository", func(s *ledger.Signature) { s.Repository = "" }, "no repository"},
		{"no name", func(s *ledger.Signature) { s.Name = "" }, "no name"},
		{"no scheme", func(s *ledger.Signature) { s.Scheme = "" }, "no scheme"},
		{"no digest", func(s *ledger.Signature) { s.Digest = "" }, "its digest"},
		{"a key that is no fingerprint", func(s *ledger.Signature) { s.Key = "cosign.pub" }, "its key"},
		{"a message digest that is too short", func(s *ledger.Signature) { s.Message = "sha256:abc" }, "its message"},
		{"a value digest in upper case", func(s *ledger.Signature) { s.Value = strings.ToUpper(s.Value) }, "its value"},
		{"a newline in the user's name", func(s *ledger.Signature) { s.By = "jo\n" }, "its by"},
		{"a line separator in the user's name", func(s *ledger.Signature) { s.By = "jo\u2028" }, "its by"},
		{"a request id that is not UTF-8", func(s *ledger.Signature) { s.Request = "\xff" }, "its request"},
		{"a row that is void from the start", func(s *ledger.Signature) { s.State = ledger.Void }, "its state"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := row("a")
			tt.change(&bad)
			ids, err := l.Append(t.Context(), row("a"), bad)
			if err == nil {
				t.Fatalf("recorded as %d", ids)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %q, want it to contain %q", err, tt.want)
			}
		})
	}
	if got := len(signatures(t, l, "a")); got != 0 {
		t.Errorf("%d rows stand beside bad ones in the ledger, want 0", got)
	}
}

func TestAppendOfNothingIsNothing(t *testing.T) {
	l := ledgertest.Open(t)
	if ids, err := l.Append(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("Append() = %v, %v", ids, err)
	}
}

func TestVoidSignaturesDoNotCount(t *testing.T) {
	l := ledgertest.Open(t)
	ids := record(t, l, row("a"), row("a"))
	expect := func(signed bool, made, void int64) {
		t.Helper()
		if got, err := l.Signed(t.Context(), "images", "app", digestOf("a")); err != nil || got != signed {
			t.Errorf("Signed = %t, %v; want %t", got, err, signed)
		}
		if got, err := l.Count(t.Context(), "images"); err != nil || got != (ledger.Counts{Made: made, Void: void}) {
			t.Errorf("Count = %+v, %v; want %d made and %d void", got, err, made, void)
		}
	}
	expect(true, 2, 0)
	for range 2 { // it may be repeated
		if err := l.Void(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		expect(true, 1, 1)
	}
	if err := l.Void(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	expect(false, 0, 2)
	if got := signatures(t, l, "a"); len(got) != 2 || got[0].State != ledger.Void {
		t.Errorf("void rows are still rows, but there are %+v", got)
	}
}

func TestVoidOfAnUnknownSignatureChangesNothing(t *testing.T) {
	l := ledgertest.Open(t)
	ids := record(t, l, row("a"))
	if err := l.Void(t.Context(), ids[0], 4711); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("Void = %v, want fs.ErrNotExist that names 4711", err)
	}
	if got := signatures(t, l, "a"); got[0].State != ledger.Made {
		t.Errorf("the other row is %s", got[0].State)
	}
}

func TestReferrersAreNotedUnderTheirName(t *testing.T) {
	l := ledgertest.Open(t)
	for range 2 { // it may be repeated
		if err := l.NoteReferrer(t.Context(), "images", "app", digestOf("a")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, repository, image, subject string
		want                             bool
	}{
		{"the one that was noted", "images", "app", digestOf("a"), true},
		{"another repository", "others", "app", digestOf("a"), false},
		{"another name", "images", "other", digestOf("a"), false},
		{"another subject", "images", "app", digestOf("b"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := l.HasReferrer(t.Context(), tt.repository, tt.image, tt.subject); err != nil || got != tt.want {
				t.Errorf("HasReferrer = %t, %v; want %t", got, err, tt.want)
			}
		})
	}
}

// row returns a signature of something in images/app.
func row(what string) ledger.Signature {
	return ledger.Signature{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Repository: "images", Name: "app", Digest: digestOf(what),
		Scheme: "cosign", Key: digestOf("key"), By: "jo", Request: "r1", Message: digestOf("message"), Value: digestOf("value"),
	}
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
