package mirror

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"

	distribution "github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// address is a manifest or a blob.
var address = regexp.MustCompile(`^/v2/([^?]+)/(manifests|blobs)/([^/]+)$`)

// registryParameter is where BuildKit's resolver names the registry that a mirror is asked for.
const registryParameter = "ns"

// RegistryOf returns the registry that a request asks for; empty: the one it is sent to.
func RegistryOf(r *http.Request) string { return r.URL.Query().Get(registryParameter) }

// ServeHTTP answers a running build's GET or HEAD of a manifest or a blob. When no registry answered, it breaks the
// connection off: BuildKit then asks the registry itself, and says that nobody responded if it fails, too.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	if _, ok := m.cfg.Authorize(username, password); !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="fandogh"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "only running builds are answered")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "a mirror is read only")
		return
	}
	ref, blob, ok := m.parse(r)
	if !ok {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "this is no address of a manifest or a blob")
		return
	}
	var err error
	if blob {
		err = m.serveBlob(w, r, ref)
	} else {
		err = m.serveManifest(w, r, ref)
	}
	if err == nil {
		return
	}
	m.log.Debug("request failed", "for", ref, "error", err)
	status := statusOf(err)
	if status < http.StatusBadRequest {
		panic(http.ErrAbortHandler)
	}
	refuse(w, status, http.StatusText(status), "the registry refused it")
}

// parse reads what is asked for.
func (m *Mirror) parse(r *http.Request) (ref reference, blob, ok bool) {
	parts := address.FindStringSubmatch(r.URL.Path)
	registry := RegistryOf(r)
	if parts == nil || !m.Serves(registry) {
		return ref, false, false
	}
	named, err := distribution.WithName(registry + "/" + parts[1])
	if err != nil {
		return ref, false, false
	}
	ref, blob = reference{registry: registry, repository: parts[1]}, parts[2] == "blobs"
	if d, err := digest.Parse(parts[3]); err == nil {
		ref.digest = d
		return ref, blob, true
	}
	ref.tag = parts[3]
	_, err = distribution.WithTag(named, ref.tag)
	return ref, blob, err == nil && !blob
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}}) // a client that went away
}

func (m *Mirror) serveManifest(w http.ResponseWriter, r *http.Request, ref reference) error {
	found, err := m.manifest(r.Context(), ref)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", found.mediaType)
	h.Set("Content-Length", strconv.Itoa(len(found.body)))
	h.Set("Docker-Content-Digest", found.digest.String())
	if r.Method != http.MethodHead {
		_, _ = w.Write(found.body) // a client that went away
	}
	return nil
}

func (m *Mirror) serveBlob(w http.ResponseWriter, r *http.Request, ref reference) error {
	size, linked := int64(unknown), false
	if m.keeps(ref.registry) {
		if served, err := m.store.serve(w, r, ref); served || err != nil {
			return err
		}
		size, linked = m.store.linked(ref)
	}
	if r.Method == http.MethodHead {
		// Nothing is fetched for a question.
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "it is not kept here")
		return nil
	}
	to := &response{w: w, size: size}
	var err error
	if linked && size <= m.cfg.MaxBytes && m.store.hasRoom(size) {
		err = m.download(ref, size).follow(r.Context(), to)
	} else {
		err = m.fetchBlob(r.Context(), ref, size, to)
	}
	if err != nil && to.begun {
		m.log.Warn("failed to pass content on", "of", ref, "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// response sends a blob, and its headers before the first byte.
type response struct {
	w     http.ResponseWriter
	size  int64
	begun bool
}

func (r *response) Write(b []byte) (int, error) {
	if !r.begun {
		r.begun = true
		r.w.Header().Set("Content-Type", "application/octet-stream")
		if r.size != unknown {
			r.w.Header().Set("Content-Length", strconv.FormatInt(r.size, 10))
		}
	}
	return r.w.Write(b)
}
