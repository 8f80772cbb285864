package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

// isScalar reports whether a setting of type t is a single plain value.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int64:
		return true
	default:
		return false
	}
}

// setScalar reads text into a setting for which isScalar holds. It is the same
// for YAML, the environment and flags. Its error is a sentence that names the
// fault and the way out.
func setScalar(v reflect.Value, text string) error {
	if !utf8.ValidString(text) {
		return errors.New("is not UTF-8: write it in UTF-8")
	}
	switch target := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration: write a number with a unit, such as 30s or 2m", text)
		}
		*target = d
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false: write one of these", text)
		}
		*target = text == "true"
	default:
		v.SetString(text)
	}
	return nil
}

// wanted says what a setting of type t must be.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Size]():
		return "a size such as 10GiB"
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s"
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Struct, reflect.Map:
		return "a mapping (key: value)"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	default:
		return "text"
	}
}
