package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fandoghpaas/fandogh/catalog"
)

// visit is one connection's ref being dealt with.
type visit struct {
	*Service
	connection catalog.Connection
	image      catalog.Image
	arrival    arrival
	attempt    int
	remote     catalog.RemoteRef
	known      catalog.SourceRef // what was made of the ref before; zero: nothing
}

// deliver works one delivery off. What is decided about a ref is recorded with
// the ref, so that the events of one push, whichever come, build it once.
func (s *Service) deliver(ctx context.Context, job catalog.Job) (string, error) {
	v := &visit{Service: s, attempt: job.Attempts}
	if err := json.Unmarshal(job.Payload, &v.arrival); err != nil {
		return "", catalog.Wrap(catalog.Invalid, err, "the stored delivery can't be read")
	}
	var err error
	v.connection, err = s.Store.ConnectionByID(ctx, job.Subject)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "the image is not connected any more", nil
	}
	if err != nil {
		return "", err
	}
	defer s.images.lock(v.connection.ImageID)()
	if v.image, err = s.Store.Image(ctx, v.connection.Image); err != nil {
		return "", err
	}
	v.known, err = s.Store.SourceRef(ctx, v.connection.ID, v.arrival.Ref)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return "", err
	}
	return v.run(ctx)
}

func (v *visit) run(ctx context.Context) (string, error) {
	if v.arrival.Deleted {
		return v.settle(ctx, v.known.Version, "deleted on GitHub; what was built of it stays")
	}
	if reason := v.unwanted(); reason != "" {
		return reason, nil
	}
	if v.done(v.arrival.Object) {
		return "dealt with before: " + v.known.Note, nil
	}
	from, err := v.from(ctx)
	if err != nil {
		return "", err
	}
	moved, err := v.look(ctx, from)
	if err != nil || moved != "" {
		return moved, err
	}
	if v.done(v.remote.Object) {
		return "dealt with before: " + v.known.Note, nil
	}
	// From here on its commit is known to be of this connection.
	if err := v.record(ctx, v.known.Version, false, "being fetched"); err != nil {
		return "", err
	}
	commit, err := v.Fetcher.Fetch(ctx, v.image.Ref, catalog.FetchRequest{
		From: from, Object: v.remote.Object,
		MaxPackBytes: v.MaxPackBytes, MaxObjectBytes: v.MaxObjectBytes, MaxObjects: v.MaxObjects,
	})
	if err != nil {
		// Not settled: the next attempt or delivery tries again.
		return "", errors.Join(err, v.record(ctx, v.known.Version, false, "not fetched: "+catalog.MessageOf(err)))
	}
	if commit != v.remote.Commit {
		return "", catalog.Errorf(catalog.Invalid, "%s was to be commit %s and is %s", v.arrival.Ref, v.remote.Commit, commit)
	}
	return v.build(ctx)
}

// unwanted says why the connection does not build the ref.
func (v *visit) unwanted() string {
	if tag, ok := v.arrival.tag(); ok {
		if !matches(v.connection.Tags, tag) {
			return fmt.Sprintf("tag %s is not built: it fits none of the tags %q", tag, v.connection.Tags)
		}
		if err := catalog.ValidateVersion(tag); err != nil {
			return "not built: " + catalog.MessageOf(err)
		}
		return ""
	}
	branch, _ := v.arrival.branch()
	switch {
	case v.connection.Branches == "":
		return "branches of this repository are not built; a tag is"
	case !matches(v.connection.Branches, branch):
		return fmt.Sprintf("branch %s is not built: it fits none of the branches %q", branch, v.connection.Branches)
	}
	return ""
}

// done tells whether the ref was dealt with at an object.
func (v *visit) done(object string) bool {
	return object != "" && v.known.Settled && v.known.Object == object && !v.arrival.Again
}

// look asks the remote what the ref is now. What the event says must be so, or
// it is old; a remote that does not know it yet has some time.
func (v *visit) look(ctx context.Context, from catalog.Remote) (moved string, err error) {
	refs, err := v.Fetcher.RemoteRefs(ctx, from)
	if err != nil {
		return "", err
	}
	for _, ref := range refs {
		if ref.Name == v.arrival.Ref {
			v.remote = ref
		}
	}
	want := v.arrival.Object
	switch {
	case v.remote.Name != "" && (want == "" || want == v.remote.Object || want == v.remote.Commit):
		return "", nil
	case v.attempt <= 2:
		return "", catalog.Errorf(catalog.Unavailable, "%s does not have %s at %.7s (yet)", v.connection.Repository, v.arrival.Ref, want)
	case v.remote.Name == "":
		return "the ref has gone since", nil
	}
	return fmt.Sprintf("the ref has moved on to %.7s since, which has a delivery of its own", v.remote.Object), nil
}

// record notes what the ref is and what is made of it.
func (v *visit) record(ctx context.Context, version string, settled bool, note string) error {
	return v.Store.PutSourceRef(ctx, catalog.SourceRef{
		ConnectionID: v.connection.ID, Name: v.arrival.Ref, Object: v.remote.Object, Commit: v.remote.Commit,
		Version: version, Settled: settled, Note: note,
	})
}

func (v *visit) settle(ctx context.Context, version, note string) (string, error) {
	return note, v.record(ctx, version, true, note)
}

// build makes a version of the fetched commit, if it may be one.
func (v *visit) build(ctx context.Context) (string, error) {
	if same, err := v.sameAs(ctx); err != nil {
		return "", err
	} else if same != "" {
		return v.settle(ctx, v.known.Version, fmt.Sprintf("not built: no file that fits %q differs from version %s", v.connection.Paths, same))
	}
	version, object := v.version()
	update := catalog.RefUpdate{Name: "refs/tags/" + version, New: object, Commit: v.remote.Commit}
	refused := v.Judge.PreReceive(ctx, catalog.Push{Image: v.image, Updates: []catalog.RefUpdate{update}})[update.Name]
	if refused == nil {
		refused = v.Sources.SetTag(ctx, v.image.Ref, version, object)
	}
	if refused != nil {
		return v.refuse(ctx, refused)
	}
	queued, err := v.Queue.Submit(ctx, []catalog.NewBuild{{
		ImageID: v.image.ID, Version: version, Trigger: catalog.TriggerGitHub, Commit: v.remote.Commit,
		UserID: v.connection.UserID, Options: catalog.BuildOptions{Context: v.connection.Context},
	}})
	if catalog.CodeOf(err) == catalog.Conflict {
		return v.lost(ctx, version, err)
	}
	if err != nil {
		return "", err
	}
	if err := v.supersede(ctx, version); err != nil {
		return "", err
	}
	return v.settle(ctx, version, fmt.Sprintf("version %s, build %d", version, queued[0].Number))
}

// version names the version, and the object its tag is set to.
func (v *visit) version() (name, object string) {
	if tag, ok := v.arrival.tag(); ok {
		return tag, v.remote.Object
	}
	branch, _ := v.arrival.branch()
	return branchVersion(branch, v.remote.Commit), v.remote.Commit
}

// sameAs returns the newest built version, when nothing that the connection's
// paths name differs from it.
func (v *visit) sameAs(ctx context.Context) (version string, err error) {
	if v.connection.Paths == "" {
		return "", nil
	}
	match, err := pathMatcher(v.connection.Paths)
	if err != nil {
		return "", err
	}
	built, err := v.Store.ListVersions(ctx, v.image.ID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: 1}})
	if err != nil || len(built) == 0 || built[0].Commit == "" {
		return "", err
	}
	if tag, ok := v.arrival.tag(); ok && tag == built[0].Name {
		return "", nil
	}
	changed, err := v.Fetcher.Changed(ctx, v.image.Ref, built[0].Commit, v.remote.Commit, match)
	if err != nil || changed {
		return "", err
	}
	return built[0].Name, nil
}

// refuse records why a tag can't be set; a store that does not answer is no reason.
func (v *visit) refuse(ctx context.Context, err error) (string, error) {
	switch catalog.CodeOf(err) {
	case catalog.Conflict, catalog.Invalid, catalog.Forbidden:
		return v.settle(ctx, v.known.Version, "refused: "+catalog.MessageOf(err))
	}
	return "", err
}

// lost deals with a version that can't be queued: it is built, or another push
// was faster.
func (v *visit) lost(ctx context.Context, version string, cause error) (string, error) {
	there, err := v.Store.Version(ctx, v.image.ID, version)
	if err != nil {
		return "", err
	}
	if there.State == catalog.Built && there.Commit == v.remote.Commit {
		return v.settle(ctx, version, fmt.Sprintf("version %s is built from this commit already", version))
	}
	if err := v.Sources.WithdrawTag(ctx, v.image.Ref, version, v.remote.Commit); err != nil {
		return "", err
	}
	return v.refuse(ctx, cause)
}

// supersede gives up the build of a branch's older commit if it has not begun.
func (v *visit) supersede(ctx context.Context, version string) error {
	if _, ok := v.arrival.branch(); !ok || v.known.Version == "" || v.known.Version == version {
		return nil
	}
	older, err := v.Store.Version(ctx, v.image.ID, v.known.Version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil || older.State != catalog.Pending || older.Trigger != catalog.TriggerGitHub {
		return err
	}
	builds, err := v.Store.ListBuilds(ctx, older.ID, catalog.Page{Limit: 1})
	if err != nil || len(builds) == 0 {
		return err
	}
	_, err = v.Queue.CancelWaiting(ctx, builds[0].ID)
	return err
}
