package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// npmPins are the files that pin a program of npm.
var npmPins = []string{"package.json", "package-lock.json"}

// fromNPM tells whether npm installs the program of a folder.
func fromNPM(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, npmPins[1]))
	return err == nil
}

// buildNPM installs a program of npm into the cache, with all that it needs and without running anything of it.
func (t Tool) buildNPM(ctx context.Context) error {
	place := filepath.Dir(filepath.Dir(filepath.Dir(t.Path))) // above node_modules/.bin
	unfinished := place + ".unfinished-" + strconv.Itoa(os.Getpid())
	defer os.RemoveAll(unfinished)
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	for _, name := range npmPins {
		data, err := os.ReadFile(filepath.Join(t.Dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(unfinished, name), data, 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
	cmd.Dir = unfinished
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s by npm ci in %s: %w\n%s", t.Name, t.Dir, err, out)
	}
	if err := os.Rename(unfinished, place); err != nil && !t.Built() { // somebody else may have been quicker
		return errors.Join(os.RemoveAll(place), os.Rename(unfinished, place))
	}
	return nil
}
