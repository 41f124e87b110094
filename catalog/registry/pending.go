package registry

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxPending bounds what is remembered of one namespace.
const maxPending = 100_000

// pending is what users uploaded since the start that belongs to nothing: unfinished uploads, and blobs that no manifest under a tag names. It
// counts as used, or a namespace would have any amount of it until it is collected.
type pending struct {
	mu sync.Mutex
	of map[string]map[string]int64 // by namespace: bytes by digest, or by the address of an upload
}

// uploadKey names an unfinished upload. No digest has a slash.
func uploadKey(ref catalog.ImageRef, upload string) string { return ref.String() + "/" + upload }

func (p *pending) note(namespace, key string, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]map[string]int64{}
	}
	if p.of[namespace] == nil {
		p.of[namespace] = map[string]int64{}
	}
	p.of[namespace][key] = bytes
}

func (p *pending) forget(namespace string, keys ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range keys {
		delete(p.of[namespace], key)
	}
}

// beside returns what a namespace has, and contents, which are on their way; without one key.
func (p *pending) beside(namespace string, contents map[string]int64, without string) map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.of[namespace])
	if all == nil {
		all = map[string]int64{}
	}
	delete(all, without)
	maps.Copy(all, contents)
	return all
}

// forgetGone forgets what is not there any more, and reports whether that was anything.
func (p *pending) forgetGone(namespace string, there func(key string) bool) (any bool) {
	for key := range p.beside(namespace, nil, "") {
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

// isThere reports whether something pending is on disk. What can't be looked at is.
func (r *Registry) isThere(key string) bool {
	path := ""
	if d, err := digest.Parse(key); err == nil {
		path = r.blobPath(d)
	} else if namespace, rest, ok := strings.Cut(key, "/"); ok {
		name, upload, _ := strings.Cut(rest, "/")
		path = filepath.Join(r.uploadsOf(catalog.ImageRef{Namespace: namespace, Name: name}), upload)
	}
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
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
		all := r.pending.beside(namespace, contents, without)
		waiting := len(all) - len(contents)
		if more.Bytes == 0 && len(contents) == 0 {
			all = nil // nothing more is to be stored
		}
		if waiting > maxPending {
			err = catalog.Errorf(catalog.RateLimited, "namespace %s has %d uploads that belong to no version; push the manifests that name them, or wait until they are collected", namespace, waiting)
		} else {
			release, err = r.admission.Reserve(c.req.Context(), namespace, all, more)
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
