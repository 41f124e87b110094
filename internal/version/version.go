// Package version says what the running program was built from. Both programs show it, and
// so that they agree it is told here alone.
package version

import "runtime/debug"

// stamped is set by the linker, as `make build` does with what `git describe` says.
var stamped string

// String names the release, or the commit, that this program was built from.
func String() string {
	info, _ := debug.ReadBuildInfo()
	return of(stamped, info)
}

// of takes the linker's word first, then what the go command noted. info may be nil.
func of(stamped string, info *debug.BuildInfo) string {
	switch {
	case stamped != "":
		return stamped
	case info == nil:
		return "unknown"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "devel"
}
