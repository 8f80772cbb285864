package npm

import (
	"net/url"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
)

// The clients that there are set-up texts for.
const (
	clientNPM   = "npm"
	clientUnity = "unity"
)

// Setup returns a script that points npm at the repository, or says what goes into a Unity project.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	text := ""
	switch client {
	case clientNPM:
		text = npmSetup
	case clientUnity:
		text = unitySetup
	default:
		return nil, format.NotFoundf("there is no set-up text for %.40q: ask for one of %s", client, strings.Join(f.clients, ", "))
	}
	address, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	text = strings.NewReplacer(
		"@URL@", shell.Quote(s.URL+"/"), "@BARE@", s.URL+"/", "@KEYS@", s.KeysURL, "@NAME@", s.Repository,
		"@NERF@", shell.Quote("//"+address.Host+address.EscapedPath()+"/"),
	).Replace(text)
	return []byte(text), nil
}

const npmSetup = `# Makes the repository @NAME@ the registry of npm, in the .npmrc of whoever runs this: @BARE@
# Set SCOPE=@team to use it for the packages of that scope alone. It changes nothing else.
# Its public keys are at @KEYS@/npm.json; npm fetches them itself.
(
  set -e
  registry=@URL@
  place=@NERF@
  if [ -n "${SCOPE-}" ]; then
    npm config set --location=user "$SCOPE:registry" "$registry"
  else
    npm config set --location=user registry "$registry"
  fi
  # npm publishes with a token alone. Where users are known here, "npm login --auth-type=legacy" puts a real one in its place.
  if [ -z "$(npm config get --location=user "$place:_authToken" 2>/dev/null | grep -v undefined)" ]; then
    npm config set --location=user "$place:_authToken" anonymous
  fi
  cat <<'END'

npm installs without looking at signatures. To verify those of all that is installed in a project:
  npm audit signatures
END
)
`

const unitySetup = `# Shows what goes into Packages/manifest.json of a Unity project, so that the packages of a scope come from
# the repository @NAME@. It changes nothing. The signatures are npm's, by the keys at @KEYS@/npm.json;
# the editor does not look at them, "npm audit signatures" does.
cat <<'END'
{
  "scopedRegistries": [
    {
      "name": "@NAME@",
      "url": "@BARE@",
      "scopes": ["com.example"]
    }
  ]
}
END
# To publish a package, in its folder:
#   npm publish --registry @BARE@
`
