package gitserver

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

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
	tracer    trace.Tracer
	log       hclog.Logger
}

// push is one client's push to one image.
type push struct {
	*receivePack
	ref       catalog.ImageRef
	identity  catalog.Identity
	audit     hclog.Logger      // takes a line for each ref that changed
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
func (rp *receivePack) serve(ctx context.Context, lost <-chan struct{}, ref catalog.ImageRef, id catalog.Identity, audit hclog.Logger, in io.Reader, out io.Writer) error {
	p := &push{receivePack: rp, ref: ref, identity: id, audit: audit, attached: map[*command]bool{}}
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

	ctx, span := p.tracer.Start(ctx, "push", trace.WithAttributes(attribute.String("fandogh.image", ref.String())))
	defer span.End()
	unpackErr := p.take(ctx, in)
	if unpackErr != nil {
		p.refuseAll(unpackErr)
	}
	return p.report(unpackErr)
}

// advertise tells the client the refs it may build upon. Tags of versions that
// are not built yet are left out, so that their push can be sent again.
func (p *push) advertise(ctx context.Context, out io.Writer) error {
	ad := newAdvertisement(out, receiveCapabilities)
	repo, err := p.repos.open(p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return ad.end(nil, nil)
	}
	if err != nil {
		return err
	}
	defer discard(repo)
	shallow, err := repo.shallow()
	if err != nil {
		return err
	}
	refs, err := repo.openRefs("refs/")
	if err != nil {
		return err
	}
	defer discard(refs)
	// After the snapshot: a version that was built meanwhile may be shown, one
	// that came meanwhile may not.
	if err := p.findUnsettled(ctx); err != nil {
		return err
	}
	return ad.end(shallow, refs.each(func(f gitRef) error {
		if p.isUnsettled(f.Name) || strings.HasPrefix(f.Name, hiddenRefs) {
			return nil
		}
		return ad.ref(f.Hash, f.Name, "")
	}))
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
	receiveCtx, receiving := p.tracer.Start(ctx, "receive")
	received, err := p.accept(receiveCtx, in)
	receiving.End()
	if err != nil || len(received.Updates) == 0 {
		return err
	}
	defer p.band.keepAlive(p.keepAlive)()
	result := p.receiver.PostReceive(ctx, received)
	p.undo(result.Undo)
	for name, failure := range result.Failed {
		p.refuse(name, failure)
	}
	return nil
}

// accept brings a push from its pack to the refs. It returns what was done, and
// keeps nothing of the pack, as builds may take long.
func (p *push) accept(ctx context.Context, in io.Reader) (received catalog.Push, err error) {
	stage, err := p.repos.stage()
	if err != nil {
		return received, err
	}
	defer func() {
		p.incoming = nil
		if err := os.RemoveAll(stage); err != nil {
			p.log.Error("remove a quarantine directory", "error", err)
		}
	}()
	if p.req.needsPack() {
		if p.incoming, err = objects.Receive(in, stage, p.limits, p.req.shallow); err != nil {
			return received, p.packError(err)
		}
		defer discard(p.incoming)
	}
	defer p.band.keepAlive(p.keepAlive)()
	// Only now, so that a client which is still sending gets the answer.
	if p.options, err = catalog.ParsePushOptions(p.req.options); err != nil {
		p.refuseAll(err)
		return received, nil
	}
	if err := p.check(ctx); err != nil {
		return received, p.packError(err)
	}
	if !p.anyLeft() {
		return received, nil
	}
	if received, err = p.judge(ctx); err != nil || !p.anyLeft() {
		return catalog.Push{}, err
	}
	if err := p.moveRefs(); err != nil {
		return catalog.Push{}, err
	}
	received.Updates, err = p.updates()
	for _, u := range received.Updates {
		p.audit.Info("ref pushed", "image", p.ref, "ref", u.Name, "old", u.Old, "new", u.New)
	}
	return received, err
}

// judge asks the hooks which updates they refuse.
func (p *push) judge(ctx context.Context) (catalog.Push, error) {
	image, err := p.image(ctx)
	if err != nil {
		return catalog.Push{}, err
	}
	received := catalog.Push{
		Image: image, Identity: p.identity, Options: p.options,
		Progress: progress{p.band}, Gone: p.band.lost,
	}
	if received.Updates, err = p.updates(); err != nil {
		return received, err
	}
	for name, refusal := range p.receiver.PreReceive(ctx, received) {
		p.refuse(name, refusal)
	}
	p.keepAtomic()
	return received, nil
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
