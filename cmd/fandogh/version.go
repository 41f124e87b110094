package main

import (
	"runtime"
	"runtime/debug"
)

// release is set by the linker for released programs.
var release string

// version names this program's release, or the commit it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "devel"
}

func userAgent() string {
	return "fandogh/" + version() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}
