package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// maxFile is the largest configuration file that is read.
const maxFile = 1 << 20

// Overrides are the settings that flags give. An empty one overrides nothing.
type Overrides struct {
	Listen string // --listen
	Data   string // --data
}

// Load returns the settings: flags over HALLMARK_* environment variables over
// the YAML file at path over defaults. An empty path means no file; a file that
// is not there is an error that wraps fs.ErrNotExist.
//
// Every plain value has a variable, named after its keys: HALLMARK_LISTEN,
// HALLMARK_LIMITS_UPLOAD, HALLMARK_AUTH_HTPASSWD and so on; getenv is asked for
// each, and an empty one counts as absent. Variables of other names are ignored.
//
// Names of files (passphrase_file, tls, htpasswd, file: keys) are made absolute:
// those in the YAML file are relative to its folder, those in the environment to
// the working directory. Data and the storage driver's folder are left relative
// to the working directory. Load opens no file but the one at path.
//
// Where several settings are wrong, the error has a line for each. A line begins
// with file:line:column, with the name of the variable, or with the flag, and
// names the fault and the way out.
//
// formats are the kinds of package repositories that there may be.
func Load(path string, getenv func(string) string, flags Overrides, formats ...PackageFormat) (*Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = readFile(path); err != nil {
			return nil, err
		}
	}
	return load(path, text, getenv, flags, formats...)
}

// load is Load after the file was read.
func load(path string, text []byte, getenv func(string) string, flags Overrides, formats ...PackageFormat) (*Config, error) {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	workingDir, err := filepath.Abs(".")
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, from := unfinished(), origins{}
	if err := decode(path, text, c, from, formats); err != nil {
		return nil, err
	}
	c.resolve(folder)
	if err := overlay(getenv, c, from); err != nil {
		return nil, err
	}
	c.resolve(workingDir)
	if err := c.override(flags, from); err != nil {
		return nil, err
	}
	c.complete(formats)
	if err := check(c, from, formats); err != nil {
		return nil, err
	}
	return c, nil
}

// readFile returns the content of the file at path, unless it is too large.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: larger than %v: is this a configuration file?", path, Size(maxFile))
	}
	return text, nil
}

// override lays flags over c.
func (c *Config) override(flags Overrides, from origins) error {
	var errs []error
	for _, flag := range []struct {
		name, text string
		setting    *string
	}{
		{"listen", flags.Listen, &c.Listen},
		{"data", flags.Data, &c.Data},
	} {
		if flag.text == "" {
			continue
		}
		from[place(flag.name)] = "--" + flag.name
		if err := setScalar(reflect.ValueOf(flag.setting).Elem(), flag.text); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag.name, err))
		}
	}
	return errors.Join(errs...)
}

// keyFilePrefix stands before the name of the file of a key.
const keyFilePrefix = "file:"

// resolve makes the relative names of files relative to folder.
func (c *Config) resolve(folder string) {
	absolute := func(name *string) {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(folder, *name)
		}
	}
	absolute(&c.PassphraseFile)
	if c.TLS != nil {
		absolute(&c.TLS.Cert)
		absolute(&c.TLS.Key)
	}
	if c.Auth != nil {
		absolute(&c.Auth.Htpasswd)
	}
	for _, repo := range c.Repositories {
		if repo.Upstream != nil {
			absolute(&repo.Upstream.PasswordFile)
			absolute(&repo.Upstream.Key)
			absolute(&repo.Upstream.PackageKey)
		}
	}
	for _, ring := range c.Keys {
		for i := range ring {
			if name, ok := strings.CutPrefix(ring[i].Key, keyFilePrefix); ok {
				absolute(&name)
				ring[i].Key = keyFilePrefix + name
			}
		}
	}
}
