package ruby

import (
	"encoding/hex"
	"slices"
	"strings"
)

// infoHead stands before the lines of every file of the compact index but the versions'.
const infoHead = "---\n"

// info returns the gem's line of info/NAME:
//
//	VERSION[-PLATFORM] DEPENDENCY:REQUIREMENT&REQUIREMENT,…|checksum:SHA256,ruby:REQUIREMENT&…,rubygems:REQUIREMENT&…
//
// Without a digest it has no checksum.
func (s gemspec) info(sum []byte) []byte {
	var needs []string
	for _, d := range s.dependencies {
		if d.kind == kindRuntime {
			needs = append(needs, d.name+":"+d.requirement.compact())
		}
	}
	slices.Sort(needs)
	var about []string
	if sum != nil {
		about = append(about, "checksum:"+hex.EncodeToString(sum))
	}
	if !s.ruby.isAny() {
		about = append(about, "ruby:"+s.ruby.compact())
	}
	if !s.rubygemsVersion.isAny() {
		about = append(about, "rubygems:"+s.rubygemsVersion.compact())
	}
	return []byte(s.number() + " " + strings.Join(needs, ",") + "|" + strings.Join(about, ",") + "\n")
}

// compact returns a requirement as the compact index has it.
func (r requirement) compact() string {
	var all []string
	for _, c := range r {
		all = append(all, c.operator+" "+c.version)
	}
	slices.Sort(all)
	return strings.Join(all, "&")
}

// lineNumber returns the version and the platform that begin a line of info.
func lineNumber(line []byte) (version, platform string) {
	number, _, _ := strings.Cut(string(line), " ")
	version, platform, ok := strings.Cut(number, "-")
	if !ok {
		platform = platformRuby
	}
	return version, platform
}
