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
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

func userAgent() string {
	return "fandogh/" + version() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}
