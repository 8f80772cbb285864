package config

import (
	"reflect"
	"strings"
)

// passphraseVariable is the one variable that has no key in YAML.
const passphraseVariable = "HALLMARK_KEY_PASSPHRASE"

// variable returns the environment variable of the setting at p:
// HALLMARK_LIMITS_UPLOAD for limits.upload.
func variable(p place) string {
	return "HALLMARK_" + strings.ToUpper(strings.ReplaceAll(string(p), "/", "_"))
}

// An environment lays environment variables over settings.
type environment struct {
	getenv  func(string) string
	origins origins
	problems
}

// overlay lays the environment over c and notes in from which settings it gave.
// Every plain value that is reached through structs alone has a variable; lists
// and maps have none. An empty variable is one that is not there.
func overlay(getenv func(string) string, c *Config, from origins) error {
	e := &environment{getenv: getenv, origins: from}
	e.fields("", reflect.ValueOf(c).Elem())
	c.KeyPassphrase = Secret(getenv(passphraseVariable))
	return e.err()
}

// fields lays the variables over the struct at p and reports whether there were
// any.
func (e *environment) fields(p place, v reflect.Value) bool {
	found := false
	for _, s := range settings(v) {
		if e.setting(p.key(s.name), s.value) {
			found = true
		}
	}
	return found
}

// setting lays the variables over the setting at p. A section that the file
// leaves out begins to exist when one of its variables does.
func (e *environment) setting(p place, v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.Struct:
		return e.fields(p, v)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return e.fields(p, v.Elem())
	case v.Kind() == reflect.Pointer:
		section := fresh(v.Type().Elem())
		if !e.fields(p, section.Elem()) {
			return false
		}
		v.Set(section)
		return true
	case isScalar(v.Type()):
		return e.scalar(p, v)
	default:
		return false
	}
}

// scalar lays the variable of the setting at p over it, if there is one.
func (e *environment) scalar(p place, v reflect.Value) bool {
	name := variable(p)
	text := e.getenv(name)
	if text == "" {
		return false
	}
	e.origins[p] = name
	if err := setScalar(v, text); err != nil {
		e.add(name, "%w", err)
	}
	return true
}
