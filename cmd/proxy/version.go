package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionText is the version with what it was built from, as far as the build knows.
func versionText() string {
	text := fmt.Sprintf("hallmark %s (%s, %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				text += ", commit " + s.Value[:12]
			}
		}
	}
	return text + ")"
}
