package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// options are those of a build that both sides have.
type options struct {
	args       map[string]string
	target     string
	test       string // ours alone: plain builds it by itself
	platform   string
	dockerfile string // path in the repository
	context    string // directory in the repository
	noCache    bool
	named      bool // plain is told that it is the frontend that `# syntax=` names
}

// result is what one side made of a commit.
type result struct {
	image   *image // nil: it was refused
	said    string // everything that was printed
	outcome string // ours alone, as the catalog has it
	steps   []step
}

type step struct {
	name string
	ran  bool // neither taken from the cache nor passed over
}

// push builds on our side, by a stock git.
func (r *repository) push(ctx context.Context, tag string, o options) (result, error) {
	cmd := exec.CommandContext(ctx, "git", slices.Concat([]string{"push"}, o.pushOptions(), []string{"ssh://git@" + r.env.daemon.SSH + "/" + user + "/" + r.name, tag})...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env.gitEnv...)
	said, err := cmd.CombinedOutput()
	res := result{said: string(said)}
	detail, lookErr := r.env.version(ctx, r.name, tag)
	if lookErr != nil {
		return res, fmt.Errorf("%w\n%s", lookErr, said)
	}
	if len(detail.Builds) > 0 {
		res.outcome = detail.Builds[0].Outcome
		for _, s := range detail.Builds[0].Steps {
			res.steps = append(res.steps, step{s.Name, !s.Cached && !s.Start.IsZero()})
		}
	}
	if err != nil {
		return res, nil //nolint:nilerr // the refusal is the result
	}
	res.image, err = r.env.pull(ctx, r.name, tag)
	return res, err
}

func (o options) pushOptions() (flags []string) {
	add := func(name, value string) {
		if value != "" {
			flags = append(flags, "-o", name+"="+value)
		}
	}
	for name, value := range o.args {
		flags = append(flags, "-o", "build-arg="+name+"="+value)
	}
	add("target", o.target)
	add("test", o.test)
	add("platform", o.platform)
	add("dockerfile", o.dockerfile)
	add("context", o.context)
	if o.noCache {
		flags = append(flags, "-o", "no-cache")
	}
	return flags
}

// version asks the catalog; a version that never came to be has no builds.
func (e *env) version(ctx context.Context, image, tag string) (api.VersionDetail, error) {
	var detail api.VersionDetail
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.daemon.HTTP+"/api/images/"+image+"/versions/"+tag, nil)
	if err != nil {
		return detail, err
	}
	request.Header.Set("Authorization", "JWT "+e.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return detail, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode == http.StatusNotFound {
		return detail, nil
	}
	return detail, json.NewDecoder(response.Body).Decode(&detail)
}

// build builds a checkout on the plain side, by a stock buildctl.
func (r *repository) build(ctx context.Context, tag string, o options) (result, error) {
	tree, err := r.checkout(ctx, tag)
	if err != nil {
		return result{}, err
	}
	out := tree + "." + tag + ".oci"
	defer os.RemoveAll(out) //nolint:errcheck // removed with the env at the latest
	cmd := exec.CommandContext(ctx, r.env.tool("buildctl"), slices.Concat([]string{
		"--addr", r.env.plain.Address, "build", "--progress=rawjson", "--frontend=dockerfile.v0",
		"--opt=build-arg:BUILDKIT_CACHE_MOUNT_NS=" + r.name, "--output=type=oci,tar=false,dest=" + out,
	}, o.buildctlFlags(tree))...)
	cmd.Env = append(os.Environ(), r.env.plainEnv...)
	said, err := cmd.CombinedOutput()
	res := result{}
	res.steps, res.said = readProgress(said)
	if err != nil {
		return res, nil // the refusal is the result
	}
	res.image, err = readLayout(out)
	return res, err
}

func (o options) buildctlFlags(tree string) []string {
	dir := filepath.Join(tree, o.context)
	flags := []string{"--local=context=" + dir}
	if o.dockerfile == "" {
		flags = append(flags, "--local=dockerfile="+dir)
	} else { // as docker build -f does
		flags = append(flags, "--local=dockerfile="+filepath.Join(tree, filepath.Dir(o.dockerfile)), "--opt=filename="+filepath.Base(o.dockerfile))
	}
	for name, value := range o.args {
		flags = append(flags, "--opt=build-arg:"+name+"="+value)
	}
	if o.target != "" {
		flags = append(flags, "--opt=target="+o.target)
	}
	if o.platform != "" {
		flags = append(flags, "--opt=platform="+o.platform)
	}
	if o.noCache {
		flags = append(flags, "--no-cache")
	}
	if o.named {
		flags = append(flags, "--opt=cmdline=docker/dockerfile")
	}
	return flags
}

// readProgress parts buildctl's output into steps and text, the steps' output included.
func readProgress(out []byte) ([]step, string) {
	var text strings.Builder
	var order []string
	type vertex struct {
		name            string
		started, cached bool
	}
	seen := map[string]*vertex{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		var status struct {
			Vertexes []struct {
				Digest, Name string
				Cached       bool
				Started      *time.Time
			}
			Logs []struct{ Data []byte }
		}
		if json.Unmarshal(lines.Bytes(), &status) != nil {
			text.Write(append(lines.Bytes(), '\n'))
			continue
		}
		for _, log := range status.Logs {
			text.Write(log.Data)
		}
		for _, v := range status.Vertexes {
			if seen[v.Digest] == nil {
				order = append(order, v.Digest)
				seen[v.Digest] = &vertex{name: v.Name}
			}
			seen[v.Digest].started = seen[v.Digest].started || v.Started != nil
			seen[v.Digest].cached = seen[v.Digest].cached || v.Cached
		}
	}
	var steps []step
	for _, d := range order {
		steps = append(steps, step{seen[d].name, seen[d].started && !seen[d].cached})
	}
	return steps, text.String()
}
