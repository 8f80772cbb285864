package python

import (
	"regexp"
	"strings"
)

// versionForm is the grammar of versions (PEP 440, appendix B), for small letters.
var versionForm = regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?` +
	`(?:[-_.]?(dev)[-_.]?(\d*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// versionMost is the longest version, in bytes.
const versionMost = 128

// canonical returns a version in the form in which all its spellings are the same (PEP 440, "Normalization"). It reports
// false for what is no version. Zeros at the end of a release are kept.
func canonical(version string) (string, bool) {
	if len(version) > versionMost {
		return "", false
	}
	m := versionForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(version)))
	if m == nil {
		return "", false
	}
	epoch, release, pre, preNumber := m[1], m[2], m[3], m[4]
	implicitPost, post, postNumber, dev, devNumber, local := m[5], m[6], m[7], m[8], m[9], m[10]
	var b strings.Builder
	if n := number(epoch); n != "0" {
		b.WriteString(n + "!")
	}
	for i, part := range strings.Split(release, ".") {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(number(part))
	}
	switch pre {
	case "":
	case "a", "alpha":
		b.WriteString("a" + number(preNumber))
	case "b", "beta":
		b.WriteString("b" + number(preNumber))
	default:
		b.WriteString("rc" + number(preNumber))
	}
	if post != "" || implicitPost != "" {
		b.WriteString(".post" + number(implicitPost+postNumber))
	}
	if dev != "" {
		b.WriteString(".dev" + number(devNumber))
	}
	if local != "" {
		separator := byte('+')
		for part := range strings.SplitSeq(strings.NewReplacer("-", ".", "_", ".").Replace(local), ".") {
			if strings.Trim(part, "0123456789") == "" {
				part = number(part)
			}
			b.WriteByte(separator)
			b.WriteString(part)
			separator = '.'
		}
	}
	return b.String(), true
}

// number returns digits without zeros in front; "0" if there are none.
func number(digits string) string {
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return digits
}
