package maven

import (
	"crypto"
	"path"
	"regexp"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// The names of files that are made here.
const (
	metadataName  = "maven-metadata.xml"
	checksumsName = "checksums.sha256"
	signature     = ".asc"
	bundle        = ".sigstore.json"
	author        = ".author"
	aside         = ".hallmark.asc"
)

const snapshot = "-SNAPSHOT"

// checksums are the kinds of checksums, by the ends of their names.
var checksums = [...]struct {
	suffix string
	hash   crypto.Hash
}{
	{".md5", crypto.MD5}, {".sha1", crypto.SHA1}, {".sha256", crypto.SHA256}, {".sha512", crypto.SHA512},
}

// A place is where a file of an artifact is.
type place struct {
	dir  string // GROUP/ARTIFACT/VERSION
	name string // of the file

	group, artifact, version string

	classifier, extension string
	// stamp and build tell the files of a snapshot apart: "20260203.040506" and 7. Where build is 0, the file has the bare
	// name of the snapshot, and the next one takes its place.
	stamp string
	build int
}

// The names that there are, as Maven takes them (org.apache.maven.model.validation.DefaultModelValidator): a group's dots are
// slashes here.
var (
	groupForm    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	artifactForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)
	versionForm  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+~-]*$`)
	// endForm is what comes after the version in a file's name: a classifier, and an extension that does not begin like the
	// rest of a version.
	endForm   = regexp.MustCompile(`^(?:-([A-Za-z0-9_.+~-]+?))?\.([A-Za-z][A-Za-z0-9_+-]*(?:\.[A-Za-z0-9_+-]+)*|7z)$`)
	stampForm = regexp.MustCompile(`^([0-9]{8}\.[0-9]{6})-([1-9][0-9]{0,8})`)
	// sbtForm is an artifact that is a plugin of sbt. Its files have the bare name, too, as sbt's own resolver wants them.
	sbtForm = regexp.MustCompile(`^(.+)_[0-9.]+_[0-9.]+$`)
)

// placeOf reads the path of a file, without the ends of checksums and signatures.
func placeOf(dir, name string) (place, error) {
	dir = strings.TrimSuffix(dir, "/")
	p := place{dir: dir, name: name, version: path.Base(dir), artifact: path.Base(path.Dir(dir))}
	segments := strings.Split(dir, "/")
	if len(segments) < 3 || name == "" {
		return p, format.Malformedf("%.200q is no place of an artifact: those are GROUP/ARTIFACT/VERSION/ARTIFACT-VERSION.EXTENSION, "+
			"such as com/example/app/1.0/app-1.0.jar", path.Join(dir, name))
	}
	group := segments[:len(segments)-2]
	for _, segment := range group {
		if !groupForm.MatchString(segment) {
			return p, format.Malformedf("%.100q cannot be a part of a group: it takes letters, digits, _ and -, and has a folder for each part", segment)
		}
	}
	p.group = strings.Join(group, ".")
	switch {
	case !artifactForm.MatchString(p.artifact) || strings.HasPrefix(p.artifact, metadataName):
		return p, format.Malformedf("%.100q cannot be the name of an artifact: it takes letters, digits and ._-", p.artifact)
	case !versionForm.MatchString(p.version) || strings.HasPrefix(p.version, metadataName):
		return p, format.Malformedf("%.100q cannot be a version: it takes letters, digits and ._+~-", p.version)
	case !p.readName():
		return p, format.Malformedf("%.100q does not fit its folder %.200q: a file there is called %.100s-%s.EXTENSION, or has a classifier before its extension",
			name, dir, p.artifact, p.versions())
	}
	return p, nil
}

// versions says which versions stand in the names of files.
func (p *place) versions() string {
	if base, ok := strings.CutSuffix(p.version, snapshot); ok {
		return base + "-YYYYMMDD.HHMMSS-N or -" + p.version
	}
	return p.version
}

// readName takes the file's name apart, and reports whether it fits the folder.
func (p *place) readName() bool {
	rest, ok := strings.CutPrefix(p.name, p.artifact+"-")
	if plugin := sbtForm.FindStringSubmatch(p.artifact); !ok && plugin != nil {
		rest, ok = strings.CutPrefix(p.name, plugin[1]+"-")
	}
	if !ok {
		return false
	}
	end, ok := strings.CutPrefix(rest, p.version)
	if base, isSnapshot := strings.CutSuffix(p.version, snapshot); !ok && isSnapshot {
		unique, has := strings.CutPrefix(rest, base+"-")
		m := stampForm.FindStringSubmatch(unique)
		if !has || m == nil {
			return false
		}
		p.stamp = m[1]
		p.build, _ = strconv.Atoi(m[2]) // it has at most nine digits
		end, ok = unique[len(m[0]):], true
	}
	m := endForm.FindStringSubmatch(end)
	if !ok || m == nil {
		return false
	}
	p.classifier, p.extension = m[1], m[2]
	return true
}

func (p *place) path() string { return p.dir + "/" + p.name }

func (p *place) isSnapshot() bool { return strings.HasSuffix(p.version, snapshot) }

// isPom reports whether the file makes the version.
func (p *place) isPom() bool { return p.extension == "pom" && p.classifier == "" }

// fileVersion is the version in the file's name.
func (p *place) fileVersion() string {
	if p.build == 0 {
		return p.version
	}
	return strings.TrimSuffix(p.version, snapshot) + "-" + p.stamp + "-" + strconv.Itoa(p.build)
}

// shard is the folder whose maven-metadata.xml says something of the file.
func (p *place) shard() string {
	if p.isSnapshot() {
		return p.dir
	}
	return path.Dir(p.dir)
}

// cutChecksum cuts the end off the name of a checksum.
func cutChecksum(name string) (base string, ok bool) {
	for _, c := range checksums {
		if base, ok := strings.CutSuffix(name, c.suffix); ok {
			return base, true
		}
	}
	return name, false
}

// cutSignature cuts the end off the name of a signature, ours or an author's.
func cutSignature(name string) (base, suffix string, ok bool) {
	for _, suffix := range []string{signature, bundle} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return strings.TrimSuffix(base, author), suffix, true
		}
	}
	return name, "", false
}
