package registry

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// maxPending bounds what is remembered of one namespace.
const maxPending = 100_000

// pendingDir has an empty file for each thing that is pending, <namespace>/<key>: it counts after a restart, too.
const pendingDir = "pending"

// pending is what users uploaded that belongs to nothing: unfinished uploads, and blobs that no manifest under a tag names. It
// counts as used, or a namespace would have any amount of it until it is collected.
type pending struct {
	dir    string
	logger hclog.Logger

	mu sync.Mutex
	of map[string]map[string]int64 // by namespace: bytes by digest, or by the address of an upload
}

// uploadKey names an unfinished upload. No digest has a slash.
func uploadKey(ref catalog.ImageRef, upload string) string { return ref.String() + "/" + upload }

func (p *pending) note(namespace, key string, bytes int64) {
	if p.set(namespace, key, bytes) {
		return
	}
	file := p.file(namespace, key)
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, nil, 0o600)
	}
	if err != nil {
		p.logger.Warn("what was uploaded to the registry does not count after a restart", "namespace", namespace, "what", key, "error", err)
	}
}

// set has something count, and reports whether it did before.
func (p *pending) set(namespace, key string, bytes int64) (did bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[namespace] == nil {
		p.of[namespace] = map[string]int64{}
	}
	_, did = p.of[namespace][key]
	p.of[namespace][key] = bytes
	return did
}

func (p *pending) file(namespace, key string) string {
	return filepath.Join(p.dir, namespace, url.PathEscape(key))
}

func (p *pending) forget(namespace, key string) {
	if !p.unset(namespace, key) {
		return
	}
	if err := ignoreNotExist(os.Remove(p.file(namespace, key))); err != nil {
		p.logger.Warn("what is not pending any more counts after a restart, until it is collected", "namespace", namespace, "what", key, "error", err)
	}
}

// unset has something count no more, and reports whether it did.
func (p *pending) unset(namespace, key string) (did bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, did = p.of[namespace][key]
	delete(p.of[namespace], key)
	return did
}

// beside returns what a namespace has, without one key.
func (p *pending) beside(namespace, without string) map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.of[namespace])
	delete(all, without)
	return all
}

// forgetGone forgets what is not there any more, and reports whether that was anything.
func (p *pending) forgetGone(namespace string, there func(key string) bool) (any bool) {
	for key := range p.beside(namespace, "") {
		if !there(key) {
			p.forget(namespace, key)
			any = true
		}
	}
	return any
}

func (p *pending) namespaces() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for name := range p.of {
		all = append(all, name)
	}
	return all
}

// loadPending finds what was pending when the registry was last closed. The links by which an image has a blob do not count any more.
func (r *Registry) loadPending() error {
	namespaces, err := os.ReadDir(r.pending.dir)
	errs := []error{ignoreNotExist(err)}
	for _, namespace := range namespaces {
		dir := filepath.Join(r.pending.dir, namespace.Name())
		files, err := os.ReadDir(dir)
		errs = append(errs, err)
		for _, file := range files {
			key, err := url.PathUnescape(file.Name())
			if err != nil || !r.isThere(key) {
				errs = append(errs, os.Remove(filepath.Join(dir, file.Name())))
				continue
			}
			r.pending.set(namespace.Name(), key, diskspace.Used(filepath.Dir(r.pendingFile(key))))
		}
		_ = os.Remove(dir) // if it is empty
	}
	return errors.Join(errs...)
}

// isThere reports whether something pending is on disk. What can't be looked at is.
func (r *Registry) isThere(key string) bool {
	_, err := os.Stat(r.pendingFile(key))
	return !errors.Is(err, os.ErrNotExist)
}

// pendingFile is where something pending is, in a directory of its own; "" for what is none.
func (r *Registry) pendingFile(key string) string {
	if d, err := digest.Parse(key); err == nil {
		return r.blobPath(d)
	}
	parts := strings.Split(key, "/")
	if len(parts) != 3 || !filepath.IsLocal(key) {
		return ""
	}
	return filepath.Join(r.uploadsOf(catalog.ImageRef{Namespace: parts[0], Name: parts[1]}), parts[2], "data")
}

// forgetCollected is called when blobs and uploads were removed.
func (r *Registry) forgetCollected() {
	for _, namespace := range r.pending.namespaces() {
		r.pending.forgetGone(namespace, r.isThere)
	}
}

// room reserves room for contents, bytes by digest, and more, beside what is pending but for one key of it. What was begun may end, and so may builds. Errors: Forbidden: it is
// what clients show the reason of, and don't try again.
func (c *call) room(contents map[string]int64, more catalog.Amounts, without string) (release func(), err error) {
	r, namespace := c.registry, c.image.Ref.Namespace
	if c.id.Build != nil || r.admission == nil {
		return func() {}, nil
	}
	for {
		beside := r.pending.beside(namespace, without)
		waiting := len(beside)
		maps.DeleteFunc(beside, func(key string, _ int64) bool { _, comes := contents[key]; return comes })
		if waiting > maxPending {
			err = catalog.Errorf(catalog.RateLimited, "namespace %s has %d uploads that belong to no version; push the manifests that name them, or wait until they are collected", namespace, waiting)
		} else {
			release, err = r.admission.ReserveBeside(c.req.Context(), namespace, beside, contents, more)
		}
		switch code := catalog.CodeOf(err); {
		case err == nil:
			return release, nil
		case code != catalog.Forbidden && code != catalog.RateLimited || waiting <= 0:
			return nil, noRoom(err)
		case !r.pending.forgetGone(namespace, r.isThere):
			if code == catalog.Forbidden {
				err = catalog.Wrap(code, err, "%s. What was uploaded and belongs to no version counts until it is collected", catalog.MessageOf(err))
			}
			return nil, noRoom(err)
		}
	}
}

// notePending remembers what is pending of a user's push; 0 bytes: nothing.
func (c *call) notePending(key string, bytes int64) {
	switch {
	case c.id.Build != nil || c.registry.admission == nil:
	case bytes == 0:
		c.registry.pending.forget(c.image.Ref.Namespace, key)
	default:
		c.registry.pending.note(c.image.Ref.Namespace, key, bytes)
	}
}

// noteStored remembers a blob that is stored.
func (c *call) noteStored(d digest.Digest) {
	c.notePending(d.String(), c.registry.onDisk(c.image.Ref, map[digest.Digest]int64{d: 0})[d.String()])
}

// noteUpload remembers what came of an upload, by what the app answered.
func (c *call) noteUpload(upload string, answer *bufferedResponse) {
	key, length := uploadKey(c.image.Ref, upload), int64(0)
	switch answer.status {
	case http.StatusCreated:
		if d, err := digest.Parse(answer.header.Get("Docker-Content-Digest")); err == nil {
			c.noteStored(d)
		}
	case http.StatusAccepted:
		var err error
		if length, _, err = c.registry.noteLength(c.image, upload); err != nil {
			return
		}
	case http.StatusNoContent: // it was cancelled, or asked about
		if c.req.Method != http.MethodDelete {
			return
		}
	default:
		return // what is not there any more is found out when there is no room
	}
	c.notePending(key, length)
}

// noteManifest remembers one that no tag names; what a tag names belongs to something.
func (c *call) noteManifest(p *manifestPut) {
	if _, err := digest.Parse(p.ref); err == nil {
		c.noteStored(p.digest)
		return
	}
	for key := range p.added {
		c.notePending(key, 0)
	}
}

// admit asks whether there is room for what a user pushes. Errors: as of room.
func (c *call) admit(more catalog.Amounts) error {
	release, err := c.room(nil, more, "")
	if err == nil {
		release()
	}
	return err
}

// reserve is admit for contents, bytes by digest, which count as used until release is called.
func (c *call) reserve(contents map[string]int64) (release func(), err error) {
	return c.room(contents, catalog.Amounts{}, "")
}
