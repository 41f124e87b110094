//go:build linux

package buildkit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestDockerfileExpansion(t *testing.T) {
	const from = "FROM scratch\n"
	bomb := from + "ENV A=aaaaaaaa\n" + strings.Repeat("ENV A=$A$A\n", 40)
	large := strings.Repeat("x", 60_000)
	tests := []struct {
		name, text string
		args       map[string]string
		wantLine   int // 0: taken
	}{
		{"plain", from + "RUN echo $HOME ${PATH:-/bin}\n", nil, 0},
		{"grows by a little", from + strings.Repeat("ENV PATH=$PATH:/opt/bin\nRUN make\n", 200), nil, 0},
		{"doubles", bomb, nil, 25},
		{"doubles arguments", strings.ReplaceAll(bomb, "ENV", "ARG"), nil, 25},
		{"doubles in braces", strings.ReplaceAll(bomb, "$A$A", "${A}${A:-$A}"), nil, 17},
		{"doubles on build", strings.ReplaceAll(bomb, "ENV", "ONBUILD ENV"), nil, 24},
		{"two by turns", from + "ENV A=aaaaaaaa\n" + strings.Repeat("ENV B=$A$A\nENV A=$B$B\n", 20), nil, 25},
		{"replaces each byte", from + "ENV A=" + large + "\nENV B=${A//x/$A}\n", nil, 3},
		{"replaces in replacements", from + "ENV A=" + strings.Repeat("${A/x/", 20) + strings.Repeat("}", 20) + "\n", nil, 2},
		{"many uses", from + "ENV A=" + large + "\n" + strings.Repeat("LABEL x=$A$A$A$A$A$A$A$A$A$A\n", 1000), nil, 224},
		{"many steps with much", from + "ENV A=" + large + "\nENV B=$A$A$A$A$A$A$A$A$A$A\n" + strings.Repeat("RUN true\n", 1000), nil, 186},
		{"heredoc", from + "ENV A=" + large + "\nCOPY <<EOF /x\n" + strings.Repeat("$A$A$A$A$A$A$A$A$A$A\n", 1000) + "EOF\n", nil, 3},
		{"argument of the push", from + "ARG A\n" + strings.Repeat("LABEL x=$A$A$A$A$A$A$A$A\n", 600), map[string]string{"A": large}, 280},
		{"no Dockerfile at all", "FROM\nNONSENSE $A\n", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := checkDockerfile(newTree(map[string]string{"Dockerfile": test.text}), "Dockerfile", catalog.BuildOptions{Args: test.args})
			if test.wantLine == 0 && err == nil {
				return
			}
			var refused *builder.SolveError
			if !errors.As(err, &refused) || refused.Outcome != catalog.OutcomeUserError || !strings.HasPrefix(refused.Message, fmt.Sprintf("Dockerfile:%d: ", test.wantLine)) {
				t.Errorf("got %v, want it refused in line %d", err, test.wantLine)
			}
		})
	}
}

func TestLargeDockerfile(t *testing.T) {
	err := checkDockerfile(newTree(map[string]string{"Dockerfile": strings.Repeat("# comment\n", maxDockerfile/10+1)}), "Dockerfile", catalog.BuildOptions{})
	if err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("got %v", err)
	}
}

// What a base image brings is filled in, too.
func TestBaseImageBringsTooMuch(t *testing.T) {
	for what, lines := range map[string]string{
		"variables": "ENV A=" + strings.Repeat("x", 60_000) + "\nENV B=$A$A\n",
		"triggers":  "ENV A=" + strings.Repeat("x", 1000) + "\n" + strings.Repeat("ONBUILD ENV A=$A$A\n", 8),
	} {
		t.Run(what, func(t *testing.T) {
			base := request("ann", "brings-"+what, "1.0", newTree(map[string]string{"Dockerfile": busyboxImage + lines}).withBusybox())
			solve(t, base)
			over := request("ann", "brings-over-"+what, "1.0", newTree(map[string]string{"Dockerfile": "FROM " + base.Destination + "\nRUN true\n"}))
			_, err := shared.solver.Solve(t.Context(), over, (&recorder{}).event)
			var refused *builder.SolveError
			if !errors.As(err, &refused) || refused.Outcome != catalog.OutcomeUserError || !strings.Contains(refused.Message, "brings too much") {
				t.Errorf("got %v", err)
			}
		})
	}
}
