package ruby

import (
	"regexp"
	"strings"
)

// A platform is what a Gem::Platform consists of.
type platform struct {
	cpu     *string
	os      string
	version *string
}

// systems are the operating systems that Gem::Platform#initialize tells apart, in its order (lib/rubygems/platform.rb). The
// first group is the version unless there are two; then the first is the system.
var systems = []struct {
	form *regexp.Regexp
	os   string
}{
	{regexp.MustCompile(`aix(\d+)?`), "aix"},
	{regexp.MustCompile(`cygwin`), "cygwin"},
	{regexp.MustCompile(`darwin(\d+)?`), "darwin"},
	{regexp.MustCompile(`^macruby$`), "macruby"},
	{regexp.MustCompile(`freebsd(\d+)?`), "freebsd"},
	{regexp.MustCompile(`hpux(\d+)?`), "hpux"},
	{regexp.MustCompile(`^j(?:ava|ruby)$`), "java"},
	{regexp.MustCompile(`^java([\d.]*)`), "java"},
	{regexp.MustCompile(`^dalvik(\d+)?$`), "dalvik"},
	{regexp.MustCompile(`^dotnet([\d.]+)?`), "dotnet"},
	{regexp.MustCompile(`linux-?(\w+)?`), "linux"},
	{regexp.MustCompile(`mingw32`), "mingw32"},
	{regexp.MustCompile(`mingw-?(\w+)?`), "mingw"},
	{regexp.MustCompile(`(mswin\d+)(?:_(\d+))?`), ""},
	{regexp.MustCompile(`netbsdelf`), "netbsdelf"},
	{regexp.MustCompile(`openbsd(\d+\.\d+)?`), "openbsd"},
	{regexp.MustCompile(`solaris(\d+\.\d+)?`), "solaris"},
	{regexp.MustCompile(`^(\w+_platform)(\d+)?`), ""},
}

var (
	oldIntel    = regexp.MustCompile(`i\d86`)
	bareVersion = regexp.MustCompile(`^\d+(\.\d+)?$`)
	anyDigit    = regexp.MustCompile(`\d`)
)

// parsePlatform reads the name of a platform as Gem::Platform.new does.
func parsePlatform(name string) platform {
	parts := strings.Split(name, "-")
	if n := len(parts); n > 2 && !anyDigit.MatchString(parts[n-1]) {
		parts = append(parts[:n-2:n-2], parts[n-2]+"-"+parts[n-1]) // x86-linux-gnu
	}
	cpu, parts := &parts[0], parts[1:]
	if oldIntel.MatchString(*cpu) {
		x86 := "x86"
		cpu = &x86
	}
	if len(parts) == 2 && bareVersion.MatchString(parts[1]) {
		return platform{cpu, parts[0], &parts[1]}
	}
	os := ""
	if len(parts) > 0 {
		os = parts[0]
	} else {
		cpu, os = nil, *cpu
	}
	for _, system := range systems {
		m := system.form.FindStringSubmatch(os)
		if m == nil {
			continue
		}
		p := platform{cpu: cpu, os: system.os}
		if system.os == "" {
			p.os, m = m[1], m[1:]
			if cpu == nil && strings.HasPrefix(p.os, "mswin") && strings.HasSuffix(p.os, "32") {
				x86 := "x86"
				p.cpu = &x86
			}
		}
		if len(m) > 1 && m[1] != "" && (system.os != "linux" || !strings.HasPrefix(m[1], "gnu")) {
			p.version = &m[1]
		}
		return p
	}
	return platform{cpu: cpu, os: "unknown"}
}
