package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const agent = "agent=fandogh"

// Thin packs are not asked for: what a push saves by them is little beside a
// build, and a whole pack is checked by itself.
const receiveCapabilities = "report-status delete-refs side-band-64k quiet atomic ofs-delta push-options no-thin object-format=sha1 " + agent

// receivePack is git's receive-pack over any transport.
type receivePack struct {
	repos     *Repositories
	images    catalog.Images
	receiver  catalog.PostReceiver
	limits    objects.Limits
	keepAlive time.Duration // longest silence while builds run
	log       hclog.Logger
}

// push is one client's push to one image.
type push struct {
	*receivePack
	ref       catalog.ImageRef
	identity  catalog.Identity
	unsettled map[string]string // tags that were not advertised
	req       *pushRequest
	options   catalog.PushOptions
	band      *band
	incoming  *objects.Incoming // nil for deletions alone
	attached  map[*command]bool // the ref stands already, only the build is asked for
	moved     []*command        // refs that were changed
	place     os.FileInfo       // the repository the objects were checked against, nil for none
}

// serve takes one push from in and answers on out. It returns early, leaving
// builds alone, when lost is closed. ctx is the server's, not the connection's.
func (rp *receivePack) serve(ctx context.Context, lost <-chan struct{}, ref catalog.ImageRef, id catalog.Identity, in io.Reader, out io.Writer) error {
	p := &push{receivePack: rp, ref: ref, identity: id, attached: map[*command]bool{}}
	if err := p.advertise(ctx, out); err != nil {
		return err
	}
	var err error
	if p.req, err = readPushRequest(in); err != nil || p.req == nil {
		return err
	}
	p.band = newBand(out, p.req.capabilities)
	stopWatch := make(chan struct{})
	defer close(stopWatch)
	go func() {
		select {
		case <-lost:
			p.band.lose()
		case <-stopWatch:
		}
	}()

	unpackErr := p.take(ctx, in)
	if unpackErr != nil {
		p.refuseAll(unpackErr)
	}
	return p.report(unpackErr)
}

// advertise tells the client the refs it may build upon. Tags of versions that
// are not built yet are left out, so that their push can be sent again.
func (p *push) advertise(ctx context.Context, out io.Writer) error {
	var refs []gitRef
	var shallow []plumbing.Hash
	repo, err := p.repos.open(p.ref)
	if err == nil {
		defer discard(repo)
		if refs, err = repo.readRefs(); err != nil {
			return err
		}
		if shallow, err = repo.shallow(); err != nil {
			return err
		}
		if err := p.findUnsettled(ctx); err != nil {
			return err
		}
	} else if catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	ad := advertisement{capabilities: receiveCapabilities, shallow: shallow}
	for _, f := range refs {
		if !p.isUnsettled(f.Name) && !strings.HasPrefix(f.Name, hiddenRefs) {
			ad.refs = append(ad.refs, f)
		}
	}
	return ad.encode(out)
}

func (p *push) findUnsettled(ctx context.Context) error {
	image, err := p.images.Image(ctx, p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err == nil {
		p.unsettled, err = p.receiver.Unsettled(ctx, image)
	}
	return err
}

// isUnsettled tells whether a ref is a tag the client was not told of.
func (p *push) isUnsettled(name string) bool {
	tag, isTag := strings.CutPrefix(name, "refs/tags/")
	_, unsettled := p.unsettled[tag]
	return isTag && unsettled
}

// take reads the pack and does what the commands say. An error means that
// nothing was done; what befell single refs is in their commands.
func (p *push) take(ctx context.Context, in io.Reader) error {
	stage, err := p.repos.stage()
	if err != nil {
		return err
	}
	defer func() {
		if err := os.RemoveAll(stage); err != nil {
			p.log.Error("remove a quarantine directory", "error", err)
		}
	}()
	if p.req.needsPack() {
		if p.incoming, err = objects.Receive(in, stage, p.limits, p.req.shallow); err != nil {
			return p.packError(err)
		}
		defer discard(p.incoming)
	}
	defer p.band.keepAlive(p.keepAlive)()
	// Only now, so that a client which is still sending gets the answer.
	if p.options, err = catalog.ParsePushOptions(p.req.options); err != nil {
		p.refuseAll(err)
		return nil
	}
	if err := p.check(ctx); err != nil {
		return p.packError(err)
	}
	if !p.anyLeft() {
		return nil
	}
	image, err := p.image(ctx)
	if err != nil {
		return err
	}
	received := catalog.Push{
		Image: image, Identity: p.identity, Options: p.options,
		Progress: progress{p.band}, Gone: p.band.lost,
	}
	if received.Updates, err = p.updates(); err != nil {
		return err
	}
	for name, refusal := range p.receiver.PreReceive(ctx, received) {
		p.refuse(name, refusal)
	}
	p.keepAtomic()
	if !p.anyLeft() {
		return nil
	}
	if err := p.moveRefs(); err != nil {
		return err
	}
	if received.Updates, err = p.updates(); err != nil {
		return err
	}
	if len(received.Updates) == 0 {
		return nil
	}
	result := p.receiver.PostReceive(ctx, received)
	p.undo(result.Undo)
	for name, failure := range result.Failed {
		p.refuse(name, failure)
	}
	return nil
}

// packError says in words for the pusher why a pack was not taken.
func (p *push) packError(err error) error {
	var limit *objects.LimitError
	var missing *objects.MissingError
	switch {
	case errors.As(err, &limit):
		return catalog.Errorf(catalog.TooLarge, "%v; leave large files out of the history, or ask the operator to raise it", limit)
	case errors.As(err, &missing) && len(p.req.shallow) > 0:
		return catalog.Errorf(catalog.Invalid, "%v, because it comes from a shallow clone; run git fetch --unshallow and push again", missing)
	case errors.As(err, &missing):
		return catalog.Errorf(catalog.Invalid, "%v; run git fsck in your clone, or push from a complete one", missing)
	case errors.Is(err, objects.ErrCorrupt):
		return catalog.Wrap(catalog.Invalid, err, "the pushed objects are refused: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	}
	return err
}

// check resolves the pack and judges every command by itself.
func (p *push) check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.band.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	if place, err := os.Stat(p.repos.path(p.ref)); err == nil {
		p.place = place
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	store, err := objects.OpenStore(filepath.Join(p.repos.path(p.ref), "objects"))
	if err != nil {
		return err
	}
	defer discard(store)
	if p.incoming != nil {
		if n := p.incoming.Count(); n >= 1000 && !p.req.can("quiet") {
			fmt.Fprintf(progress{p.band}, "Checking %d objects\n", n)
		}
		if err := p.incoming.Resolve(ctx, store); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, c := range p.req.commands {
		if seen[c.Name] {
			p.refuse(c.Name, catalog.Errorf(catalog.Invalid, "%s is updated twice in one push", c.Name))
		}
		seen[c.Name] = true
		if err := p.checkCommand(store, c); err != nil {
			p.refuse(c.Name, err)
		}
	}
	p.keepAtomic()
	return nil
}

func (p *push) checkCommand(store *objects.Store, c *command) error {
	if err := checkRefName(c.Name); err != nil {
		return err
	}
	if c.isDelete() {
		if c.Old.IsZero() {
			return catalog.Errorf(catalog.NotFound, "%s does not exist", c.Name)
		}
		return nil
	}
	target, err := p.incoming.Peel(store, c.New)
	if errors.Is(err, objects.ErrNotFound) {
		return catalog.Errorf(catalog.Invalid, "%s names object %s, which was not pushed", c.Name, c.New)
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.Name, "refs/heads/") && (target.Type != plumbing.CommitObject || target.Hash != c.New) {
		return catalog.Errorf(catalog.Invalid, "branch %s must be a commit", strings.TrimPrefix(c.Name, "refs/heads/"))
	}
	return p.checkUnsettled(store, c, target.Hash)
}

// checkUnsettled looks at a tag that the client could not know of. The same
// commit attaches to its build; whether another may replace it is for
// PreReceive to say.
func (p *push) checkUnsettled(store *objects.Store, c *command, commit plumbing.Hash) error {
	if !p.isUnsettled(c.Name) || !c.Old.IsZero() {
		return nil
	}
	repo, err := p.repos.open(p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer discard(repo)
	current, ok, err := repo.readRef(c.Name)
	if !ok || err != nil {
		return err
	}
	target, err := store.Peel(current)
	if err != nil {
		return err
	}
	if target.Hash == commit {
		p.attached[c] = true
	}
	c.Old = current
	return nil
}

// updates returns the commands that are left, as the catalog knows them.
func (p *push) updates() ([]catalog.RefUpdate, error) {
	store, err := objects.OpenStore(filepath.Join(p.repos.path(p.ref), "objects"))
	if err != nil {
		return nil, err
	}
	defer discard(store)
	var updates []catalog.RefUpdate
	for _, c := range p.req.commands {
		if c.err != nil {
			continue
		}
		u := catalog.RefUpdate{Name: c.Name}
		if !c.Old.IsZero() && !p.isUnsettled(c.Name) {
			u.Old = c.Old.String()
		}
		if !c.isDelete() {
			u.New = c.New.String()
			target, err := p.incoming.Peel(store, c.New)
			if err != nil {
				return nil, err
			}
			if target.Type == plumbing.CommitObject {
				u.Commit = target.Hash.String()
			}
		}
		updates = append(updates, u)
	}
	return updates, nil
}

// image returns the image's row, made on the first push.
func (p *push) image(ctx context.Context) (catalog.Image, error) {
	image, err := p.images.Image(ctx, p.ref)
	if catalog.CodeOf(err) != catalog.NotFound {
		return image, err
	}
	image, err = p.images.CreateImage(ctx, catalog.NewImage{Ref: p.ref, OwnerID: p.identity.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		return p.images.Image(ctx, p.ref) // another first push was faster
	}
	return image, err
}

// moveRefs takes the objects in and changes the refs: all of them or none when
// the push is atomic, else each by itself.
func (p *push) moveRefs() error {
	defer p.repos.lock(p.ref)()
	repo, err := p.repos.openOrCreate(p.ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	if p.place != nil {
		if now, err := os.Stat(repo.dir); err != nil || !os.SameFile(p.place, now) {
			return catalog.Errorf(catalog.Conflict, "%s was deleted meanwhile; push again to make it anew", p.ref)
		}
	}
	if p.incoming != nil {
		ends, err := p.incoming.NewShallow(repo.Store)
		if err != nil {
			return err
		}
		// The ends are known before the objects that need them.
		if err := repo.addShallow(ends); err != nil {
			return err
		}
		if err := p.incoming.Install(filepath.Join(repo.dir, "objects")); err != nil {
			return err
		}
	}
	var todo []*command
	for _, c := range p.req.commands {
		if c.err == nil && !p.attached[c] {
			todo = append(todo, c)
		}
	}
	if p.req.can("atomic") {
		changes := make([]refChange, len(todo))
		for i, c := range todo {
			changes[i] = c.refChange
		}
		if err := repo.updateRefs(changes); err != nil {
			p.refuseAll(err)
			return nil
		}
		p.moved = todo
	} else {
		for _, c := range todo {
			if err := repo.updateRefs([]refChange{c.refChange}); err != nil {
				p.refuse(c.Name, err)
				continue
			}
			p.moved = append(p.moved, c)
		}
	}
	return repo.pointHead()
}

// undo puts refs back whose builds could not be queued.
func (p *push) undo(names []string) {
	if len(names) == 0 {
		return
	}
	defer p.repos.lock(p.ref)()
	repo, err := p.repos.open(p.ref)
	if err != nil {
		p.log.Error("put refs back", "image", p.ref, "error", err)
		return
	}
	defer discard(repo)
	for _, name := range names {
		for _, c := range p.moved {
			if c.Name != name {
				continue
			}
			if err := repo.updateRefs([]refChange{{Name: name, Old: c.New, New: c.Old}}); err != nil {
				p.log.Error("put a ref back", "image", p.ref, "ref", name, "error", err)
			}
		}
	}
}

func (p *push) refuse(name string, err error) {
	for _, c := range p.req.commands {
		if c.Name == name && c.err == nil {
			c.err = err
		}
	}
}

func (p *push) refuseAll(err error) {
	for _, c := range p.req.commands {
		if c.err == nil {
			c.err = err
		}
	}
}

// keepAtomic refuses the rest of an atomic push when one ref is refused.
func (p *push) keepAtomic() {
	if !p.req.can("atomic") {
		return
	}
	for _, c := range p.req.commands {
		if c.err != nil {
			p.refuseAll(catalog.Errorf(catalog.Conflict, "atomic push: %s was refused", c.Name))
			return
		}
	}
}

func (p *push) anyLeft() bool {
	for _, c := range p.req.commands {
		if c.err == nil {
			return true
		}
	}
	return false
}

// report ends the push with git's report-status.
func (p *push) report(unpackErr error) error {
	status := packp.NewReportStatus()
	status.UnpackStatus = "ok"
	if unpackErr != nil {
		status.UnpackStatus = p.reportLine(unpackErr)
	}
	for _, c := range p.req.commands {
		line := "ok"
		if c.err != nil {
			line = p.reportLine(c.err)
		}
		status.CommandStatuses = append(status.CommandStatuses,
			&packp.CommandStatus{ReferenceName: plumbing.ReferenceName(c.Name), Status: line})
	}
	if p.req.can("report-status") {
		if err := status.Encode(p.band); err != nil {
			return err
		}
	}
	return p.band.end()
}

// reportLine is an error as one line for the pusher; faults of ours are logged.
func (p *push) reportLine(err error) string {
	if catalog.CodeOf(err) == catalog.Internal && !errors.Is(err, context.Canceled) && !errors.Is(err, io.ErrUnexpectedEOF) {
		p.log.Error("push failed", "image", p.ref, "user", p.identity.User.Name, "error", err)
	}
	return strings.Join(strings.Fields(reportLine(err)), " ")
}
