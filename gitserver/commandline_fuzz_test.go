package gitserver

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/shlex"
)

// FuzzCommandLine holds that a path comes out of the shell's quotes that git puts it in as it went in.
func FuzzCommandLine(f *testing.F) {
	for _, path := range []string{"/ali/shop.git", "a'b", "a!b", `\`, "a b", "#", "a\nb", ""} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !utf8.ValidString(path) {
			return
		}
		quoted := "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
		args, err := shlex.Split("git-receive-pack " + quoted)
		if err != nil || !slices.Equal(args, []string{"git-receive-pack", path}) {
			t.Errorf("%s is taken apart as %q, %v", quoted, args, err)
		}
	})
}
