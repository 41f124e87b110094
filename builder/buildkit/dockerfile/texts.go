package dockerfile

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxText bounds a text that is asked for without a range, in bytes.
const maxText = 1 << 20

// texts are files that the frontend reads itself, the Dockerfile and the one that says what
// the context leaves out: they come from the commit, and BuildKit need not be sent them.
type texts struct{ files Files }

var _ gateway.Reference = texts{}

// textsOf returns the files that a graph is for, and the step that takes them in; not ok when
// it is for more than texts.
func (c *frontendClient) textsOf(g *graph) (found texts, step *pb.Input, ok bool) {
	step = g.result()
	if step == nil || len(g.order) != 2 {
		return texts{}, nil, false
	}
	source := g.ops[step.Digest].GetSource()
	var follow []string
	if err := json.Unmarshal([]byte(source.GetAttrs()[pb.AttrFollowPaths]), &follow); err != nil {
		return texts{}, nil, false
	}
	switch {
	case source.GetIdentifier() == "local://dockerfile":
		return texts{c.whole}, step, true
	case source.GetIdentifier() == contextSource && len(follow) == 1 && follow[0] == dockerui.DefaultDockerignoreName:
		return texts{c.files}, step, true
	}
	return texts{}, nil, false
}

// readTexts answers a solve of nothing but texts.
func (c *frontendClient) readTexts(g *graph) (*gateway.Result, bool) {
	found, step, ok := c.textsOf(g)
	if !ok {
		return nil, false
	}
	c.did(step.Digest, g.stepName(step), time.Now(), false)
	result := gateway.NewResult()
	result.SetRef(found)
	return result, true
}

// ReadFile implements gateway.Reference. A link is followed inside the files. A file
// that is there and can't be read ends the solve.
func (t texts) ReadFile(_ context.Context, r gateway.ReadRequest) (text []byte, err error) {
	if _, err := t.stat(r.Filename); err != nil {
		return nil, err
	}
	file, err := t.files.Open(r.Filename)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	if r.Range == nil {
		return bounded.ReadAll(file, maxText)
	}
	if _, err := io.CopyN(io.Discard, file, int64(r.Range.Offset)); err != nil {
		return nil, err
	}
	return bounded.Begin(file, int64(r.Range.Length))
}

// StatFile implements gateway.Reference.
func (t texts) StatFile(_ context.Context, r gateway.StatRequest) (*types.Stat, error) {
	info, err := t.stat(r.Path)
	if err != nil {
		return nil, err
	}
	return &types.Stat{Path: path.Base(r.Path), Mode: uint32(info.Mode()), Size: info.Size()}, nil
}

func (t texts) stat(name string) (fs.FileInfo, error) {
	return t.files.Stat(name)
}

// ReadDir implements gateway.Reference; a frontend that reads texts asks for none.
func (t texts) ReadDir(context.Context, gateway.ReadDirRequest) ([]*types.Stat, error) {
	return nil, fs.ErrInvalid
}

// Evaluate implements gateway.Reference.
func (t texts) Evaluate(context.Context) error { return nil }

// ToState implements gateway.Reference; nothing builds on texts.
func (t texts) ToState() (llb.State, error) { return llb.State{}, fs.ErrInvalid }
