// Package protocol speaks git's protocols with a client: receive-pack, by which it pushes, and upload-pack in versions
// 0 to 2, by which it clones and fetches. It takes a reader, a writer and a repository, and knows of no transport.
//
// A PushHandler and a FetchHandler serve many clients at once; Serve takes one from the advertisement of refs to the end.
// A push goes in steps: receive the pack into a quarantine, validate it and each command by itself, consult the hooks,
// apply the refs by compare-and-set, notify the hooks, report. Until the refs are applied nothing has happened, and an
// error is the client's; from then on nothing fails, and what is reported is what the refs are. Whether the client
// still may is asked again for whatever it asks for, and before a push takes effect.
package protocol

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/language"
)

const agent = "agent=fandogh"

const receiveCapabilities = "report-status delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 " + agent

// PushConfig is what a PushHandler needs.
type PushConfig struct {
	Repositories *repository.Repositories
	Images       catalog.Images
	Keys         KeyLister           // of those who sign
	Tags         catalog.TagVerifier // nil: nothing is known of tags
	Receiver     catalog.PostReceiver
	Admission    catalog.Admission // nil: there is always room
	Limits       objects.Limits
	KeepAlive    time.Duration // longest silence while builds run
	// Pushed is told of each push when its refs have moved or nothing was done: the bytes of its pack, how long it took, and
	// whether any ref was refused. nil: nobody is.
	Pushed func(bytes int64, took time.Duration, refused bool)
	Tracer trace.Tracer
	Logger hclog.Logger
}

// PushHandler is git's receive-pack over any transport.
type PushHandler struct {
	repos     *repository.Repositories
	images    catalog.Images
	keys      KeyLister
	tags      catalog.TagVerifier
	receiver  catalog.PostReceiver
	admission catalog.Admission
	limits    objects.Limits
	keepAlive time.Duration
	pushed    func(bytes int64, took time.Duration, refused bool)
	tracer    trace.Tracer
	log       hclog.Logger
}

// NewPushHandler makes a handler.
func NewPushHandler(c PushConfig) *PushHandler {
	if c.Pushed == nil {
		c.Pushed = func(int64, time.Duration, bool) {}
	}
	return &PushHandler{
		repos: c.Repositories, images: c.Images, keys: c.Keys, tags: c.Tags, receiver: c.Receiver,
		admission: c.Admission, limits: c.Limits, keepAlive: c.KeepAlive, pushed: c.Pushed, tracer: c.Tracer, log: c.Logger,
	}
}

// KeyLister is what is read of catalog.Users.
type KeyLister interface {
	ListKeys(ctx context.Context, userID int64) ([]catalog.Key, error)
}

// push is one client's push to one image.
type push struct {
	handler     *PushHandler
	ref         catalog.ImageRef
	user        catalog.Identity
	speaker     language.Speaker            // to the person; what git reads is English
	audit       hclog.Logger                // takes a line for each ref that changed
	allowed     func(context.Context) error // asked again before anything changes
	nonce       string                      // what a signed push must sign
	unbuiltTags map[string]string           // tags that were not advertised
	req         *pushRequest
	options     catalog.PushOptions
	sideband    *sidebandWriter
	attached    map[*command]bool      // the ref stands already, only the build is asked for
	moved       []*command             // refs that were changed
	release     func()                 // gives back what they were, which may be wanted again
	quarantine  *repository.Quarantine // has the repository open, from the advertisement on, and the objects until they enter it
}

// Serve takes one push from in and answers on out. A push may take long, so allowed is asked
// whether it still may be when it is to take effect. reads is the person's language. It returns early, leaving
// builds alone, when lost is closed. ctx is the server's, not the connection's.
func (h *PushHandler) Serve(ctx context.Context, lost <-chan struct{}, ref catalog.ImageRef, id catalog.Identity, allowed func(context.Context) error, reads language.Language, audit hclog.Logger, in io.Reader, out io.Writer) error {
	p := &push{handler: h, ref: ref, user: id, speaker: language.Speaker{Language: reads, Texts: persian}, allowed: allowed, audit: audit, nonce: newNonce(), attached: map[*command]bool{}}
	var err error
	if p.quarantine, err = h.repos.NewQuarantine(ref); err != nil {
		return err
	}
	defer p.closeQuarantine()
	if err := p.advertise(ctx, out); err != nil {
		return err
	}
	requests := packets.NewReader(in)
	if p.req, err = readPushRequest(requests); err != nil && p.req != nil {
		return newSideband(out, p.req.capabilities).fatal(err)
	}
	if err != nil || p.req == nil {
		return err
	}
	p.sideband = newSideband(out, p.req.capabilities)
	stopWatch := make(chan struct{})
	defer close(stopWatch)
	go func() {
		select {
		case <-lost:
			p.sideband.lose()
		case <-stopWatch:
		}
	}()

	ctx, span := p.handler.tracer.Start(ctx, "push", trace.WithAttributes(attribute.String("fandogh.image", ref.String())))
	defer span.End()
	unpackErr := p.run(ctx, requests.R)
	if unpackErr != nil {
		p.refuseAll(unpackErr)
	}
	return p.report(unpackErr)
}

// advertise shows the client the refs it may build upon. Tags of versions that
// are not built yet are left out, so that their push can be sent again.
func (p *push) advertise(ctx context.Context, out io.Writer) error {
	ad := newAdvertisement(out, receiveCapabilities+" push-cert="+p.nonce)
	repo, err := p.quarantine.Repository()
	if err != nil {
		return err
	}
	shallow, err := repo.Shallow()
	if err != nil {
		return err
	}
	snapshot, err := repo.Refs.Open()
	if err != nil {
		return err
	}
	defer objects.Discard(snapshot)
	// After the snapshot: a version that was built meanwhile may be shown, one
	// that came meanwhile may not.
	if err := p.findUnbuiltTags(ctx); err != nil {
		return err
	}
	return ad.end(shallow, snapshot.Each("refs/", func(f refs.Ref) error {
		if p.isUnbuiltTag(f.Name) || strings.HasPrefix(f.Name, refs.Hidden) {
			return nil
		}
		return ad.ref(f.Hash, f.Name, "")
	}))
}

func (p *push) findUnbuiltTags(ctx context.Context) error {
	image, err := p.handler.images.Image(ctx, p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err == nil {
		p.unbuiltTags, err = p.handler.receiver.UnbuiltTags(ctx, image)
	}
	return err
}

// isUnbuiltTag reports whether a ref is a tag that the client was not shown.
func (p *push) isUnbuiltTag(name string) bool {
	tag, isTag := strings.CutPrefix(name, "refs/tags/")
	_, unbuilt := p.unbuiltTags[tag]
	return isTag && unbuilt
}

// run does all but the report. An error means that nothing was done; what befell single refs is in their commands.
func (p *push) run(ctx context.Context, in io.Reader) error {
	enterCtx, entering := p.handler.tracer.Start(ctx, "receive")
	counted, start := &countingReader{Reader: in}, time.Now()
	received, err := p.enter(enterCtx, counted)
	entering.End()
	p.handler.pushed(counted.n, time.Since(start), err != nil || len(received.Updates) < len(p.req.commands))
	if p.release != nil {
		defer p.release()
	}
	if err == nil && len(received.Updates) > 0 {
		p.notifyHooks(ctx, received)
	}
	return err
}

// countingReader counts the bytes that were read.
type countingReader struct {
	io.Reader
	n int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += int64(n)
	return n, err
}

// enter brings a push from its pack to the refs. It returns what was done, and
// keeps nothing of the pack, as builds may take long.
func (p *push) enter(ctx context.Context, in *countingReader) (received catalog.Push, err error) {
	defer p.closeQuarantine()
	if err := p.receive(ctx, in); err != nil {
		return received, err
	}
	defer p.sideband.keepAlive(p.handler.keepAlive)()
	// Only now, so that a client which is still sending gets the answer.
	if p.options, err = catalog.ParsePushOptions(p.req.options); err != nil {
		p.refuseAll(err)
		return received, nil
	}
	if err := p.validate(ctx); err != nil {
		return received, p.packError(err)
	}
	if !p.anyLeft() {
		return received, nil
	}
	if p.quarantine.Count() > 0 { // its objects are here, and not in the repository yet
		release, err := catalog.Reserve(ctx, p.handler.admission, p.ref.Namespace, catalog.Amounts{Bytes: in.n})
		if err != nil {
			return received, p.tellRefusal(err)
		}
		defer release()
	}
	if received, err = p.consultHooks(ctx); err != nil || !p.anyLeft() {
		return catalog.Push{}, err
	}
	if err := p.applyRefs(ctx, received.Image); err != nil {
		return catalog.Push{}, err
	}
	// The refs have moved: from here on nothing fails, and what is reported is what they are.
	received.Updates = p.left(received.Updates)
	for _, u := range received.Updates {
		line := []any{"image", p.ref, "ref", u.Name, "old", u.Old, "new", u.New}
		if u.Signature.Signed() {
			line = append(line, "tag_signature", u.Signature)
		}
		p.audit.Info("ref pushed", line...)
	}
	return received, nil
}

// closeQuarantine gives back what the push has of the repository and of the pack, where that is still to be done.
func (p *push) closeQuarantine() {
	if p.quarantine == nil {
		return
	}
	if err := p.quarantine.Close(); err != nil {
		p.handler.log.Error("failed to remove a quarantine directory", "error", err)
	}
	p.quarantine = nil
}

// receive reads the pack, if one follows.
func (p *push) receive(ctx context.Context, in io.Reader) error {
	if !p.req.needsPack() {
		return nil
	}
	if err := catalog.Admit(ctx, p.handler.admission, p.ref.Namespace, catalog.Amounts{Bytes: 1}); err != nil {
		return p.tellRefusal(err)
	}
	return p.packError(p.quarantine.Receive(in, p.handler.limits, p.req.shallow))
}

// tellRefusal tells the pusher that there is no room, and why, before the report does.
func (p *push) tellRefusal(err error) error {
	fmt.Fprintln(progress{p.sideband}, p.speaker.Refusal(string(catalog.CodeOf(err)), catalog.MessageOf(err)))
	return err
}

// notifyHooks has the hooks act on what was done, which may take as long as builds do.
func (p *push) notifyHooks(ctx context.Context, received catalog.Push) {
	defer p.sideband.keepAlive(p.handler.keepAlive)()
	result := p.handler.receiver.PostReceive(ctx, received)
	p.undo(result.Undo)
	p.refuse(result.Failed)
}

// left returns the updates whose commands are not refused.
func (p *push) left(updates []catalog.RefUpdate) []catalog.RefUpdate {
	done := map[string]bool{}
	for _, c := range p.req.commands {
		if c.err == nil {
			done[c.change.Name] = true
		}
	}
	return slices.DeleteFunc(updates, func(u catalog.RefUpdate) bool { return !done[u.Name] })
}

// consultHooks asks whether the push still may be, and the hooks which updates they refuse. The image is
// made when one is left.
func (p *push) consultHooks(ctx context.Context) (catalog.Push, error) {
	if err := p.allowed(ctx); err != nil {
		return catalog.Push{}, err
	}
	if p.req.cert != nil {
		signer, err := p.signer(ctx)
		if err != nil {
			return catalog.Push{}, err
		}
		p.audit = p.audit.With("signed_by", signer)
	}
	image, err := p.handler.images.Image(ctx, p.ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		image, err = catalog.Image{Ref: p.ref}, nil
	}
	if err == nil {
		err = image.CheckOwnSource()
	}
	if err != nil {
		return catalog.Push{}, err
	}
	received := catalog.Push{
		Image: image, Identity: p.user, Options: p.options,
		Atomic: p.req.can("atomic"), Progress: progress{p.sideband}, Language: string(p.speaker.Language), Gone: p.sideband.lost, StillAllowed: p.allowed,
	}
	if received.Updates, err = p.updates(ctx); err != nil {
		return received, err
	}
	received.ManyTags = severalTags(received.Updates)
	p.refuse(p.handler.receiver.PreReceive(ctx, received))
	p.keepAtomic()
	if p.anyLeft() && image.ID == 0 {
		received.Image, err = p.makeImage(ctx)
	}
	return received, err
}
