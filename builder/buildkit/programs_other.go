//go:build !amd64 && !arm64

package buildkit

// testPrograms are not there: what BuildKit does not tell of is not looked for.
var testPrograms map[string]string
