package rpm

import (
	"slices"
	"strconv"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
)

// dependenciesLimit is how many dependencies of one kind a package may have.
const dependenciesLimit = 200_000

// The bits of a dependency's flags (rpm's include/rpm/rpmds.h, rpmsenseFlags).
const (
	senseCompare = 1<<1 | 1<<2 | 1<<3 // less, greater, equal
	sensePre     = 1<<6 | 1<<9 | 1<<10
)

// senses are what the metadata calls comparisons (createrepo_c's src/misc.c, cr_flag_to_str).
var senses = [16]string{2: "LT", 4: "GT", 8: "EQ", 10: "LE", 12: "GE"}

// A relation is a kind of dependency, with the element of the metadata that it is in.
type relation struct {
	element              string
	name, flags, version rpmfile.Tag
}

// relations are in the order of the metadata.
var relations = [...]relation{
	{"provides", rpmfile.ProvideName, rpmfile.ProvideFlags, rpmfile.ProvideVersion},
	{"requires", rpmfile.RequireName, rpmfile.RequireFlags, rpmfile.RequireVersion},
	{"conflicts", rpmfile.ConflictName, rpmfile.ConflictFlags, rpmfile.ConflictVersion},
	{"obsoletes", rpmfile.ObsoleteName, rpmfile.ObsoleteFlags, rpmfile.ObsoleteVersion},
	{"suggests", rpmfile.SuggestName, rpmfile.SuggestFlags, rpmfile.SuggestVersion},
	{"enhances", rpmfile.EnhanceName, rpmfile.EnhanceFlags, rpmfile.EnhanceVersion},
	{"recommends", rpmfile.RecommendName, rpmfile.RecommendFlags, rpmfile.RecommendVersion},
	{"supplements", rpmfile.SupplementName, rpmfile.SupplementFlags, rpmfile.SupplementVersion},
}

// A dependency is what a package needs or has or is at odds with. It is comparable.
type dependency struct {
	name, sense, version string
	pre                  bool // before or after a script of the package
}

// dependencies reads those of a kind as they stand in a header.
func dependencies(h *rpmfile.Header, r relation) ([]dependency, error) {
	v := values{header: h}
	names, versions, flags := v.texts(r.name), v.texts(r.version), v.numbers(r.flags)
	switch {
	case v.err != nil:
		return nil, v.err
	case len(names) > dependenciesLimit:
		return nil, format.Malformedf("the package has %d %s, which is more than %d", len(names), r.element, dependenciesLimit)
	case versions == nil && flags.Len() == 0:
		versions = make([]string, len(names))
	case len(versions) != len(names) || flags.Len() != len(names):
		return nil, format.Malformedf("the header has %d %s, the versions of %d and the flags of %d",
			len(names), r.element, len(versions), flags.Len())
	}
	all := make([]dependency, len(names))
	for i, name := range names {
		if name == "" || hasControl(name) || hasControl(versions[i]) {
			return nil, format.Malformedf("%.100q with the version %.100q among the %s is empty or has a control character",
				name, versions[i], r.element)
		}
		all[i] = dependency{name: name, version: versions[i]}
		if flags.Len() > 0 {
			all[i].sense = senses[flags.At(i)&senseCompare]
			all[i].pre = r.name == rpmfile.RequireName && flags.At(i)&sensePre != 0
		}
	}
	return all, nil
}

// needed returns what of a package's requirements the metadata says: not what rpm itself must be able to do, what the
// package brings along, and what is there already. Of the versions of one libc that are required, the newest is enough:
// it includes the older ones. (createrepo_c does the same.)
func needed(requires, provides []dependency, l files) []dependency {
	provided := make(map[dependency]bool, len(provides))
	for _, p := range provides {
		provided[p] = true
	}
	own := map[string]bool{} // by path, of the files that are required
	for _, r := range requires {
		if strings.HasPrefix(r.name, "/") && isPrimary(r.name) {
			own[r.name] = false
		}
	}
	if len(own) > 0 {
		for p := range l.paths() {
			if _, ok := own[p]; ok {
				own[p] = true
			}
		}
	}
	seen := make(map[dependency]bool, len(requires))
	newest := map[string]int{} // of each libc, in libcs
	var kept, libcs []dependency
	for _, r := range requires {
		bare := r
		bare.pre = false
		if strings.HasPrefix(r.name, "rpmlib(") || provided[bare] || seen[r] || own[r.name] {
			continue
		}
		seen[r] = true
		width, version, ok := libcVersion(r.name)
		if !ok {
			kept = append(kept, r)
			continue
		}
		i, ok := newest[width]
		if !ok {
			newest[width] = len(libcs)
			libcs = append(libcs, r)
			continue
		}
		if _, other, _ := libcVersion(libcs[i].name); slices.Compare(version, other) > 0 {
			libcs[i] = r
		}
	}
	return append(kept, libcs...)
}

// libcVersion splits "libc.so.6(GLIBC_2.34)(64bit)" into "(64bit)" and 2, 34. The version of "libc.so.6()(64bit)" is empty.
// Other symbols than those of versions, such as GLIBC_PRIVATE, are no version.
func libcVersion(name string) (width string, version []int, ok bool) {
	rest, ok := strings.CutPrefix(name, "libc.so.6")
	if !ok || rest == "" {
		return "", nil, ok
	}
	inner, width, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
	if !ok || rest[0] != '(' {
		return "", nil, false
	}
	if inner == "" {
		return width, nil, true
	}
	digits, ok := strings.CutPrefix(inner, "GLIBC_")
	if !ok {
		return "", nil, false
	}
	for part := range strings.SplitSeq(digits, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return "", nil, false
		}
		version = append(version, n)
	}
	return width, version, true
}

// evr splits "1:2.0-3" into epoch, version and release, as createrepo_c does: the epoch is 0 if there is none.
func evr(text string) (epoch, version, release string) {
	epoch = "0"
	if before, after, ok := strings.Cut(text, ":"); ok {
		text = after
		if strings.Trim(before, "0123456789") == "" && before != "" {
			epoch = before
		}
	}
	version, release, _ = strings.Cut(text, "-")
	return epoch, version, release
}
