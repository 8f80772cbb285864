package config

import "testing"

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, text string
		want                bool
	}{
		{"a pattern without star matches itself", "team/app", "team/app", true},
		{"a pattern without star matches nothing longer", "team/app", "team/apps", false},
		{"a star alone matches everything", "*", "team/app", true},
		{"a star matches nothing too", "team/*", "team/", true},
		{"a star matches slashes", "team/*", "team/a/b", true},
		{"what stands before a star must be there", "team/*", "other/app", false},
		{"a slash before a star is not optional", "team/*", "team", false},
		{"what stands after a star must end the name", "*/app", "team/app", true},
		{"what stands after a star must end the name, not only be in it", "*/app", "team/app/x", false},
		{"what stands between stars must be there", "a*b*c", "a-b-c", true},
		{"what stands between stars must come in order", "a*b*c", "a-c-b", false},
		{"head and tail do not overlap", "aba*ba", "aba", false},
		{"the tail may occur before the end as well", "a*b", "abab", true},
		{"a dot is a dot", "a.c", "abc", false},
		{"a question mark is a question mark", "a?c", "abc", false},
		{"no pattern matches no name", "", "", true},
		{"no pattern matches nothing else", "", "a", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Match(tt.pattern, tt.text); got != tt.want {
				t.Errorf("Match(%q, %q) = %v, want %v", tt.pattern, tt.text, got, tt.want)
			}
		})
	}
}

func TestRepositoryFor(t *testing.T) {
	c := mustParse(t, `
repositories:
  all: {format: oci, images: ["*"]}
  team: {format: oci, images: ["team/*"]}
  app: {format: oci, images: [team/app]}
  apps: {format: oci, images: ["team/app*"]}
  tests: {format: oci, images: ["team/*-test"]}
  x: {format: oci, images: ["same/*a"]}
  y: {format: oci, images: ["same/*b*"]}
`)
	for _, tt := range []struct{ name, image, want string }{
		{"the pattern for everything gets what nobody else wants", "other/app", "all"},
		{"a longer text before the star wins", "team/tool", "team"},
		{"a name without star wins over a pattern of the same length", "team/app", "app"},
		{"the longest text before the star wins", "team/app2", "apps"},
		{"where these are equally long the longer pattern wins", "team/tool-test", "tests"},
		{"the text before the star counts before the rest", "team/app-test", "apps"},
		{"of three that match the most specific wins", "same/ba", "y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := c.RepositoryFor(tt.image); !ok || got != tt.want {
				t.Errorf("%s belongs to %q, %v; want %s", tt.image, got, ok, tt.want)
			}
		})
	}
	t.Run("a name that no pattern matches belongs nowhere", func(t *testing.T) {
		c := mustParse(t, "repositories: {team: {format: oci}}")
		if got, ok := c.RepositoryFor("other/app"); ok {
			t.Errorf("it belongs to %q", got)
		}
	})
}

func TestMoreSpecificIsAnOrder(t *testing.T) {
	patterns := []string{"team/app", "team/app*", "team/a*b", "team/a*", "team/*y", "team/*z", "t*", "*"}
	for i, a := range patterns {
		for j, b := range patterns {
			if got := moreSpecific(a, b); got != (i < j) {
				t.Errorf("moreSpecific(%s, %s) = %v", a, b, got)
			}
		}
	}
}

func TestAllows(t *testing.T) {
	rules := &Auth{Rules: []Rule{
		{Users: []string{Anonymous}, Repositories: []string{"public"}, Allow: []string{RightRead}},
		{Users: []string{Everyone}, Repositories: []string{"images"}, Allow: []string{RightRead}},
		{Users: []string{"ci"}, Repositories: []string{"images:team/*"}, Allow: []string{RightPush}},
		{Users: []string{"ci", "admin"}, Repositories: []string{"im*"}, Allow: []string{RightDelete}},
	}}
	for _, tt := range []struct {
		name                           string
		user, right, repository, image string
		want                           bool
	}{
		{"what anonymous may read, whoever sends no credentials reads", "", "read", "public", "a", true},
		{"what anonymous may read, a user reads too", "ci", "read", "public", "a", true},
		{"every user is not anonymous", "", "read", "images", "a", false},
		{"every user is any user", "somebody", "read", "images", "a", true},
		{"a rule for a user holds for the user", "ci", "push", "images", "team/app", true},
		{"a rule for a user holds for no other", "admin", "push", "images", "team/app", false},
		{"a rule for a part of a repository holds there alone", "ci", "push", "images", "other/app", false},
		{"a rule for a part holds in that repository alone", "ci", "push", "public", "team/app", false},
		{"a rule allows what it says alone", "ci", "delete", "public", "a", false},
		{"rules add up", "ci", "delete", "images", "team/app", true},
		{"push does not include read", "ci", "push", "public", "a", false},
		{"the second user of a rule counts too", "admin", "delete", "images", "a", true},
		{"a star is in no user's name", "*", "push", "images", "team/app", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rules.Allows(tt.user, tt.right, tt.repository, tt.image); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("no rules allow nothing", func(t *testing.T) {
		if (&Auth{}).Allows("ci", RightRead, "images", "a") {
			t.Error("allowed")
		}
	})
}
