//go:build linux

package buildkitd

import "testing"

// Failed builds, and files that a frontend looks for in vain, are no operator's matter.
func TestLinesOfBuildkitdThatAreWarnings(t *testing.T) {
	for line, want := range map[string]bool{
		`level=error msg="/moby.buildkit.v1.frontend.LLBBridge/StatFile returned error: rpc error: code = Unknown desc = lstat Dockerfile.dockerignore: no such file or directory"`: false,
		`level=error msg="/moby.buildkit.v1.Control/Solve returned error: rpc error: code = Unknown desc = exit code: 1"`:                                                           false,
		`level=error msg="failed to open database"`:         true,
		`level=fatal msg="can't listen"`:                    true,
		`level=warning msg="using host network as default"`: false,
	} {
		if got := worthWarning(line); got != want {
			t.Errorf("got %v for %s", got, line)
		}
	}
}
