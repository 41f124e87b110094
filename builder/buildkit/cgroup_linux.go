package buildkit

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// removeCgroups removes the empty control groups below a parent: in the one
// hierarchy of cgroup v2, or in each of v1. What is not empty stays.
func removeCgroups(parent string) {
	var roots []string
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, err := filepath.Glob(filepath.Join(pattern, parent))
		if err == nil {
			roots = append(roots, found...)
		}
	}
	for _, root := range roots {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs) // children before their parents
		for _, dir := range dirs {
			_ = os.Remove(dir)
		}
	}
}
