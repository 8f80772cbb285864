package config

import (
	"regexp"
	"strings"
)

func (k *checker) checkAuth() {
	if k.Auth == nil {
		return
	}
	if k.Auth.Htpasswd == "" {
		k.fault("auth/htpasswd", "is missing: name a file of users, made by htpasswd -B -c htpasswd NAME, or remove auth")
	}
	if len(k.Auth.Rules) == 0 {
		k.fault("auth/rules", "is empty, so that nobody may do anything: add a rule, or remove rules, which allows every user everything")
	}
	for i, rule := range k.Auth.Rules {
		k.checkRule(place("auth/rules").item(i), rule)
	}
}

// checkRule checks one rule, each list of which must say something.
func (k *checker) checkRule(at place, rule Rule) {
	if len(rule.Users) == 0 {
		k.fault(at, "names no users: add users: with names, or [\"*\"] for every user of the htpasswd file")
	}
	for i, user := range rule.Users {
		if user == "" || strings.ContainsAny(user, ": \t\r\n") {
			k.fault(at.key("users").item(i), "is %q, which is no user's name: write a name of the htpasswd file, \"*\" or anonymous", user)
		}
	}
	if len(rule.Repositories) == 0 {
		k.fault(at, "names no repositories: add repositories: with names, or [\"*\"] for all")
	}
	for i, pattern := range rule.Repositories {
		k.checkRulePattern(at.key("repositories").item(i), pattern)
	}
	if len(rule.Allow) == 0 {
		k.fault(at, "allows nothing: add allow: with read, push or delete")
	}
	for i, right := range rule.Allow {
		k.oneOf(at.key("allow").item(i), right, RightRead, RightPush, RightDelete)
	}
}

// checkRulePattern checks one pattern of a rule's repositories. One that can
// never apply is refused, since somebody relies on it.
func (k *checker) checkRulePattern(at place, pattern string) {
	repoPattern, imagePattern, part := strings.Cut(pattern, ":")
	if ok, _ := regexp.MatchString(`^[a-z0-9._*-]+$`, repoPattern); !ok {
		k.fault(at, "is %q, which matches no repository: write a repository's name, perhaps with *, or <repository>:<image name>, such as images:team/*", pattern)
		return
	}
	if fault := imagePatternFault(imagePattern); part && fault != "" {
		k.fault(at, "is %q, which after the colon %s", pattern, fault)
	}
	matches := false
	for name := range k.Repositories {
		matches = matches || Match(repoPattern, name)
	}
	if !matches {
		k.fault(at, "is %q, which matches no repository%s", pattern, meant(repoPattern, k.repositoryNames()))
	}
	if k.Repositories[repoPattern].Auth == AuthUpstream {
		k.fault(at, "is %q, whose upstream decides who may do what: remove it here", pattern)
	}
}
