package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The files that pin a program of npm. A launcher starts one that is no program of its own, such as one for mono.
const (
	npmManifest = "package.json"
	npmLock     = "package-lock.json"
	npmLauncher = "launcher"
)

// fromNPM tells whether npm installs the program of a folder.
func fromNPM(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, npmLock))
	return err == nil
}

// npmFiles returns the pins of a folder, and the path of the program in its place.
func npmFiles(dir string) (pins []string, program string) {
	pins = []string{npmManifest, npmLock}
	if _, err := os.Stat(filepath.Join(dir, npmLauncher)); err == nil {
		return append(pins, npmLauncher), npmLauncher
	}
	return pins, filepath.Join("node_modules", ".bin", filepath.Base(dir))
}

// buildNPM installs a program of npm into the cache, with all that it needs and without running anything of it.
func (t Tool) buildNPM(ctx context.Context) error {
	pins, program := npmFiles(t.Dir)
	place := strings.TrimSuffix(t.Path, string(filepath.Separator)+program)
	unfinished := place + ".unfinished-" + strconv.Itoa(os.Getpid())
	defer os.RemoveAll(unfinished)
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	for _, name := range pins {
		data, err := os.ReadFile(filepath.Join(t.Dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(unfinished, name), data, 0o755); err != nil {
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
