package config

import (
	"slices"
	"strings"
)

// Match reports whether a pattern matches a whole name. A * in the pattern
// stands for any run of characters, also none, slashes included; every other
// character stands for itself.
func Match(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, head)
	if !ok {
		return false
	}
	for {
		part, after, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
		if !ok {
			return false
		}
		rest = after
	}
}

// RepositoryFor returns the name of the repository to which an image's name
// under /v2/ belongs, and false if it belongs to none. Where several patterns
// match, a pattern without * wins; then the one with the longest text before
// its first *; then the longest pattern; then the first in the alphabet. No two
// repositories have the same pattern, so that there is always one winner.
func (c *Config) RepositoryFor(image string) (repository string, ok bool) {
	var best string
	for name, repo := range c.Repositories {
		for _, pattern := range repo.Images {
			if Match(pattern, image) && (!ok || moreSpecific(pattern, best)) {
				repository, best, ok = name, pattern, true
			}
		}
	}
	return repository, ok
}

// moreSpecific reports whether pattern a wins over b where both match.
func moreSpecific(a, b string) bool {
	headA, _, starA := strings.Cut(a, "*")
	headB, _, starB := strings.Cut(b, "*")
	switch {
	case starA != starB:
		return starB
	case len(headA) != len(headB):
		return len(headA) > len(headB)
	case len(a) != len(b):
		return len(a) > len(b)
	default:
		return a < b
	}
}

// Allows reports whether the rules together allow user a right (RightRead,
// RightPush or RightDelete) on an image of a repository. The empty user is
// whoever sends no credentials; any other has been authenticated against the
// htpasswd file before.
func (a *Auth) Allows(user, right, repository, image string) bool {
	for _, rule := range a.Rules {
		if rule.includes(user) && rule.covers(repository, image) && slices.Contains(rule.Allow, right) {
			return true
		}
	}
	return false
}

// includes reports whether the rule is about user.
func (r Rule) includes(user string) bool {
	if slices.Contains(r.Users, Anonymous) {
		return true
	}
	return user != "" && (slices.Contains(r.Users, Everyone) || slices.Contains(r.Users, user))
}

// covers reports whether the rule is about an image of a repository.
func (r Rule) covers(repository, image string) bool {
	for _, pattern := range r.Repositories {
		repoPattern, imagePattern, part := strings.Cut(pattern, ":")
		if Match(repoPattern, repository) && (!part || Match(imagePattern, image)) {
			return true
		}
	}
	return false
}
