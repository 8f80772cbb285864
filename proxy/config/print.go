package config

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Print writes the settings as YAML, defaults included. [Load] reads the same
// settings from it, in any folder. No secret is in it: keys and passwords are
// named by their files, and a passphrase from the environment and the password of
// the database are left out. In place of S3's secretkey it has a word that Load
// refuses.
func Print(w io.Writer, c *Config) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}
