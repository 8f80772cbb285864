package nuget_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/formats/nuget/nugettest"
)

var update = flag.Bool("update", false, "sign the kept packages anew")

// The packages of testdata/signed are for whoever has the .NET SDK, which these tests do not have. In that folder,
//
//	dotnet nuget verify --all --configfile nuget.config *.nupkg
//
// must verify both: one that the repository has signed, and one of an author with the repository's countersignature. It says that
// nobody knows the author's certificate, and that there is no timestamp.
func TestTheKeptPackagesVerify(t *testing.T) {
	dir := filepath.Join("testdata", "signed")
	if *update {
		keep(t, dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "x509.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "nuget.config"))
	if sum := sha256.Sum256(c.Raw); err != nil || !strings.Contains(string(config), fmt.Sprintf(`fingerprint="%x"`, sum)) {
		t.Errorf("nuget.config trusts another certificate: %v\n%s", err, config)
	}
	for name, byAuthor := range map[string]bool{"Hello.World.1.0.0.nupkg": false, "Hello.World.2.0.0.nupkg": true} {
		nupkg, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		v, err := nugettest.Verify(nupkg, c)
		if err != nil || (v.Author != nil) != byAuthor || !strings.Contains(string(config), `serviceIndex="`+v.Index+`"`) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		for _, at := range []int{100, len(nupkg) / 2} {
			other := bytes.Clone(nupkg)
			other[at] ^= 1
			if _, err := nugettest.Verify(other, c); err == nil {
				t.Errorf("%s verifies with a bit flipped at byte %d", name, at)
			}
		}
	}
}

func keep(t *testing.T, dir string) {
	t.Helper()
	h := formattest.NewHouse(t, open(t))
	signed := func(data []byte, version string) []byte {
		t.Helper()
		if err := h.Put("v3/package", data); err != nil {
			t.Fatal(err)
		}
		served, err := h.Fetch(at("hello.world", version))
		if err != nil {
			t.Fatal(err)
		}
		return served
	}
	c := h.Trusted().Certificates()[0]
	files := map[string][]byte{
		"Hello.World.1.0.0.nupkg": signed(pkg{}.plain(t), "1.0.0"),
		"Hello.World.2.0.0.nupkg": signed(author{}.signs(t, pkg{version: "2.0.0"}.plain(t)), "2.0.0"),
		"x509.pem":                pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}),
		"nuget.config": fmt.Appendf(nil, `<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <config>
    <add key="signatureValidationMode" value="require" />
  </config>
  <trustedSigners>
    <repository name="hallmark" serviceIndex="https://localhost/conformance.test/v3/index.json">
      <certificate fingerprint="%x" hashAlgorithm="SHA256" allowUntrustedRoot="true" />
    </repository>
  </trustedSigners>
</configuration>
`, sha256.Sum256(c.Raw)),
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
