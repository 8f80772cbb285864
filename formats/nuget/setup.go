package nuget

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
	"hallmark/signing/scheme"
)

// Setup returns a shell script that adds the repository as a source, and, for dotnet, makes the client take packages with its
// signature alone.
func (*Format) Setup(s format.Site, client string) ([]byte, error) {
	script := map[string]string{"dotnet": dotnetSetup, "nuget": nugetSetup}[client]
	if script == "" {
		return nil, format.NotFoundf("there is no set-up for %.50q", client)
	}
	var trusted strings.Builder
	for _, key := range s.Keys.Of(scheme.Package, scheme.RSA) {
		trusted.WriteString(`      <certificate fingerprint="` + fingerprintOf(key) + `" hashAlgorithm="SHA256" allowUntrustedRoot="true" />` + "\n")
	}
	return []byte(strings.NewReplacer(
		"@URL@", shell.Quote(s.URL+"/"+serviceIndex), "@INDEX@", s.URL+"/"+serviceIndex, "@KEYS@", shell.Quote(s.KeysURL),
		"@NAME@", s.Repository, "@TRUSTED@", strings.TrimSuffix(trusted.String(), "\n"), "@SIGNED@", serviceIndexURL(s),
		"@INSECURE@", map[bool]string{true: ` allowInsecureConnections="true"`}[strings.HasPrefix(s.URL, "http://")],
	).Replace(script)), nil
}

const dotnetSetup = `# Writes ./nuget.config: the NuGet source @NAME@, and that packages must have its signature.
# Its certificates are kept beside, in ./hallmark-@NAME@.pem. It changes nothing else; a nuget.config that is there stays.
(
  set -e
  curl -fsS -o hallmark-@NAME@.pem @KEYS@/x509.pem
  if [ -e nuget.config ]; then
    echo 'nuget.config is there: merge what follows into it.' >&2
    out=/dev/stdout
  else
    out=nuget.config
  fi
  cat >"$out" <<'END'
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources>
    <add key="@NAME@" value="@INDEX@" protocolVersion="3"@INSECURE@ />
  </packageSources>
  <config>
    <add key="signatureValidationMode" value="require" />
  </config>
  <trustedSigners>
    <repository name="@NAME@" serviceIndex="@SIGNED@">
@TRUSTED@
    </repository>
  </trustedSigners>
</configuration>
END
  cat <<END

To push, with USER:PASSWORD in place of an API key:
  dotnet nuget push FILE.nupkg --source @NAME@ --api-key USER:PASSWORD
END
)
`

const nugetSetup = `# Adds the source @NAME@ to the NuGet configuration of this user, for nuget.exe. On mono it verifies no signatures.
(
  set -e
  url=@URL@
  nuget sources remove -Name @NAME@ >/dev/null 2>&1 || true
  nuget sources add -Name @NAME@ -Source "$url"
  cat <<END

To push, with USER:PASSWORD in place of an API key:
  nuget push FILE.nupkg USER:PASSWORD -Source @NAME@

To verify what you fetched, by the certificates in @KEYS@/x509.pem:
  curl -fsSO @KEYS@/x509.pem
  unzip -p FILE.nupkg .signature.p7s | openssl cms -verify -inform DER -CAfile x509.pem -purpose any
  # It prints the digest of the package without its signature.
END
)
`
