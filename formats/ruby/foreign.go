package ruby

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
)

// groupQuick has the lines of info of the gems of an upstream, of which the quick index is made here: that of the upstream is not
// covered by any digest.
const groupQuick = "quick"

// Describe reads a line of info with a gem's name before it. One without a checksum is that of an upstream which does not say it,
// and the gem must say of itself what the line does.
func (f *Format) Describe(_, _ string, stanza []byte, _ []format.Signature) (format.Foreign, error) {
	name, line, _ := bytes.Cut(stanza, []byte(" "))
	s, sum, err := parseInfo(string(name), string(line))
	if err != nil {
		return format.Foreign{}, err
	}
	foreign := format.Foreign{
		Package: format.Package{
			Path: s.path(), Name: s.name, Version: s.version, Arch: s.platform, Shard: s.name,
			Entries: []format.Entry{
				{Group: groupInfo, Data: line},
				{Group: groupQuick, Data: line},
				{Group: s.specsGroup(), Data: s.tuple(), Root: true},
			},
		},
		Size: -1, SHA256: sum,
	}
	if sum == nil {
		foreign.Check = s.file()
	}
	return foreign, nil
}

// parseInfo reads a line of info/NAME, as [gemspec.info] writes it and with more fields behind the checksum.
func parseInfo(name, line string) (s gemspec, sum []byte, err error) {
	text, ok := strings.CutSuffix(line, "\n")
	if !ok || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s, nil, format.Malformedf("the info of %.100q has the line %.100q, which is not one line of ASCII", name, line)
	}
	number, rest, _ := strings.Cut(text, " ")
	s.name = name
	s.version, s.platform = lineNumber([]byte(number))
	for _, err := range []error{checkName(s.name), checkVersion(s.version), checkPlatform(s.platform)} {
		if err != nil {
			return s, nil, err
		}
	}
	if s.number() != number {
		return s, nil, format.Malformedf("the info of %.100q has the version %.100q, which names the platform ruby", name, number)
	}
	s.ruby, s.rubygemsVersion = anyVersion, anyVersion
	s.date = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	needs, about, _ := strings.Cut(rest, "|")
	for _, need := range fields(needs) {
		d := dependency{kind: kindRuntime}
		var wanted string
		d.name, wanted, _ = strings.Cut(need, ":")
		if err := checkName(d.name); err != nil {
			return s, nil, err
		}
		if d.requirement, err = parseCompact(wanted); err != nil {
			return s, nil, err
		}
		s.dependencies = append(s.dependencies, d)
	}
	for _, field := range fields(about) {
		key, value, _ := strings.Cut(field, ":")
		switch key {
		case "checksum":
			if sum, err = hex.DecodeString(value); err != nil || len(sum) != sha256.Size {
				return s, nil, format.Malformedf("the info of %.100q has a checksum of %.100q that is no SHA-256", name, number)
			}
		case "ruby":
			s.ruby, err = parseCompact(value)
		case "rubygems":
			s.rubygemsVersion, err = parseCompact(value)
		}
		if err != nil {
			return s, nil, err
		}
	}
	return s, sum, nil
}

// fields returns what stands between commas.
func fields(s string) []string {
	return slices.DeleteFunc(strings.Split(s, ","), func(f string) bool { return f == "" })
}

// parseCompact reads a requirement as the compact index has it.
func parseCompact(s string) (requirement, error) {
	var all requirement
	for part := range strings.SplitSeq(s, "&") {
		operator, version, ok := strings.Cut(strings.TrimSpace(part), " ")
		if !ok || !isOperator(operator) || checkVersion(version) != nil {
			return nil, format.Malformedf("the index has the requirement %.100q, which is no operator and version", part)
		}
		all = append(all, constraint{operator, version})
	}
	return all, nil
}

// emitQuick emits the gemspecs of the gems of an upstream. They have what resolving dependencies takes and nothing else; what is
// installed has the gemspec in the gem.
func emitQuick(in format.Shard, emit func(format.File) error) error {
	lines, err := in.Entries(groupQuick)
	if err != nil {
		return err
	}
	for _, line := range lines {
		s, _, err := parseInfo(in.Name(), string(line))
		if err != nil {
			return err
		}
		quick, err := deflated(s.marshal())
		if err != nil {
			return err
		}
		if err := emit(format.File{Path: s.quick(), Data: quick}); err != nil {
			return err
		}
	}
	return nil
}
