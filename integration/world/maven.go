package world

import (
	"fmt"
	"path/filepath"
	"strings"

	"hallmark/integration/tools"
)

// Mavens are the versions of Maven that [NewMaven] knows: Debian's, and the pinned one.
var Mavens = []string{"3.8", "3.9"}

// A Maven is a machine with Maven, where nobody has used it yet, and with all plugins that the tests run.
type Maven struct {
	*Machine
	place   string // the tool's
	program string
}

// NewMaven returns a machine with one of [Mavens].
func NewMaven(t T, version string) *Maven {
	t.Helper()
	debians := Installed(t, "maven", "/usr/bin/mvn")
	program := Tool(t, "maven")
	m := &Maven{NewMachine(t), filepath.Dir(filepath.Dir(filepath.Dir(program))), program}
	if version == "3.8" {
		m.program = debians
	}
	m.mustSetup(t, "rm -rf /root/.m2\nmkdir /project")
	return m
}

// mavenPlugins are the plugins that the tests run, by their names, as tools/maven pins them.
var mavenPlugins = strings.NewReplacer("deploy:", "org.apache.maven.plugins:maven-deploy-plugin:3.1.4:",
	"dependency:", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:", "gpg:", "org.apache.maven.plugins:maven-gpg-plugin:3.2.7:")

// Mvn returns Maven in /project, with arguments that stand before those of each call. It is quick to start, not to run for long.
func (m *Maven) Mvn(args ...string) Command {
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			args[i] = mavenPlugins.Replace(arg)
		}
	}
	return m.Command("env", append([]string{
		"-C", "/project", "MAVEN_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1", m.program, "-B", "-Dmaven.repo.local=" + m.place + "/repository",
	}, args...)...)
}

// Project makes /project the tools' own: com.example:greeter of a version, which says so. Dependencies are lines of its pom.
func (m *Maven) Project(t T, version, dependencies string) {
	t.Helper()
	m.mustSetup(t, "rm -rf /project\ncp -r '"+m.place+"/project' /project\nsed -i 's/1[.]0</"+version+"</' /project/pom.xml\n"+
		"sed -i 's/hello 1[.]0/hello "+version+"/' /project/src/main/java/com/example/Greeter.java\n"+
		"sed -i 's|<build>|<dependencies>"+dependencies+"</dependencies><build>|;t' /project/pom.xml")
}

// Resolve has Maven fetch an artifact, GROUP:ARTIFACT:VERSION, that it does not have, or does not have any more.
func (m *Maven) Resolve(t T, artifact string, options ...string) (string, error) {
	t.Helper()
	m.Forget(t)
	return m.Mvn("dependency:get", "-Dartifact="+artifact).Try(t, options...)
}

// Forget takes away what Maven has fetched of com.example.
func (m *Maven) Forget(t T) {
	t.Helper()
	m.mustSetup(t, "rm -rf '"+m.place+"/repository/com/example'")
}

// Greets runs the jar of com.example:greeter that Maven has fetched, and returns what it says.
func (m *Maven) Greets(t T, version, file string) string {
	t.Helper()
	out, _ := m.Command("java", "-cp", m.place+"/repository/com/example/greeter/"+version+"/"+file, "com.example.Greeter").Try(t)
	return strings.TrimSpace(out)
}

// An Sbt is a machine with sbt, where nobody has used it yet.
type Sbt struct {
	*Machine
	place string // the tool's
}

// NewSbt returns a machine with sbt and sbt-pgp.
func NewSbt(t T) *Sbt {
	t.Helper()
	Installed(t, "maven", "java")
	s := &Sbt{NewMachine(t), filepath.Dir(Tool(t, "sbt"))}
	s.mustSetup(t, "rm -rf /root/.sbt /root/.ivy2")
	return s
}

// Project makes /project the tools' own, com.example:greeter of a version, with more lines of its build.sbt.
func (s *Sbt) Project(t T, version, lines string) {
	t.Helper()
	s.mustSetup(t, "rm -rf /project\ncp -r '"+s.place+"/project' /project\nsed -i 's/\"1[.]0\"/\""+version+"\"/' /project/build.sbt\n"+
		"cat >> /project/build.sbt <<'end'\n"+lines+"\nend\n")
}

// Sbt returns sbt in /project.
func (s *Sbt) Sbt() Command {
	options := append([]string{"-C", "/project", "java", "-XX:+UseSerialGC"}, tools.SbtOptions(s.place, "/root")...)
	return s.Command("env", append(options, "-jar", s.place+"/sbt-launch.jar")...)
}

// A Gradle is a machine with Gradle, where nobody has used it yet.
type Gradle struct{ *Machine }

// NewGradle returns a machine with Debian's Gradle.
func NewGradle(t T) *Gradle {
	t.Helper()
	Installed(t, "gradle", "gradle")
	g := &Gradle{NewMachine(t)}
	g.mustSetup(t, "rm -rf /root/.gradle\nmkdir /project\n: > /project/settings.gradle")
	return g
}

// Fetch has Gradle bring a dependency, GROUP:ARTIFACT:VERSION, to /project/got.
func (g *Gradle) Fetch(t T, dependency string) (string, error) {
	t.Helper()
	g.mustSetup(t, fmt.Sprintf("rm -rf /project/got /root/.gradle/caches\ncat > /project/build.gradle <<'end'\napply plugin: 'java'\n"+
		"dependencies { compile '%s' }\ntask fetch(type: Copy) { from configurations.compile; into 'got' }\nend", dependency))
	return g.Command("env", "-C", "/project", "gradle", "--no-daemon", "fetch").Try(t)
}
