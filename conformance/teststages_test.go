package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// testStages are Dockerfiles with a stage "test", in the shapes that projects have. CHECK is a step that fails in one of two builds.
var testStages = map[string]string{
	"test on the build, image from the build": "FROM @base AS build\nWORKDIR /src\nCOPY src .\nRUN ./build.sh >out\nFROM build AS test\nCOPY docs /docs\nRUN CHECK\nFROM scratch\nCOPY --from=build /src/out /\n",
	"test and build on the dependencies":      "FROM @base AS deps\nWORKDIR /app\nCOPY a.txt .\nRUN cp a.txt deps\nFROM deps AS test\nCOPY . .\nRUN CHECK\nFROM deps AS build\nCOPY . .\nRUN src/build.sh >out\nFROM @base\nCOPY --from=build /app/out /app/\n",
	"mounts and caches":                       "FROM @base AS base\nWORKDIR /app\nFROM base AS prod\nRUN --mount=type=bind,source=a.txt,target=a.txt --mount=type=cache,target=/c cat a.txt >/c/a\nUSER 1000\nCOPY . .\nCMD [\"x\"]\nFROM base AS test\nRUN --mount=type=bind,source=b.txt,target=b.txt --mount=type=cache,target=/c cat b.txt >/c/b\nUSER 1000\nCOPY . .\nRUN CHECK\nFROM prod\n",
	"tools on top of the base":                "FROM @base AS base\nCOPY src /src\nFROM base AS test\nRUN mkdir /tools && CHECK\nFROM base AS final\n",
	"the report of a test":                    "FROM @base AS build\nCOPY . /src\nRUN ls /src >/list\nFROM build AS run-test\nRUN CHECK && echo passed >/report\nFROM scratch AS test\nCOPY --from=run-test /report /\nFROM scratch\nCOPY --from=build /list /\n",
	"the image is built on the test":          "FROM @base AS build\nCOPY src /src\nFROM build AS test\nRUN CHECK && echo tested >/tested\nFROM scratch\nCOPY --from=test /tested /\nCOPY a.txt /\n",
	"a test with files that nothing reads":    "FROM @base AS test\nCOPY src/*.c docs /x/\nRUN CHECK\nFROM scratch\nCOPY a.txt /\n",
	"a test on another base":                  "FROM @tools AS test\nCOPY a.txt /\nRUN CHECK\nFROM @base\nCOPY a.txt b.txt /x/\n",
}

// A push with a test is plain's build of that stage, and then of the image.
func TestTestStages(t *testing.T) {
	w := theEnv(t)
	n := 0
	for name, dockerfile := range testStages {
		n++
		image := fmt.Sprint("tested-", n)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for check, command := range map[string]string{"passes": "true", "fails": "false"} {
				c := example{dockerfile: strings.ReplaceAll(dockerfile, "CHECK", command), options: options{test: "test"}}
				for _, diff := range w.tryTested(t.Context(), image+"-"+check, c) {
					t.Errorf("a test that %s: %s", check, diff)
				}
			}
		})
	}
}

func (e *env) tryTested(ctx context.Context, name string, c example) []string {
	r, err := e.newRepository(ctx, name)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	if err := r.commit(ctx, "v1", e.tree(c)); err != nil {
		return []string{err.Error()}
	}
	test, err := r.build(ctx, "v1", options{target: "test"})
	if err != nil {
		return []string{err.Error()}
	}
	ours, plain, err := r.both(ctx, "v1", c.options)
	if err != nil {
		return []string{err.Error()}
	}
	if test.image != nil {
		return differences(ours, plain)
	}
	if ours.image != nil || ours.outcome != "user_error" || !strings.Contains(ours.said, "exit code 1") {
		return []string{fmt.Sprintf("plain refuses the test, ours ends as %s: %s", ours.outcome, lastLines(ours.said, 8))}
	}
	return nil
}
