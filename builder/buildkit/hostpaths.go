package buildkit

import (
	"regexp"
	"strings"
)

// hostPath is where BuildKit keeps on its machine what is a root directory or a mount
// to the step; what follows is the path that the user knows.
var hostPath = regexp.MustCompile(`[^\s"'=:]*/(?:runc-[\w.-]+/(?:snapshots/snapshots/\d+/fs|cachemounts/buildkit\d+|executor/\w+/rootfs)|buildkit-mount\d+|containerd-mount\d+)(/?)`)

// hostFile is any other file of BuildKit's own.
var hostFile = regexp.MustCompile(`[^\s"'=:]*/(?:runc-[\w.-]+/[^\s"':]*|cache\.db)`)

func withoutHostPaths(text string) string {
	if !strings.Contains(text, "/runc-") && !strings.Contains(text, "-mount") && !strings.Contains(text, "/cache.db") {
		return text // nearly all
	}
	return hostFile.ReplaceAllString(hostPath.ReplaceAllString(text, "/"), "(a file of the builder)")
}
