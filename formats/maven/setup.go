package maven

import (
	"html"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/shell"
	"hallmark/signing/scheme"
)

// Setup returns a script that points Maven, Gradle or sbt at the repository, keeps its keys where the client looks for them, and
// shows how to publish and how to verify.
func (f *Format) Setup(s format.Site, client string) ([]byte, error) {
	script, ok := map[string]string{clientMaven: mavenSetup, clientGradle: gradleSetup, clientSbt: sbtSetup}[client]
	if !ok {
		return nil, format.NotFoundf("Maven artifacts are fetched with maven, gradle or sbt; there is no set-up for %.50q", client)
	}
	var prints []string
	for _, k := range s.Keys.Of(scheme.File, scheme.OpenPGP) {
		prints = append(prints, shell.Quote(strings.ToUpper(k.Fingerprint)))
	}
	values := strings.NewReplacer("@URL@", shell.Quote(s.URL), "@KEYS@", shell.Quote(s.KeysURL), "@NAME@", s.Repository,
		"@PRINTS@", strings.Join(prints, " "), "@XMLURL@", html.EscapeString(s.URL), "@LITERAL@", literal(s.URL))
	return []byte(values.Replace(script)), nil
}

// literal returns a text as one of Groovy and of Scala.
func literal(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\u0024`).Replace(text) + `"`
}

// keep is the beginning of all scripts.
const keep = `  url=@URL@
  from=@KEYS@
  name=@NAME@
  fetch() {
    curl -fsS -o "$keep/$2.new" "$1"
    mv "$keep/$2.new" "$keep/$2"
  }
  mkdir -p "$keep"
  fetch "$from/files.asc" files.asc
`

// mavenSetup looks for a good signature in what gpgv says: it fails if there is also one by a key that it does not have, and while
// the repository's keys change there is.
const mavenSetup = `# Points Maven at the repository @NAME@: writes ~/.m2/settings.xml if there is none, keeps the repository's keys and its list of
# checksums in ~/.m2/hallmark/@NAME@, and shows what else can be done. Run it again to take up new keys and checksums.
(
  set -eu
  keep=$HOME/.m2/hallmark/@NAME@
` + keep + `  fetch "$from/openpgp.gpg" openpgp.gpg
  fetch "$url/pgpverify.keysmap" pgpverify.keysmap
  for print in @PRINTS@; do
    folder=$keep/pgpkeys/$(echo "$print" | cut -c1-2)/$(echo "$print" | cut -c3-4)
    mkdir -p "$folder"
    cp "$keep/files.asc" "$folder/$print.asc"
  done
  if curl -fs -o "$keep/list.new" "$url/checksums.sha256"; then
    curl -fsS -o "$keep/list.asc" "$url/checksums.sha256.asc"
    if gpgv --status-fd 1 --keyring "$keep/openpgp.gpg" "$keep/list.asc" "$keep/list.new" 2> /dev/null | grep -q '^\[GNUPG:\] GOODSIG'; then
      mv "$keep/list.new" "$keep/checksums-$name.sha256"
    else
      echo "The list of checksums has no good signature by a key of $from: it is not kept." >&2
      exit 1
    fi
  fi
  cat > "$keep/settings.xml" <<'END'
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
  <profiles>
    <profile>
      <id>@NAME@</id>
      <repositories>
        <repository>
          <id>@NAME@</id>
          <url>@XMLURL@</url>
          <releases><checksumPolicy>fail</checksumPolicy></releases>
          <snapshots><enabled>true</enabled><checksumPolicy>fail</checksumPolicy></snapshots>
        </repository>
      </repositories>
      <pluginRepositories>
        <pluginRepository>
          <id>@NAME@</id>
          <url>@XMLURL@</url>
          <releases><checksumPolicy>fail</checksumPolicy></releases>
        </pluginRepository>
      </pluginRepositories>
    </profile>
  </profiles>
  <activeProfiles>
    <activeProfile>@NAME@</activeProfile>
  </activeProfiles>
</settings>
END
  if [ -e "$HOME/.m2/settings.xml" ]; then
    echo "There is a ~/.m2/settings.xml already: take over the profile of $keep/settings.xml, or use mvn -s $keep/settings.xml"
  else
    cp "$keep/settings.xml" "$HOME/.m2/settings.xml"
  fi
  cat <<END

To deploy a project (its user and password are the server $name of settings.xml):
  mvn deploy -DaltDeploymentRepository='$name::default::$url'

To have pgpverify check the signature of each dependency, by the keys of this repository:
  mvn org.simplify4u.plugins:pgpverify-maven-plugin:1.19.1:check -Dpgpverify.keysMapLocation=$keep/pgpverify.keysmap -Dpgpverify.keycache=$keep/pgpkeys

To have Maven 3.9 refuse artifacts whose bytes are not those of the signed list, put these lines into .mvn/maven.config:
  -Daether.artifactResolver.postProcessor.trustedChecksums=true
  -Daether.artifactResolver.postProcessor.trustedChecksums.checksumAlgorithms=SHA-256
  -Daether.trustedChecksumsSource.summaryFile=true
  -Daether.trustedChecksumsSource.summaryFile.basedir=$keep
END
)
`

const gradleSetup = `# Points Gradle at the repository @NAME@: writes ~/.gradle/init.d/@NAME@.gradle, keeps the repository's keys and who is trusted in
# ~/.gradle/hallmark/@NAME@, and shows what else can be done. Run it again to take up new keys and groups.
(
  set -eu
  keep=$HOME/.gradle/hallmark/@NAME@
` + keep + `  fetch "$url/verification-keyring.keys" verification-keyring.keys
  fetch "$url/verification-metadata.xml" verification-metadata.xml
  mkdir -p "$HOME/.gradle/init.d"
  cat > "$HOME/.gradle/init.d/@NAME@.gradle" <<'END'
allprojects {
  repositories {
    maven {
      name = "@NAME@"
      url = @LITERAL@
      if (url.scheme == "http" && hasProperty("allowInsecureProtocol")) {
        allowInsecureProtocol = true
      }
    }
  }
}
END
  cat <<END

To publish, with the plugin maven-publish:
  publishing { repositories { maven { name = "$name"; url = "$url" } } }

To have Gradle 6.2 and newer verify the signature of each dependency, in the folder of the project:
  mkdir -p gradle && cp $keep/verification-metadata.xml $keep/verification-keyring.keys gradle/
It then refuses what is not signed by a key of that file, from whatever repository: gradle --write-verification-metadata pgp adds others.
END
)
`

const sbtSetup = `# Points sbt at the repository @NAME@: writes ~/.sbt/1.0/@NAME@.sbt, keeps the repository's keys in ~/.sbt/hallmark/@NAME@, and
# shows what else can be done. Run it again to take up new keys.
(
  set -eu
  keep=$HOME/.sbt/hallmark/@NAME@
` + keep + `  mkdir -p "$HOME/.sbt/1.0"
  cat > "$HOME/.sbt/1.0/@NAME@.sbt" <<'END'
resolvers += MavenRepository("@NAME@", @LITERAL@).withAllowInsecureProtocol(@LITERAL@.startsWith("http:"))
END
  cat <<END

To publish, in build.sbt:
  publishMavenStyle := true
  publishTo := Some(MavenRepository("$name", "$url").withAllowInsecureProtocol("$url".startsWith("http:")))

To check the signatures of a project's dependencies by sbt checkPgpSignatures, with the plugin com.github.sbt:sbt-pgp, in build.sbt:
  Global / pgpPublicRing := file("$keep/files.asc")
  PgpKeys.updatePgpSignatures / PgpKeys.signaturesModule := (PgpKeys.updatePgpSignatures / PgpKeys.signaturesModule).value.copy(configurations = ivyConfigurations.value)
END
)
`
