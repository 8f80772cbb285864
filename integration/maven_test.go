package integration

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

var mavenRepository = map[string]repository{"maven": {}}

// pgpverify is how the set-up text says that Maven verifies signatures.
func pgpverify(m *world.Maven) world.Command {
	return m.Mvn("org.simplify4u.plugins:pgpverify-maven-plugin:1.19.1:check", "-Dpgpverify.keysMapLocation=/root/.m2/hallmark/maven/pgpverify.keysmap",
		"-Dpgpverify.keycache=/root/.m2/hallmark/maven/pgpkeys")
}

// trustedChecksums are the lines of .mvn/maven.config that the set-up text shows.
func trustedChecksums(t *testing.T, setup string) []string {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^  (-Daether\S+)$`).FindAllStringSubmatch(strings.ReplaceAll(setup, "$keep", "/root/.m2/hallmark/maven"), -1)
	var all []string
	for _, line := range lines {
		all = append(all, line[1])
	}
	if len(all) != 4 {
		t.Fatalf("the set-up text shows %q", all)
	}
	return all
}

const dependsOnGreeter = "<dependency><groupId>com.example</groupId><artifactId>greeter</artifactId><version>1.0</version></dependency>"

// Both Mavens, set up by the text that the repository serves, deploy a project, fetch it and its next version, and verify its
// signature. What somebody on the way has changed is refused, by its checksum, its signature, or the signed list.
func TestMaven(t *testing.T) {
	for _, version := range world.Mavens {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			d := openDepot(t, mavenRepository)
			m := world.NewMaven(t, version)
			setup := d.setupText(t, "maven", "maven")
			deploy := func(version string) {
				t.Helper()
				m.Project(t, version, "")
				m.Mvn("-DaltDeploymentRepository=maven::default::"+d.URL+"/maven").Run(t, "deploy")
			}
			must(t, m.Setup(t, setup))
			deploy("1.0")
			must(t, m.Setup(t, setup)) // for the list of checksums, and the groups
			_, err := m.Resolve(t, "com.example:greeter:1.0")
			must(t, err)
			if says := m.Greets(t, "1.0", "greeter-1.0.jar"); says != "hello 1.0" {
				t.Errorf("what was fetched says %q", says)
			}
			deploy("1.10-SNAPSHOT")
			deploy("1.9")
			_, err = m.Resolve(t, "com.example:greeter:RELEASE", "-U")
			must(t, err)
			if says := m.Greets(t, "1.9", "greeter-1.9.jar"); says != "hello 1.9" {
				t.Errorf("the newest release says %q", says)
			}
			_, err = m.Resolve(t, "com.example:greeter:1.10-SNAPSHOT", "-U")
			must(t, err)
			if says := m.Greets(t, "1.10-SNAPSHOT", "greeter-1.10-SNAPSHOT.jar"); says != "hello 1.10-SNAPSHOT" {
				t.Errorf("the snapshot says %q", says)
			}

			m.Project(t, "2", dependsOnGreeter)
			out := pgpverify(m).Run(t)
			occurs(t, 2, "PGP Signature OK", out)
			m.Forget(t)
			jar := regexp.MustCompile(`greeter-1\.0\.jar$`)
			d.Intercept(world.Flip(jar))
			if out, err := m.Resolve(t, "com.example:greeter:1.0"); err == nil || !strings.Contains(out, "hecksum validation failed") {
				t.Errorf("a jar with one bit flipped: %v", err)
			}
			// Whoever changes a file on the way changes its checksums, too.
			d.Intercept(withoutChecksums(world.Flip(jar)))
			m.Forget(t)
			lenient := []string{"-c", "-Daether.connector.smartChecksums=false"}
			pgpverify(m).Refuses(t, []string{"PGP Signature INVALID"}, lenient...)
			if version == "3.9" {
				out, err := m.Resolve(t, "com.example:greeter:1.0", append(lenient, trustedChecksums(t, setup)...)...)
				if err == nil || !strings.Contains(out, "trusted checksum") {
					t.Errorf("a jar that is not the one of the list: %v", err)
				}
				d.Intercept(nil)
				_, err = m.Resolve(t, "com.example:greeter:1.0", append(lenient, trustedChecksums(t, setup)...)...)
				must(t, err)
			}
		})
	}
}

// withoutChecksums returns an Interceptor that answers 404 for checksums.
func withoutChecksums(others world.Interceptor) world.Interceptor {
	gone := missing(regexp.MustCompile(`\.(md5|sha1|sha256|sha512)$`))
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		gone(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { others(w, r, forward) }))
	}
}

// greeter uploads a project's jar and pom as sbt and Maven do, in the way of a person who has nothing but curl.
func greeter(t *testing.T, address, version string) {
	t.Helper()
	base := address + "/com/example/greeter/" + version + "/greeter-" + version
	for name, text := range map[string]string{
		".jar": "the bytes of " + version,
		".pom": "<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId><artifactId>greeter</artifactId><version>" + version + "</version></project>",
	} {
		if status, body := world.Send(t, http.MethodPut, base+name, []byte(text)); status != http.StatusCreated {
			t.Fatalf("PUT %s: %d: %s", base+name, status, body)
		}
	}
}

// sbt, set up by the text that the repository serves, publishes, and checks the signatures of what it depends on.
func TestSbt(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"sbt": {}})
	s := world.NewSbt(t)
	setup := d.setupText(t, "sbt", "")
	must(t, s.Setup(t, setup))
	_, rest, _ := strings.Cut(setup, "To publish, in build.sbt:\n")
	publish, rest, _ := strings.Cut(rest, "\n\n")
	_, rest, _ = strings.Cut(rest, "in build.sbt:\n")
	ring, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("the set-up text is\n%s", setup)
	}
	filled := strings.NewReplacer("$name", "sbt", "$url", d.URL+"/sbt", "$keep", "/root/.sbt/hallmark/sbt")
	s.Project(t, "1.0", filled.Replace(publish))
	s.Sbt().Run(t, "publish")
	if got := world.Get(t, d.URL+"/sbt/com/example/greeter/maven-metadata.xml"); !strings.Contains(got, "<release>1.0</release>") {
		t.Errorf("the index is\n%s", got)
	}

	s.Project(t, "2.0", "name := \"user\"\nlibraryDependencies += \"com.example\" % \"greeter\" % \"1.0\"\n"+filled.Replace(ring))
	if out := s.Sbt().Run(t, "checkPgpSignatures"); !strings.Contains(out, "[OK]") || strings.Contains(out, "[BAD]") {
		t.Errorf("sbt-pgp says\n%s", out)
	}
	d.Intercept(withoutChecksums(world.Flip(regexp.MustCompile(`greeter-1\.0\.jar$`))))
	must(t, s.Setup(t, "rm -rf /root/.ivy2"))
	s.Sbt().Refuses(t, []string{"[BAD]", "Some artifacts have bad signatures"}, "checkPgpSignatures")
}

// Gradle, set up by the text that the repository serves, finds the newest version. Debian's verifies no signatures.
func TestGradle(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"gradle": {}})
	greeter(t, d.URL+"/gradle", "1.9")
	greeter(t, d.URL+"/gradle", "1.10")
	g := world.NewGradle(t)
	must(t, g.Setup(t, d.setupText(t, "gradle", "")))
	if out, err := g.Fetch(t, "com.example:greeter:1.+"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := g.Command("cat", "/project/got/greeter-1.10.jar").Run(t); got != "the bytes of 1.10" {
		t.Errorf("Gradle has fetched %q", got)
	}
	keyring := g.Command("gpg", "--show-keys", "--with-colons", "/root/.gradle/hallmark/gradle/verification-keyring.keys").Run(t)
	trusted := regexp.MustCompile(`<trusted-key id="([0-9A-F]+)">`).FindStringSubmatch(world.Get(t, d.URL+"/gradle/verification-metadata.xml"))
	if trusted == nil || !strings.Contains(keyring, "fpr:::::::::"+trusted[1]+":") {
		t.Errorf("the file for Gradle trusts %q, and the keyring is\n%s", trusted, keyring)
	}
}

// What is wrong with an upload reaches the terminal: Maven 3.9 reads the answer's body, and earlier ones its status line.
func TestMavenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := openDepot(t, mavenRepository)
	greeter(t, d.URL+"/maven", "1.0")
	for _, version := range world.Mavens {
		m := world.NewMaven(t, version)
		// Not by the recorder, which has status lines of its own.
		must(t, m.Setup(t, "echo other > /project/other.jar"))
		m.Mvn("deploy:deploy-file", "-Durl="+d.proxy.URL+"/maven", "-DrepositoryId=maven", "-Dfile=other.jar", "-DgroupId=com.example", "-DartifactId=greeter",
			"-Dversion=1.0", "-Dpackaging=jar", "-DgeneratePom=false").Refuses(t,
			[]string{"greeter-1.0.jar is there already with other bytes", "give the new one a new version"})
	}
}

// Whoever holds another key cannot sign for the repository, and whoever trusts both keys goes on from one to the other.
func TestMavenMovesFromOneKeyToAnother(t *testing.T) {
	t.Parallel()
	d, impostor := openDepot(t, mavenRepository), openDepot(t, mavenRepository)
	for _, to := range []*depot{d, impostor} {
		greeter(t, to.URL+"/maven", "1.0")
	}
	m := world.NewMaven(t, "3.9")
	must(t, m.Setup(t, d.setupText(t, "maven", "maven")))
	m.Project(t, "2", dependsOnGreeter)
	// As if a key server had the impostor's key: everybody can put one there.
	_, print, _ := strings.Cut(world.Get(t, impostor.URL+"/maven/pgpverify.keysmap"), " = 0x")
	print = strings.TrimSpace(print)
	folder := "/root/.m2/hallmark/maven/pgpkeys/" + print[:2] + "/" + print[2:4]
	must(t, m.Setup(t, "mkdir -p "+folder+"\ncurl -fsS -o "+folder+"/"+print+".asc "+impostor.URL+"/-/keys/maven/files.asc"))
	d.Intercept(instead(t, impostor.URL, regexp.MustCompile(`/greeter-1\.0\.(jar|pom)\.asc`)))
	pgpverify(m).Refuses(t, []string{"Not allowed artifact com.example:greeter"})
	d.Intercept(nil)
	m.Forget(t)
	occurs(t, 2, "PGP Signature OK", pgpverify(m).Run(t))

	d.reconfigure(t, map[string]repository{"maven": { // beside the one that a depot has
		keys: indexKey("generate: ed25519") + "    - {purpose: file, scheme: openpgp, generate: rsa2048}\n",
	}})
	greeter(t, d.URL+"/maven", "1.1")
	must(t, m.Setup(t, d.setupText(t, "maven", "maven")))
	m.Project(t, "2", strings.Replace(dependsOnGreeter, "1.0", "1.1", 1))
	occurs(t, 2, "PGP Signature OK", pgpverify(m).Run(t))
	if ring := world.Get(t, d.URL+"/maven/verification-keyring.keys"); strings.Count(ring, "BEGIN PGP PUBLIC KEY BLOCK") != 2 {
		t.Errorf("the keyring for Gradle is\n%s", ring)
	}
}

// In front of a plain server that others wrote, its versions are listed beside ours, and its files are signed as they come. An
// author's signature that is there keeps a name of its own.
func TestMavenInFrontOfAnUpstream(t *testing.T) {
	t.Parallel()
	m := world.NewMaven(t, "3.8")
	dir := t.TempDir()
	m.Project(t, "1.0", "")
	origin := world.StartNginx(t, dir, world.NginxOptions{DAV: true})
	m.Mvn("-DaltDeploymentRepository=there::default::"+origin.URL).Run(t, "deploy")
	must(t, os.WriteFile(dir+"/com/example/greeter/1.0/greeter-1.0.jar.asc", []byte("the author's"), 0o644))
	d := openDepot(t, map[string]repository{"maven": {upstream: "{url: '" + origin.URL + "', trust: unverified}"}})
	must(t, m.Setup(t, d.setupText(t, "maven", "maven")))
	if _, err := m.Resolve(t, "com.example:greeter:RELEASE"); err != nil {
		t.Fatal(err)
	}
	if says := m.Greets(t, "1.0", "greeter-1.0.jar"); says != "hello 1.0" {
		t.Errorf("what was fetched says %q", says)
	}
	must(t, m.Setup(t, d.setupText(t, "maven", "maven")))
	m.Project(t, "2", dependsOnGreeter)
	m.Forget(t)
	occurs(t, 2, "PGP Signature OK", pgpverify(m).Run(t))
	if got := world.Get(t, d.URL+"/maven/com/example/greeter/1.0/greeter-1.0.jar.author.asc"); got != "the author's" {
		t.Errorf("the author's signature is %q", got)
	}
	greeter(t, d.URL+"/maven", "1.5")
	got := world.Get(t, d.URL+"/maven/com/example/greeter/maven-metadata.xml")
	if !strings.Contains(got, "<version>1.0</version>") || !strings.Contains(got, "<release>1.5</release>") {
		t.Errorf("the index is\n%s", got)
	}
	d.Intercept(withoutChecksums(world.Flip(regexp.MustCompile(`greeter-1\.0\.jar$`))))
	m.Forget(t)
	pgpverify(m).Refuses(t, []string{"PGP Signature INVALID"}, "-c")
}
