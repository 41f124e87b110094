package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// shapes are Dockerfiles of ours in the shape of official images'.
const shapes = "testdata/shapes"

// TestAcceptance takes Dockerfiles, replaces the images that they name by one without
// a shell, and asks both sides whether they begin to build: what BuildKit's frontend
// takes must be taken. CONFORMANCE_DOCKERFILES names a directory with more of them.
func TestAcceptance(t *testing.T) {
	w := theEnv(t)
	t.Cleanup(func() {
		fmt.Printf("acceptance: %d taken by both, %d refused by both\n", w.taken.Load(), w.refused.Load())
	})
	for i, path := range dockerfiles(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			report(t, "acceptance", path, func() []string { return w.accepts(t.Context(), fmt.Sprintf("acceptance-%d", i), path) })
		})
	}
}

func dockerfiles(t *testing.T) (list []string) {
	dirs := []string{shapes}
	if more := os.Getenv("CONFORMANCE_DOCKERFILES"); more != "" {
		dirs = append(dirs, more)
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func (e *env) accepts(ctx context.Context, repository, path string) []string {
	dockerfile, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	dockerfile = withImage(dockerfile, e.reference("hollow", "1"))
	r, err := e.newRepository(ctx, repository)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	if err := r.commit(ctx, "v1", files{"Dockerfile": text(string(dockerfile))}); err != nil {
		return []string{err.Error()}
	}
	refusal, err := r.lint(ctx, "v1")
	if err != nil {
		return []string{err.Error()}
	}
	ours, err := r.push(ctx, "v1", options{})
	if err != nil {
		return []string{err.Error()}
	}
	switch began := ours.image != nil || begins(ours.steps); {
	case refusal == "" && !began:
		return []string{fmt.Sprintf("refused (%s), plain takes it: %s", ours.outcome, lastLines(ours.said, 6))}
	case refusal != "" && began:
		return []string{"taken, plain refuses it: " + lastLines(refusal, 6)}
	case began:
		e.taken.Add(1)
	default:
		e.refused.Add(1)
	}
	return nil
}

// begins reports whether a step of the Dockerfile's came to be.
func begins(steps []step) bool {
	for _, s := range steps {
		if strings.HasPrefix(s.name, "[") && !strings.HasPrefix(s.name, "[internal]") && !strings.HasPrefix(s.name, "[auth]") {
			return true
		}
	}
	return false
}

// lint has the plain frontend interpret the Dockerfile without building, and
// returns its refusal.
func (r *repository) lint(ctx context.Context, tag string) (string, error) {
	tree, err := r.checkout(ctx, tag)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, r.env.tool("buildctl"), "--addr", r.env.plain.Address, "build", "--progress=plain", "--frontend=dockerfile.v0",
		"--local=context="+tree, "--local=dockerfile="+tree, "--opt=requestid=frontend.outline", "--opt=cmdline=docker/dockerfile")
	cmd.Env = append(os.Environ(), r.env.plainEnv...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return string(out), nil //nolint:nilerr // the refusal is the result
	}
	return "", nil
}

var (
	fromFlag  = regexp.MustCompile(`--from=(\S+)`)
	mountFrom = regexp.MustCompile(`(--mount=\S*\bfrom=)([^,\s]+)`)
)

// withImage puts image in place of the images that a Dockerfile takes.
func withImage(dockerfile []byte, image string) []byte {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return dockerfile
	}
	lines := strings.Split(string(dockerfile), "\n")
	stages := map[string]bool{"scratch": true}
	ours := func(name string) string {
		name = strings.Trim(name, `"'`)
		if _, err := strconv.Atoi(name); err == nil || stages[strings.ToLower(name)] {
			return name
		}
		return image
	}
	for _, node := range parsed.AST.Children {
		first, last := node.StartLine-1, node.EndLine-1
		switch command := strings.ToLower(node.Value); command {
		case "from":
			words := []string{"FROM"}
			words = append(words, node.Flags...)
			for i, n := 0, node.Next; n != nil; i, n = i+1, n.Next {
				if word := n.Value; i == 0 {
					words = append(words, ours(word))
				} else {
					words = append(words, word)
				}
				if i == 2 {
					stages[strings.ToLower(n.Value)] = true
				}
			}
			for i := first; i <= last; i++ {
				lines[i] = ""
			}
			lines[first] = strings.Join(words, " ")
		case "copy", "run", "onbuild":
			for i := first; i <= last; i++ {
				lines[i] = fromFlag.ReplaceAllStringFunc(lines[i], func(s string) string { return "--from=" + ours(strings.TrimPrefix(s, "--from=")) })
				lines[i] = mountFrom.ReplaceAllStringFunc(lines[i], func(s string) string {
					m := mountFrom.FindStringSubmatch(s)
					return m[1] + ours(m[2])
				})
			}
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
