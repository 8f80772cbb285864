package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A place names a setting by the keys that lead to it. The empty place is the
// whole configuration.
type place string

// key returns the place of a key below p. No valid key has a slash in it.
func (p place) key(name string) place {
	if p == "" {
		return place(name)
	}
	return p + "/" + place(name)
}

// item returns the place of an element of the list at p, counted from 0.
func (p place) item(i int) place {
	return p + place("/["+strconv.Itoa(i)+"]")
}

// above returns the place that holds p.
func (p place) above() place {
	return p[:max(0, strings.LastIndexByte(string(p), '/'))]
}

// String returns the place as a person writes it: auth.rules[0].users.
func (p place) String() string {
	if p == "" {
		return "the configuration"
	}
	return strings.NewReplacer("/[", "[", "/", ".").Replace(string(p))
}

// origins says where each setting came from: file:line:column, the name of an
// environment variable, or a flag. Settings that kept their default are not in
// it.
type origins map[place]string

// of returns the origin of the setting at p, or of the nearest one around it.
func (o origins) of(p place) string {
	for {
		if origin, ok := o[p]; ok || p == "" {
			return origin
		}
		p = p.above()
	}
}

// problems collects what is wrong with a configuration, so that a person sees
// all of it at once.
type problems struct {
	found []error
}

// add notes a problem. origin may be empty.
func (p *problems) add(origin, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if origin != "" {
		err = fmt.Errorf("%s: %w", origin, err)
	}
	p.found = append(p.found, err)
}

// err returns all problems as one error, a line for each, or nil.
func (p *problems) err() error { return errors.Join(p.found...) }

// A setting is a field of a struct of settings, with its name in YAML.
type setting struct {
	name  string
	value reflect.Value
}

// settings returns the settings of a struct in the order of its fields.
func settings(v reflect.Value) []setting {
	var all []setting
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "-" {
			all = append(all, setting{name, v.Field(i)})
		}
	}
	return all
}

// fresh returns a pointer to a new value of a type, with the defaults that the
// type presets.
func fresh(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if p, ok := v.Interface().(interface{ preset() }); ok {
		p.preset()
	}
	return v
}
