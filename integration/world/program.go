package world

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"hallmark/integration/tools"
)

// Tool returns the path of a pinned tool. The test fails, and says what to run, if it is not built.
func Tool(t T, name string) string {
	t.Helper()
	tool, err := tools.Find(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if !tool.Built() {
		t.Fatalf("%s is not built: run `make tools`, or `go run ./integration/tools/build %s`", name, name)
	}
	return tool.Path
}

// Installed returns the path of a program of the system, the first of these that exists. The test fails,
// and says what to install, if none does: a client that was not asked is not a client that passed.
func Installed(t T, debianPackage string, programs ...string) string {
	t.Helper()
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: run `make deps`, or `apt-get install --no-install-recommends %s`",
		strings.Join(programs, " or "), debianPackage)
	return ""
}

// A Command is a client with the settings that keep it inside its test.
type Command struct {
	Path string
	Args []string // before those of each call
	Env  []string // over the environment of the test
	Dir  string   // working directory; empty: the test's
}

// commandTime bounds one call of a client.
const commandTime = 5 * time.Minute

// Try runs the client and returns what it wrote on both outputs. The error holds that too.
func (c Command) Try(t T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path, append(append([]string{}, c.Args...), args...)...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir = c.Dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), &CommandError{Line: cmd.String(), Output: string(out), Err: err}
	}
	return string(out), nil
}

// Run runs the client, which must succeed, and returns what it wrote on both outputs.
func (c Command) Run(t T, args ...string) string {
	t.Helper()
	out, err := c.Try(t, args...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// Refuses runs the client, which must fail, and returns what it wrote. Each of why must stand in that: a
// command that fails for another reason, such as a wrong flag, has refused nothing.
func (c Command) Refuses(t T, why []string, args ...string) string {
	t.Helper()
	out, err := c.Try(t, args...)
	if err == nil {
		t.Fatalf("%s %s succeeded and should have been refused:\n%s", c.Path, strings.Join(args, " "), out)
	}
	for _, w := range why {
		if !strings.Contains(out, w) {
			t.Fatalf("refused for another reason than %q: %v", w, err)
		}
	}
	return out
}

// A CommandError is a client that ended with a status other than 0.
type CommandError struct {
	Line   string // the command line
	Output string
	Err    error
}

func (e *CommandError) Error() string { return e.Line + ": " + e.Err.Error() + "\n" + e.Output }

func (e *CommandError) Unwrap() error { return e.Err }
