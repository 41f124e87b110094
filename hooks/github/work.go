package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks"
)

// delivery is one connection's ref being dealt with.
type delivery struct {
	service    *Service
	connection catalog.Connection
	image      catalog.Image
	event      refEvent
	attempt    int
	remote     catalog.RemoteRef
	known      catalog.SourceRef // what was made of the ref before; zero: nothing
}

// deliver works one delivery off. What is decided about a ref is recorded with
// the ref, so that the events of one push, whichever come, build it once.
func (s *Service) deliver(ctx context.Context, job catalog.Job) (string, error) {
	d := &delivery{service: s, attempt: job.Attempts}
	if err := json.Unmarshal(job.Payload, &d.event); err != nil {
		return "", catalog.Wrap(catalog.Invalid, err, "failed to read the stored delivery")
	}
	var err error
	d.connection, err = s.config.Store.ConnectionByID(ctx, job.Subject)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the image is no longer connected", nil
	}
	if err != nil {
		return "", err
	}
	defer s.images.lock(d.connection.ImageID)()
	if d.image, err = s.config.Store.Image(ctx, d.connection.Image); err != nil {
		return "", err
	}
	d.known, err = s.config.Store.SourceRef(ctx, d.connection.ID, d.event.Ref)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return "", err
	}
	if refusal, err := d.identify(ctx); err != nil || refusal != "" {
		return refusal, err
	}
	if d.event.Ref == "" {
		return "the repository is named " + d.connection.Repository, nil
	}
	return d.run(ctx)
}

func (d *delivery) run(ctx context.Context) (string, error) {
	if d.event.Deleted {
		return d.recordOutcome(ctx, d.known.Version, "deleted on GitHub; built versions stay")
	}
	if reason := d.unwanted(); reason != "" {
		return reason, nil
	}
	if reason, err := d.resting(ctx); reason != "" || err != nil {
		return reason, err
	}
	if d.done(d.event.Object) {
		return "already handled: " + d.known.Note, nil
	}
	from, err := d.from(ctx)
	if err != nil {
		return "", err
	}
	moved, err := d.resolve(ctx, from)
	if err != nil || moved != "" {
		return moved, err
	}
	if d.done(d.remote.Object) {
		return "already handled: " + d.known.Note, nil
	}
	if err := catalog.Admit(ctx, d.service.config.Admission, d.image.Ref.Namespace, catalog.Amounts{Bytes: 1, Builds: 1}); err != nil {
		return d.refuse(ctx, err)
	}
	// From here on its commit is known to be of this connection.
	if err := d.record(ctx, d.known.Version, false, "fetching"); err != nil {
		return "", err
	}
	var refused error
	commit, err := d.service.config.Fetcher.Fetch(ctx, d.image.Ref, catalog.FetchRequest{
		From: from, Object: d.remote.Object,
		MaxPackBytes: d.service.config.MaxPackBytes, MaxObjectBytes: d.service.config.MaxObjectBytes, MaxObjects: d.service.config.MaxObjects,
		Arrived: func(ctx context.Context, bytes int64) (release func(), err error) {
			release, refused = catalog.Reserve(ctx, d.service.config.Admission, d.image.Ref.Namespace, catalog.Amounts{Bytes: bytes})
			return release, refused
		},
	})
	if refused != nil {
		return d.refuse(ctx, refused)
	}
	if err != nil {
		// Not processed: the next attempt or delivery tries again.
		return "", errors.Join(err, d.record(ctx, d.known.Version, false, "not fetched: "+catalog.MessageOf(err)))
	}
	if commit != d.remote.Commit {
		return "", catalog.Errorf(catalog.Invalid, "%s should be commit %s but is %s", d.event.Ref, d.remote.Commit, commit)
	}
	return d.build(ctx)
}

// unwanted says why the connection does not build the ref.
func (d *delivery) unwanted() string {
	if tag, ok := d.event.tag(); ok {
		if !catalog.MatchPatterns(d.connection.Tags, tag) {
			return fmt.Sprintf("tag %s is not built: it matches none of the tags %q", tag, d.connection.Tags)
		}
		if _, _, err := catalog.SplitTag(tag); err != nil {
			return "not built: " + catalog.MessageOf(err)
		}
		return ""
	}
	branch, _ := d.event.branch()
	switch {
	case d.image.NeedsSignedTags():
		return "not built: " + catalog.MessageOf(catalog.NewBuild{Options: catalog.BuildOptions{Branch: branch}}.CheckSignedTag(d.image.Ref))
	case d.connection.Branches == "":
		return "branches of this repository are not built, only tags"
	case !catalog.MatchPatterns(d.connection.Branches, branch):
		return fmt.Sprintf("branch %s is not built: it matches none of the branches %q", branch, d.connection.Branches)
	}
	return ""
}

// resting says why nothing is built now: what a connection builds is its user's. It is not
// processed, for the user may be enabled again.
func (d *delivery) resting(ctx context.Context) (string, error) {
	user, err := d.service.config.Store.UserByID(ctx, d.connection.UserID)
	if err == nil && user.Disabled() {
		return fmt.Sprintf("not built: %s, who connected the image, is disabled; connect it again as another user", user.Name), nil
	}
	if catalog.CodeOf(err) == catalog.NotFound { // no user who exists connected it
		err = nil
	}
	return "", err
}

// done reports whether the ref was dealt with at an object.
func (d *delivery) done(object string) bool {
	return object != "" && d.known.Processed && d.known.Object == object && !d.event.Force
}

// resolve asks the remote what the ref is now. What the event says must be so, or
// it is old; a remote that does not know it yet has some time.
func (d *delivery) resolve(ctx context.Context, from catalog.Remote) (moved string, err error) {
	refs, err := d.service.config.Fetcher.RemoteRefs(ctx, from)
	if err != nil {
		return "", err
	}
	for _, ref := range refs {
		if ref.Name == d.event.Ref {
			d.remote = ref
		}
	}
	want := d.event.Object
	switch {
	case d.remote.Name != "" && (want == "" || want == d.remote.Object || want == d.remote.Commit):
		return "", nil
	case d.attempt <= 2:
		return "", catalog.Errorf(catalog.Unavailable, "%s does not have %s at %.7s yet", d.connection.Repository, d.event.Ref, want)
	case d.remote.Name == "":
		return "the ref has since been deleted", nil
	}
	return fmt.Sprintf("the ref has since moved to %.7s, which has its own delivery", d.remote.Object), nil
}

// record notes what the ref is and what is made of it.
func (d *delivery) record(ctx context.Context, version string, processed bool, note string) error {
	return d.service.config.Store.PutSourceRef(ctx, catalog.SourceRef{
		ConnectionID: d.connection.ID, Name: d.event.Ref, Object: d.remote.Object, Commit: d.remote.Commit,
		Version: version, Processed: processed, Note: note,
	})
}

func (d *delivery) recordOutcome(ctx context.Context, version, note string) (string, error) {
	return note, d.record(ctx, version, true, note)
}

// build makes a version of the fetched commit, if it may be one.
func (d *delivery) build(ctx context.Context) (string, error) {
	if same, err := d.sameAs(ctx); err != nil {
		return "", err
	} else if same != "" {
		return d.recordOutcome(ctx, d.known.Version, fmt.Sprintf("not built: no file that matches %q differs from version %s", d.connection.Paths, same))
	}
	if skips, err := d.skips(ctx); err != nil {
		return "", err
	} else if skips {
		return d.recordOutcome(ctx, d.known.Version, "not built: the commit's message asks to skip it")
	}
	tag, object := d.tag()
	update := catalog.RefUpdate{Name: "refs/tags/" + tag, New: object, Commit: d.remote.Commit}
	refused := d.service.config.Policy.PreReceive(ctx, catalog.Push{Image: d.image, Updates: []catalog.RefUpdate{update}})[update.Name]
	if refused != nil {
		return d.refuse(ctx, refused)
	}
	builds, err := d.builds(ctx, tag)
	if err != nil {
		return d.refuse(ctx, err)
	}
	if len(builds) == 0 {
		return d.recordOutcome(ctx, d.known.Version, fmt.Sprintf("tag %s is not built: it names none of the images that its commit lists", tag))
	}
	if err := d.service.config.Sources.SetTag(ctx, d.image.Ref, tag, object); err != nil {
		return d.refuse(ctx, err)
	}
	note, err := d.submit(ctx, builds)
	if code := catalog.CodeOf(err); code == catalog.Conflict || code == catalog.Forbidden {
		return d.lost(ctx, tag, err)
	}
	if err != nil {
		return "", err
	}
	if err := d.supersede(ctx, tag); err != nil {
		return "", err
	}
	return d.recordOutcome(ctx, tag, note)
}

// builds are what the tag asks for.
func (d *delivery) builds(ctx context.Context, tag string) ([]hooks.ImageBuild, error) {
	branch, _ := d.event.branch()
	_, object := d.tag()
	return d.service.config.Policy.Builds(ctx, hooks.Tagged{
		Image: d.image, Tag: tag, Trigger: catalog.TriggerGitHub, Commit: d.remote.Commit,
		TagObject: catalog.RefUpdate{New: object, Commit: d.remote.Commit}.Annotated(), UserID: d.connection.UserID,
		Options: catalog.BuildOptions{Context: d.connection.Context, Branch: branch, Source: d.service.sourceOf(d.connection)},
	})
}

// submit queues what is not built yet, and returns what came of each.
func (d *delivery) submit(ctx context.Context, builds []hooks.ImageBuild) (note string, err error) {
	wanted := hooks.NewBuilds(builds)
	queued, err := d.service.config.Queue.Submit(ctx, wanted)
	if err != nil {
		return "", err
	}
	var notes []string
	for _, b := range builds {
		if b.Built {
			notes = append(notes, fmt.Sprintf("version %s is already built from this commit", b.Name))
			continue
		}
		notes = append(notes, fmt.Sprintf("version %s, build %d", b.Name, queued[0].Number))
		queued = queued[1:]
	}
	return strings.Join(notes, "; "), nil
}

// skips reports whether the message of a branch's commit asks for no build. A sync that was asked for builds it.
func (d *delivery) skips(ctx context.Context) (bool, error) {
	if _, ok := d.event.branch(); !ok || d.event.Force || d.service.config.Prospects == nil {
		return false, nil
	}
	prospect, err := d.service.config.Prospects.Prospect(ctx, d.image.Ref, d.remote.Commit, catalog.BuildOptions{})
	if code := catalog.CodeOf(err); code == catalog.Invalid || code == catalog.NotFound {
		err = nil // the build says what is wrong
	}
	return prospect.Skips, err
}

// tag names the tag here, and the object it is set to.
func (d *delivery) tag() (name, object string) {
	if tag, ok := d.event.tag(); ok {
		return tag, d.remote.Object
	}
	branch, _ := d.event.branch()
	return catalog.BranchVersion(branch, d.remote.Commit), d.remote.Commit
}

// sameAs returns the newest built version, when nothing that the connection's
// paths name differs from it.
func (d *delivery) sameAs(ctx context.Context) (version string, err error) {
	if d.connection.Paths == "" {
		return "", nil
	}
	match, err := pathMatcher(d.connection.Paths)
	if err != nil {
		return "", err
	}
	built, err := d.service.config.Store.ListVersions(ctx, d.image.ID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: 1}})
	if err != nil || len(built) == 0 || built[0].Commit == "" {
		return "", err
	}
	if tag, ok := d.event.tag(); ok && tag == built[0].Name {
		return "", nil
	}
	changed, err := d.service.config.Fetcher.Changed(ctx, d.image.Ref, built[0].Commit, d.remote.Commit, match)
	if err != nil || changed {
		return "", err
	}
	return built[0].Name, nil
}

// refuse records why a tag can't be set; a store that does not answer is no reason.
func (d *delivery) refuse(ctx context.Context, err error) (string, error) {
	switch catalog.CodeOf(err) {
	case catalog.Conflict, catalog.Invalid, catalog.Forbidden:
		return d.recordOutcome(ctx, d.known.Version, "refused: "+catalog.MessageOf(err))
	}
	return "", err
}

// lost deals with a tag that can't be queued: its versions are built, another push
// was faster, or it is not taken any more.
func (d *delivery) lost(ctx context.Context, tag string, cause error) (string, error) {
	builds, err := d.builds(ctx, tag)
	if err != nil {
		return "", err
	}
	if len(hooks.NewBuilds(builds)) == 0 {
		note, err := d.submit(ctx, builds)
		if err != nil {
			return "", err
		}
		return d.recordOutcome(ctx, tag, note)
	}
	there, err := d.service.config.Store.TagVersions(ctx, d.image.ID, tag)
	if err == nil && !hooks.Live(there, d.remote.Commit) {
		err = d.service.config.Sources.WithdrawTag(ctx, d.image.Ref, tag, d.remote.Commit)
	}
	if err != nil {
		return "", err
	}
	return d.refuse(ctx, cause)
}

// supersede gives up the build of a branch's older commit if it has not begun.
func (d *delivery) supersede(ctx context.Context, tag string) error {
	if _, ok := d.event.branch(); !ok || d.known.Version == "" || d.known.Version == tag {
		return nil
	}
	return d.service.config.Policy.Supersede(ctx, d.image, d.known.Version, catalog.TriggerGitHub)
}
