package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// requirements is the file that pins packages of Python (pip's requirements file, with hashes).
const requirements = "requirements.txt"

// launcher is the program of packages of Python: python3, which finds them and nothing that the user has installed.
const launcher = `#!/bin/sh
PYTHONPATH=$(dirname "$0")/lib PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 exec python3 "$@"
`

func (t Tool) isPython() bool {
	_, err := os.Stat(filepath.Join(t.Dir, requirements))
	return err == nil
}

// buildPython installs the packages to lib below the place, with their programs in lib/bin, and then the launcher, by
// which the tool counts as built. It needs python3 with pip.
func (t Tool) buildPython(ctx context.Context, place string) error {
	lib := filepath.Join(place, "lib")
	unfinished, err := os.MkdirTemp(place, "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary=:all:", "--require-hashes", "--requirement", filepath.Join(t.Dir, requirements), "--target", filepath.Join(unfinished, "lib"))
	cmd.Env = append(os.Environ(), "PIP_CONFIG_FILE="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s of %s (Debian has pip in python3-pip): %w\n%s", requirements, t.Dir, err, out)
	}
	if err := os.WriteFile(filepath.Join(unfinished, "launcher"), []byte(launcher), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(lib); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(unfinished, "lib"), lib); err != nil {
		return err
	}
	return os.Rename(filepath.Join(unfinished, "launcher"), t.Path)
}
