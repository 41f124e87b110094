package catalog

import (
	"context"
	"io"
)

// RefUpdate is one accepted command of a push.
type RefUpdate struct {
	Name   string // full ref name, "refs/tags/v1.0"
	Old    string // hex object; empty: the ref is new
	New    string // hex object; empty: the ref goes
	Commit string // New peeled to a commit, hex; empty for a deletion or when New is no commit
	// Signature is of an annotated tag, zero where it is yet to be looked at.
	Signature TagSignature
}

// Annotated returns the object of the annotated tag that the update sets, empty when it sets none.
func (u RefUpdate) Annotated() string {
	if u.New == u.Commit {
		return ""
	}
	return u.New
}

// Tag returns the tag's name and whether the ref is a tag at all.
func (u RefUpdate) Tag() (string, bool) { return cutPrefix(u.Name, "refs/tags/") }

// Branch returns the branch's name and whether the ref is a branch at all.
func (u RefUpdate) Branch() (string, bool) { return cutPrefix(u.Name, "refs/heads/") }

// SetsTag reports whether the update sets a tag.
func (u RefUpdate) SetsTag() bool {
	_, isTag := u.Tag()
	return isTag && u.New != ""
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):], true
	}
	return "", false
}

// Push is what a git client sent, after its objects were checked.
type Push struct {
	Image    Image
	Identity Identity
	Options  PushOptions
	Updates  []RefUpdate
	// ManyTags says that several tags were pushed, as by git push --tags, whatever is left of them in Updates.
	ManyTags bool
	// Atomic says that all is to happen or nothing. Versions that are built stay built.
	Atomic bool
	// Progress takes whole lines for the person who pushed. It never fails and
	// drops what a lost connection can't take; Gone tells of the loss.
	Progress io.Writer
	// Language is that of the person, as BCP 47 writes it: "en" or "fa"; empty: English.
	Language string
	// StillAllowed asks again whether the push may be, before more is shown of its builds; nil: it may.
	StillAllowed func(context.Context) error
	// Gone is closed when the client's connection is lost.
	Gone <-chan struct{}
}

// PostReceiver checks and acts on pushes. The hooks package implements it for
// the git server.
type PostReceiver interface {
	// UnbuiltTags returns the tags of versions that are not built yet, with the
	// commit each is built from. The git server does not advertise them to a
	// pusher, so that the same push can be sent again and attach.
	UnbuiltTags(ctx context.Context, image Image) (map[string]string, error)
	// PreReceive is asked before any ref moves and returns the refused updates
	// by ref name, with why.
	PreReceive(ctx context.Context, push Push) map[string]error
	// PostReceive is called after the refs moved. It queues builds, shows their
	// logs to push.Progress, and returns when they ended or were detached from.
	PostReceive(ctx context.Context, push Push) PostReceiveResult
}

// PostReceiveResult is what came of a push's updates.
type PostReceiveResult struct {
	Failed map[string]error // by ref name: the report says ng with this
	Undo   []string         // refs that must be put back: their build was never queued, or an atomic push failed
}

// Prospect is what a commit says of its builds before one is asked for.
type Prospect struct {
	// Branches are patterns of the branches that are built when they are pushed, with commas between them.
	Branches string
	// Skips reports that the commit's message asks for no build.
	Skips bool
	// Images are those that are built of the commit; empty: the repository's own alone.
	Images []ImageEntry
	// Missing says that there is no Dockerfile of any of them, a clause safe to show; empty: there may be one.
	Missing string
}
