package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The files that pin Maven and sbt. Each is also a project, which is built once so that all that the client needs is in the
// tool's place: tests reach no network.
const (
	mavenPins = "pom.xml"
	sbtPins   = "build.sbt"

	mavenProgram = "apache-maven/bin/mvn"
	sbtProgram   = "sbt-launch.jar"
)

// jvmFiles returns the pins of a folder and the path of the program in its place, if the folder pins Maven or sbt.
func jvmFiles(dir string) (pins []string, program string, ok bool) {
	switch {
	case exists(dir, mavenPins):
		return []string{mavenPins, "src/main/java/com/example/Greeter.java"}, mavenProgram, true
	case exists(dir, sbtPins):
		return []string{sbtPins, "project/build.properties", "project/plugins.sbt", "src/main/java/Greeter.java"}, sbtProgram, true
	}
	return nil, "", false
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// buildJVM builds the project of a folder in the tool's place. It needs Debian's maven, which fetches what is pinned.
func (t Tool) buildJVM(ctx context.Context) error {
	_, program, _ := jvmFiles(t.Dir)
	place := strings.TrimSuffix(t.Path, string(filepath.Separator)+program)
	unfinished := place + ".unfinished-" + strconv.Itoa(os.Getpid())
	defer os.RemoveAll(unfinished)
	project := filepath.Join(unfinished, "project")
	if err := os.CopyFS(project, os.DirFS(t.Dir)); err != nil {
		return err
	}
	run := func(program string, args ...string) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Dir = project
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s in %s (Debian has mvn in maven): %w\n%s", t.Name, t.Dir, err, out)
		}
		return nil
	}
	build := t.buildMaven
	if program == sbtProgram {
		build = t.buildSbt
	}
	if err := build(unfinished, run); err != nil {
		return err
	}
	// The project stays as it was: tests build it, too.
	if err := errors.Join(os.RemoveAll(project), os.CopyFS(project, os.DirFS(t.Dir))); err != nil {
		return err
	}
	if err := os.Rename(unfinished, place); err != nil && !t.Built() { // somebody else may have been quicker
		return errors.Join(os.RemoveAll(place), os.Rename(unfinished, place))
	}
	return nil
}

// buildMaven puts Maven into apache-maven below the place, and what Debian's and that one need into repository.
func (t Tool) buildMaven(place string, run func(string, ...string) error) error {
	repository := "-Dmaven.repo.local=" + filepath.Join(place, "repository")
	if err := run("mvn", "-B", "-q", repository, "-Ptool", "-Dplace="+place, "dependency:unpack"); err != nil {
		return err
	}
	unpacked, err := filepath.Glob(filepath.Join(place, "apache-maven-*"))
	if err != nil || len(unpacked) != 1 {
		return fmt.Errorf("build %s: %d folders were unpacked, want one (%v)", t.Name, len(unpacked), err)
	}
	if err := os.Rename(unpacked[0], filepath.Join(place, "apache-maven")); err != nil {
		return err
	}
	for _, mvn := range []string{"mvn", filepath.Join(place, mavenProgram)} {
		err := run(mvn, "-B", "-q", repository, "-DaltDeploymentRepository=there::default::file://"+filepath.Join(place, "project", "there"),
			"deploy", "dependency:help", "org.apache.maven.plugins:maven-gpg-plugin:help", "org.simplify4u.plugins:pgpverify-maven-plugin:help")
		if err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(place, "repository", "com", "example"))
}

// buildSbt puts sbt's launcher into the place, and what sbt and the project need into boot and coursier below it.
func (t Tool) buildSbt(place string, run func(string, ...string) error) error {
	properties, err := os.ReadFile(filepath.Join(t.Dir, "project", "build.properties"))
	if err != nil {
		return err
	}
	version := strings.TrimSpace(strings.TrimPrefix(string(properties), "sbt.version="))
	err = run("mvn", "-B", "-q", "-Dmaven.repo.local="+filepath.Join(place, "project", "repository"), "-DoutputDirectory="+place, "-Dmdep.stripVersion=true",
		"-Dartifact=org.scala-sbt:sbt-launch:"+version, "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy")
	if err != nil {
		return err
	}
	return run("java", append(SbtOptions(place, filepath.Join(place, "project", "home")), "-jar", filepath.Join(place, sbtProgram), "publishLocal", "checkPgpSignatures")...)
}

// SbtOptions are java's options by which sbt uses what is in a tool's place, and keeps what is its user's own in a home.
func SbtOptions(place, home string) []string {
	return []string{
		"-Duser.home=" + home, "-Dsbt.boot.directory=" + filepath.Join(place, "boot"), "-Dsbt.coursier.home=" + filepath.Join(place, "coursier"),
		"-Dsbt.ivy.home=" + filepath.Join(home, ".ivy2"), "-Dsbt.supershell=false", "-Dsbt.color=false",
	}
}
