package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// routes recognises requests with the same patterns as the app behind us, so
// that what was authorized is what is done.
var routes = v2.Router()

// ServeHTTP authenticates, asks the catalog, and hands what is allowed to the app.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	id, err := r.identify(req)
	if err != nil {
		r.fail(w, req, err)
		return
	}
	if m := referrersRoute.FindStringSubmatch(req.URL.Path); m != nil && req.Method == http.MethodGet {
		handler, err := r.listReferrers(req, id, m[1], m[2])
		if err != nil {
			r.fail(w, req, err)
			return
		}
		handler.ServeHTTP(w, req)
		return
	}
	var match mux.RouteMatch
	if !routes.Match(req, &match) || match.MatchErr != nil {
		r.fail(w, req, catalog.Errorf(catalog.NotFound, "the registry has nothing at this address"))
		return
	}
	handler, err := r.allow(req, id, match.Route.GetName(), match.Vars)
	if err != nil {
		r.fail(w, req, err)
		return
	}
	// The app reads form values, and a form in the body would say what nobody
	// here has looked at: only the query counts.
	req.Form, req.PostForm = req.URL.Query(), url.Values{}
	handler.ServeHTTP(w, req)
}

func (r *Registry) identify(req *http.Request) (catalog.Identity, error) {
	username, password, ok := req.BasicAuth()
	if !ok {
		return catalog.Identity{}, catalog.Errorf(catalog.Unauthorized, "log in first: docker login with your Fandogh name and password, or a token in its place")
	}
	if id, ok := r.Grants.identity(username, password); ok {
		return id, nil
	}
	id, err := r.auth.ByPassword(req.Context(), req.RemoteAddr, username, password)
	switch {
	case err != nil:
		r.audit(req, username, "login failed")
	case req.URL.Path == "/v2/": // where clients begin; all else repeats it
		r.audit(req, username, "login")
	}
	return id, err
}

// audit leaves a line in the audit log about what somebody did, and from where.
func (r *Registry) audit(req *http.Request, user, what string, about ...any) {
	r.logger.ResetNamed("audit").Info(what, append(about, "face", "registry", "user", user, "from", req.RemoteAddr)...)
}

// allow returns what serves the request. It may change the request on its way
// to the app.
func (r *Registry) allow(req *http.Request, id catalog.Identity, route string, vars map[string]string) (http.Handler, error) {
	ctx := req.Context()
	switch route {
	case v2.RouteNameBase:
		return r.app, nil
	case v2.RouteNameCatalog:
		return r.app, catalog.Authorize(ctx, r.store, id, catalog.ActionAdmin, catalog.Target{})
	}
	read := req.Method == http.MethodGet || req.Method == http.MethodHead
	image, err := r.image(ctx, id, vars["name"])
	if catalog.CodeOf(err) == catalog.NotFound && id.Build == nil && (!read && route == v2.RouteNameManifest || strings.HasPrefix(route, v2.RouteNameBlobUpload)) {
		image, err = r.newImage(ctx, id, vars["name"])
	}
	if err != nil {
		return nil, err
	}
	if err := r.use(digestsOf(req, vars)...); err != nil {
		return nil, err
	}
	switch {
	case route == v2.RouteNameTags:
		return r.tags(image), nil
	case req.Method == http.MethodDelete && route != v2.RouteNameBlobUploadChunk:
		return nil, catalog.Errorf(catalog.Forbidden, "the registry deletes nothing by itself; delete the version or the image in Fandogh, and its tag goes with it")
	case route == v2.RouteNameManifest && read:
		return r.app, r.allowPull(req, id, image, vars["reference"])
	case route == v2.RouteNameManifest:
		return r.putManifest(id, image, vars["reference"]), r.allowPut(ctx, id, image, vars["reference"])
	case route == v2.RouteNameBlob && read:
		return r.download(image, digest.Digest(vars["digest"])), nil
	default:
		r.guardMount(req, id)
		return r.app, r.allowPush(ctx, id, image, "")
	}
}

// image returns a repository's image if the identity may read it; otherwise it
// does not exist, whatever the reason.
func (r *Registry) image(ctx context.Context, id catalog.Identity, repository string) (catalog.Image, error) {
	namespace, name, _ := strings.Cut(repository, "/")
	unknown := catalog.Errorf(catalog.NotFound, "there is no image %s, or you have no access to it", repository)
	err := catalog.Authorize(ctx, r.store, id, catalog.ActionRead, catalog.Target{Namespace: namespace, Image: name})
	if err == nil {
		var image catalog.Image
		if image, err = r.store.Image(ctx, catalog.ImageRef{Namespace: namespace, Name: name}); err == nil {
			return image, nil
		}
	}
	switch catalog.CodeOf(err) {
	case catalog.NotFound, catalog.Forbidden, catalog.Invalid:
		return catalog.Image{}, unknown
	}
	return catalog.Image{}, err
}

// newImage stands for an image that a push is about to make. Errors: NotFound
// for who may not know the namespace, Forbidden, Invalid.
func (r *Registry) newImage(ctx context.Context, id catalog.Identity, repository string) (catalog.Image, error) {
	namespace, name, _ := strings.Cut(repository, "/")
	ref := catalog.ImageRef{Namespace: namespace, Name: name}
	if err := catalog.Authorize(ctx, r.store, id, catalog.ActionWrite, catalog.Target{Namespace: namespace, Image: name}); err != nil {
		return catalog.Image{}, err
	}
	return catalog.Image{Ref: ref}, ref.Validate()
}

// digestsOf returns the digests a request's address names.
func digestsOf(req *http.Request, vars map[string]string) (found []digest.Digest) {
	query := req.URL.Query()
	for _, text := range []string{vars["digest"], vars["reference"], query.Get("digest"), query.Get("mount")} {
		if d, err := digest.Parse(text); err == nil {
			found = append(found, d)
		}
	}
	return found
}

// allowPull lets pulls by tag see built versions only, each with the digest the
// catalog recorded: a tag that a failed build left behind is never served. A
// digest is served if the repository holds it.
func (r *Registry) allowPull(req *http.Request, id catalog.Identity, image catalog.Image, ref string) error {
	if _, err := digest.Parse(ref); err == nil {
		return nil
	}
	if id.Build != nil && pushes(id, image) && id.Build.Version == ref {
		return r.useTag(req.Context(), image.Ref, ref)
	}
	version, err := r.store.Version(req.Context(), image.ID, ref)
	if catalog.CodeOf(err) == catalog.NotFound || err == nil && version.State != catalog.Built {
		return &catalog.Error{Code: catalog.NotFound, Field: manifestUnknown,
			Message: "image " + image.Ref.String() + " has no built version " + ref}
	}
	if err != nil {
		return err
	}
	if version.Digest != "" {
		req.URL.Path = strings.TrimSuffix(req.URL.Path, ref) + version.Digest
		req.URL.RawPath = ""
	}
	return nil
}

// allowPut lets a build store its own version and the manifests it consists of,
// and a user what putManifest then looks at.
func (r *Registry) allowPut(ctx context.Context, id catalog.Identity, image catalog.Image, ref string) error {
	if _, err := digest.Parse(ref); err == nil || id.Build == nil {
		return r.allowPush(ctx, id, image, "")
	}
	version, err := r.store.Version(ctx, image.ID, ref)
	if err == nil && version.State == catalog.Built {
		return catalog.Errorf(catalog.Conflict, "version %s is built and never changes; choose another version", ref)
	}
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	return r.allowPush(ctx, id, image, ref)
}

func (r *Registry) allowPush(ctx context.Context, id catalog.Identity, image catalog.Image, version string) error {
	target := catalog.Target{Namespace: image.Ref.Namespace, Image: image.Ref.Name, Version: version}
	if id.Build == nil {
		return catalog.Authorize(ctx, r.store, id, catalog.ActionWrite, target)
	}
	err := catalog.Authorize(ctx, r.store, id, catalog.ActionPushResult, target)
	if catalog.CodeOf(err) == catalog.Forbidden {
		return catalog.Errorf(catalog.Forbidden, "this build may store only version %s of %s", id.Build.Version, id.Build.Image)
	}
	return err
}

func pushes(id catalog.Identity, image catalog.Image) bool {
	return id.Build.Image.Repository() == image.Ref.Repository()
}

// guardMount drops a wish to mount a blob from a repository that the identity
// can't read. The client then uploads it, as if the blob were not there.
func (r *Registry) guardMount(req *http.Request, id catalog.Identity) {
	query := req.URL.Query()
	if !query.Has("mount") && !query.Has("from") {
		return
	}
	if _, err := r.image(req.Context(), id, query.Get("from")); err == nil {
		return
	}
	query.Del("mount")
	query.Del("from")
	req.URL.RawQuery = query.Encode()
}

func fieldOf(err error) string {
	var e *catalog.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}
