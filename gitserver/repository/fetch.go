package repository

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// maxHaves bounds how many commits a remote is sent the names of that need not be sent.
const maxHaves = 256

var _ catalog.Fetcher = (*Repositories)(nil)

// upstream is an open conversation with a remote.
type upstream struct {
	session transport.UploadPackSession
	refs    *packp.AdvRefs // nil when the remote is empty
}

func dialRemote(ctx context.Context, from catalog.Remote) (*upstream, error) {
	client, auth, err := clientFor(from)
	if err != nil {
		return nil, err
	}
	endpoint, err := transport.NewEndpoint(from.URL)
	if err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, "%q is not a valid URL of a git repository", from.URL)
	}
	session, err := client.NewUploadPackSession(endpoint, auth)
	if err != nil {
		return nil, remoteError(err)
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, errors.Join(remoteError(err), session.Close())
	}
	return &upstream{session, refs}, nil
}

func clientFor(from catalog.Remote) (transport.Transport, transport.AuthMethod, error) {
	u, err := url.Parse(from.URL)
	if err != nil {
		return nil, nil, catalog.Wrap(catalog.Invalid, err, "%q is not a valid URL of a git repository", from.URL)
	}
	switch u.Scheme {
	case "http", "https":
		if from.HTTP == nil {
			return nil, nil, errors.New("gitserver: Remote.HTTP is required for http")
		}
		// The client decides which redirects it follows.
		client := githttp.NewClientWithOptions(from.HTTP, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
		if from.Password == "" {
			return client, nil, nil
		}
		return client, &githttp.BasicAuth{Username: from.Username, Password: from.Password}, nil
	case "ssh":
		signer, err := gossh.ParsePrivateKey(from.PrivateKey)
		if err != nil {
			return nil, nil, catalog.Wrap(catalog.Invalid, err, "the deploy key is not valid: it must be an SSH private key without a passphrase")
		}
		keys := hostKeys{file: from.KnownHosts}
		algorithms, err := keys.algorithms(u.Host)
		if err != nil {
			return nil, nil, err
		}
		auth := &gitssh.PublicKeys{User: "git", Signer: signer}
		auth.HostKeyCallback = keys.check // without it the user's own file would be asked
		config, err := auth.ClientConfig()
		if err != nil {
			return nil, nil, err
		}
		config.Timeout, config.HostKeyAlgorithms = 30*time.Second, algorithms
		return gitssh.NewClient(config), auth, nil
	}
	return nil, nil, catalog.Errorf(catalog.Invalid, "%q must begin with https:// or ssh://", from.URL)
}

// remoteError says in our words what a remote answered.
func remoteError(err error) error {
	var known *catalog.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed),
		strings.Contains(err.Error(), "unable to authenticate"): // x/crypto/ssh has no error to know it by
		return catalog.Wrap(catalog.Unauthorized, err, "access to the repository was denied; if it is private, check its token or deploy key")
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return catalog.Wrap(catalog.NotFound, err, "the remote repository does not exist, or it is private and needs a token or a deploy key")
	}
	if strings.Contains(err.Error(), "not our ref") { // git's words
		return catalog.Wrap(catalog.NotFound, err, "the remote repository does not have this commit")
	}
	return catalog.Wrap(catalog.Unavailable, err, "failed to read the remote repository")
}

// RemoteRefs implements catalog.Fetcher.
func (r *Repositories) RemoteRefs(ctx context.Context, from catalog.Remote) (refs []catalog.RemoteRef, err error) {
	up, err := dialRemote(ctx, from)
	if err != nil {
		return nil, err
	}
	defer up.close()
	if up.refs == nil {
		return nil, nil
	}
	for name, hash := range up.refs.References {
		if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
			continue
		}
		commit := hash
		if peeled, ok := up.refs.Peeled[name]; ok {
			commit = peeled
		}
		refs = append(refs, catalog.RemoteRef{Name: name, Object: hash.String(), Commit: commit.String()})
	}
	slices.SortFunc(refs, func(a, b catalog.RemoteRef) int { return strings.Compare(a.Name, b.Name) })
	return refs, nil
}

// close hangs up. What the remote says to that changes nothing.
func (u *upstream) close() { _ = u.session.Close() }

// Fetch implements catalog.Fetcher. As with a push, the objects lie in
// quarantine until all of them and their links are checked.
func (r *Repositories) Fetch(ctx context.Context, ref catalog.ImageRef, q catalog.FetchRequest) (string, error) {
	want := plumbing.NewHash(q.Object)
	if commit, err := r.commitOf(ref, want); err == nil || catalog.CodeOf(err) != catalog.NotFound {
		return commit, err
	}
	quarantine, err := r.NewQuarantine(ref)
	if err != nil {
		return "", err
	}
	defer quarantine.discard()
	err = r.download(ctx, quarantine, q, want)
	if err == nil {
		err = quarantine.Check(ctx)
	}
	if err == nil { // a remote that gives what its refs name alone may have sent all but this
		if _, missing := quarantine.Peel(want); errors.Is(missing, objects.ErrNotFound) {
			err = catalog.Wrap(catalog.Unavailable, missing, "the remote has no object %s", want)
		}
	}
	if err == nil && q.Arrived != nil {
		var release func()
		if release, err = q.Arrived(ctx, quarantine.Bytes()); err == nil {
			defer release()
		}
	}
	if err == nil {
		err = quarantine.Enter(nil, quarantine.Install)
	}
	if err != nil {
		return "", fetchError(err)
	}
	defer r.Maintain(ctx, ref)
	return r.commitOf(ref, want)
}

// commitOf returns the commit of an object that the repository has. Errors:
// NotFound, Invalid (it is of no commit).
func (r *Repositories) commitOf(ref catalog.ImageRef, object plumbing.Hash) (string, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return "", err
	}
	defer objects.Discard(repo)
	target, err := repo.Objects.Peel(object)
	if errors.Is(err, objects.ErrNotFound) {
		return "", catalog.Wrap(catalog.NotFound, err, "%s has no object %s", ref, object)
	}
	if errors.Is(err, objects.ErrTagChain) {
		return "", TooManyTags("the tag")
	}
	if err == nil && target.Type != plumbing.CommitObject {
		err = catalog.Errorf(catalog.Invalid, "the tag does not point to a commit; tag a commit to build it")
	}
	return target.Hash.String(), err
}

// TooManyTags refuses what is objects.ErrTagChain.
func TooManyTags(what string) error {
	return catalog.Errorf(catalog.Invalid, "%s is a chain of too many nested tags; tag the commit itself", what)
}

// download receives what the remote has of want and we have not.
func (r *Repositories) download(ctx context.Context, into *Quarantine, q catalog.FetchRequest, want plumbing.Hash) error {
	up, err := dialRemote(ctx, q.From)
	if err != nil {
		return err
	}
	defer up.close()
	if up.refs == nil {
		return catalog.Errorf(catalog.NotFound, "the remote repository is empty")
	}
	request := packp.NewUploadPackRequestFromCapabilities(up.refs.Capabilities)
	request.Wants = up.wants(want)
	alone := slices.Equal(request.Wants, []plumbing.Hash{want})
	if request.Haves, request.Shallows, err = r.inCommon(into.ref, up.refs); err != nil {
		return err
	}
	// What follows on something we have comes with the history between; git
	// would send every file of a cut history again.
	if alone && len(request.Haves) == 0 && up.refs.Capabilities.Supports(capability.Shallow) {
		request.Depth = packp.DepthCommits(1)
	}
	if request.Depth != packp.DepthCommits(0) || len(request.Shallows) > 0 {
		if err := request.Capabilities.Set(capability.Shallow); err != nil {
			return err
		}
	}
	response, err := up.session.UploadPack(ctx, request)
	if err != nil {
		return remoteError(err)
	}
	defer func() { _ = response.Close() }()
	limits := objects.Limits{PackBytes: q.MaxPackBytes, ObjectBytes: q.MaxObjectBytes, Objects: q.MaxObjects}
	return into.Receive(packOf(request.Capabilities, response), limits, response.Shallows)
}

// wants returns what to ask for to get an object: it alone, where a ref names it or the remote gives others, too; else
// all that its refs name.
func (u *upstream) wants(object plumbing.Hash) []plumbing.Hash {
	for _, may := range []capability.Capability{capability.AllowReachableSHA1InWant, capability.AllowTipSHA1InWant} {
		if u.refs.Capabilities.Supports(may) {
			return []plumbing.Hash{object}
		}
	}
	all := map[plumbing.Hash]bool{}
	for _, h := range u.refs.References {
		all[h] = true
	}
	if all[object] {
		return []plumbing.Hash{object}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
}

// packOf unwraps the pack from the sideband.
func packOf(capabilities *capability.List, r io.Reader) io.Reader {
	switch {
	case capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}

// inCommon returns the commits that the remote's refs name and the repository
// has, and where the repository's history ends.
func (r *Repositories) inCommon(ref catalog.ImageRef, remote *packp.AdvRefs) (haves, shallow []plumbing.Hash, err error) {
	repo, err := r.Open(ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer objects.Discard(repo)
	seen := map[plumbing.Hash]bool{}
	for name, h := range remote.References {
		if peeled, ok := remote.Peeled[name]; ok {
			h = peeled
		}
		typ, _, err := repo.Objects.Header(h)
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			return nil, nil, err
		}
		if err != nil || seen[h] || typ != plumbing.CommitObject {
			continue
		}
		seen[h] = true
		if haves = append(haves, h); len(haves) == maxHaves {
			break
		}
	}
	if len(haves) > 0 {
		shallow, err = repo.Shallow()
	}
	return haves, shallow, err
}

// fetchError says in words why a pack was not taken.
func fetchError(err error) error {
	var limit *objects.LimitError
	var missing *objects.MissingError
	switch {
	case errors.As(err, &limit):
		return catalog.Errorf(catalog.TooLarge, "%v; leave large files out of the history, or ask the server's administrator to raise the limit", limit)
	case errors.As(err, &missing):
		return catalog.Errorf(catalog.Unavailable, "%v, although it was requested from the remote", missing)
	case errors.Is(err, objects.ErrCorrupt):
		return catalog.Wrap(catalog.Invalid, err, "the fetched objects are not valid: %s", strings.TrimPrefix(err.Error(), objects.ErrCorrupt.Error()+": "))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return catalog.Wrap(catalog.Unavailable, err, "the remote closed the connection before sending everything")
	}
	return err
}
