package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// circumstances says on what a table was measured.
func circumstances(dir string, args []string) string {
	command := strings.Join(append([]string{"go run ./integration/bench"}, args...), " ")
	return sentence(
		fmt.Sprintf("%d × %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name", runtime.GOARCH)),
		"memory "+field("/proc/meminfo", "MemTotal", "?"),
		runtime.Version(),
		"disk "+disk(dir),
		time.Now().UTC().Format("2006-01-02 15:04 MST"),
		"`"+command+"`",
	)
}

// field returns the first value of that name in a file of lines name:value.
func field(file, name, otherwise string) string {
	f, err := os.Open(file)
	if err != nil {
		return otherwise
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return otherwise
}

// disk returns the file system that dir is on and the device below it. See proc(5), mountinfo.
func disk(dir string) string {
	dir, _ = filepath.EvalSymlinks(dir)
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "?"
	}
	found, longest := "?", -1
	for line := range strings.Lines(string(data)) {
		mount, device, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(mount), strings.Fields(device)
		if !ok || len(where) < 5 || len(what) < 2 {
			continue
		}
		at := strings.TrimSuffix(where[4], "/") + "/"
		if strings.HasPrefix(dir+"/", at) && len(at) >= longest {
			longest, found = len(at), what[0]+" on "+what[1]
		}
	}
	return found
}
