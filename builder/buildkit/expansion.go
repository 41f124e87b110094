package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A Dockerfile's variables are filled in here, in memory that all builds share,
// and lines like ENV A=$A$A double a value until there is none left. So how large it
// all becomes is estimated first, from above.
const (
	maxDockerfile = 4 << 20   // bytes of the file
	maxExpansion  = 128 << 20 // bytes of all instructions with their variables filled in
	maxInherited  = 64 << 10  // bytes of variables that a base image brings
	maxOnBuild    = 1 << 20   // bytes of what it has done in images built on it
	maxNested     = 8         // ${A/x/${A/x/…}}
)

var errExpansion = errors.New("its variables, filled in, make more than 128 MiB of it; look for one that is defined by itself several times")

// checkDockerfile refuses a Dockerfile that would take too much memory. What else
// is wrong with it the frontend says better.
func checkDockerfile(tree fs.FS, name string, o catalog.BuildOptions) error {
	file, err := tree.Open(name)
	if err != nil {
		return unreadable(err)
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxDockerfile+1))
	if err != nil {
		return unreadable(err)
	}
	if len(text) > maxDockerfile {
		return userError("%s is larger than 4 MiB", name)
	}
	e := &expansion{sizes: map[string]int64{}, limit: maxExpansion}
	for arg, value := range o.Args {
		e.define(arg, int64(len(value)))
	}
	if line, err := e.read(string(text)); err != nil {
		return userError("%s:%d: %v", name, line, err)
	}
	return nil
}

// expansion is what is known so far.
type expansion struct {
	sizes     map[string]int64 // of variables, bytes
	variables int64            // all sizes; each RUN has all variables
	onBuild   int64            // what each stage based on this may have to do
	total     int64
	limit     int64
}

// read takes the instructions of a Dockerfile, and returns the line where they
// become too large.
func (e *expansion) read(text string) (line int, err error) {
	file, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return 0, nil //nolint:nilerr // what can't be read is not filled in either
	}
	for _, node := range file.AST.Children {
		if e.take(node); e.total > e.limit {
			return node.StartLine, errExpansion
		}
	}
	return 0, nil
}

func (e *expansion) take(node *parser.Node) {
	size := e.size(node.Original, 0)
	for _, heredoc := range node.Heredocs {
		size += e.size(heredoc.Content, 0)
	}
	e.total += size
	switch strings.ToLower(node.Value) {
	case command.Onbuild: // as if it were done at once
		e.onBuild += size
		if node.Next != nil && len(node.Next.Children) > 0 {
			e.take(node.Next.Children[0])
		}
	case command.From:
		e.total += e.onBuild + maxOnBuild
	case command.Run:
		e.total += e.variables + maxInherited
	case command.Env: // name, value, separator
		for n := node.Next; n != nil && n.Next != nil && n.Next.Next != nil; n = n.Next.Next.Next {
			e.define(n.Value, e.size(n.Next.Value, 0))
		}
	case command.Arg:
		for n := node.Next; n != nil; n = n.Next {
			name, value, _ := strings.Cut(n.Value, "=")
			e.define(name, e.size(value, 0))
		}
	}
}

func (e *expansion) define(name string, size int64) {
	if grown := size - e.sizes[name]; grown > 0 {
		e.sizes[name] = size
		e.variables += grown
	}
}

// size is how large a text may become, at most a little over the limit.
func (e *expansion) size(text string, depth int) int64 {
	total := int64(len(text))
	for total <= e.limit {
		_, rest, ok := strings.Cut(text, "$")
		if !ok {
			return total
		}
		rest = strings.TrimPrefix(rest, "{")
		end := strings.IndexFunc(rest, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		if end < 0 {
			end = len(rest)
		}
		value, ok := e.sizes[rest[:end]]
		if !ok {
			value = maxInherited
		}
		text = rest[end:]
		if strings.HasPrefix(text, "/") { // each byte may be replaced by what follows
			if depth == maxNested {
				return e.limit + 1
			}
			value *= 1 + e.size(text, depth+1)
		}
		total += value
	}
	return e.limit + 1
}

// ResolveImageConfig implements gateway.Client. What a base image brings must stay
// below what checkDockerfile takes it for.
func (c *frontendClient) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	name, d, text, err := c.Client.ResolveImageConfig(ctx, ref, opt)
	if err != nil {
		return name, d, text, err
	}
	var image struct {
		Config struct {
			ocispec.ImageConfig
			OnBuild []string
		} `json:"config"`
	}
	if err := json.Unmarshal(text, &image); err != nil {
		return name, d, text, err
	}
	e := &expansion{sizes: map[string]int64{}, limit: maxOnBuild}
	for _, variable := range image.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		e.define(name, int64(len(value)))
	}
	if _, err := e.read(strings.Join(image.Config.OnBuild, "\n")); err != nil || e.variables > maxInherited {
		err = userError("base image %s brings too much: at most 64 KiB of variables, and 1 MiB of ONBUILD instructions with those filled in", ref)
		c.fail(err)
		return name, d, text, err
	}
	return name, d, text, nil
}
