package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// store is what is kept: blobs by digest, manifests among them, and a record for each repository of what it has
// of them. A file's time is when it was last used.
type store struct {
	dir       string
	max       int64
	leaveFree int64
	now       func() time.Time
	log       hclog.Logger

	mu      sync.Mutex
	records map[string]*record // by registry and repository
	blobs   map[digest.Digest]*blob
	total   int64 // bytes of blobs
}

type blob struct {
	size int64
	used time.Time
}

// record is what is kept of a repository.
type record struct {
	Registry   string                    `json:"registry"`
	Repository string                    `json:"repository"`
	Checked    time.Time                 `json:"checked"` // when its registry last let anyone have something
	Tags       map[string]tagged         `json:"tags"`
	Manifests  map[digest.Digest]*holder `json:"manifests"`
}

type tagged struct {
	Digest  digest.Digest `json:"digest"`
	Checked time.Time     `json:"checked"`
}

// holder is a manifest with what it refers to.
type holder struct {
	MediaType string                  `json:"media_type"`
	Parts     map[digest.Digest]int64 `json:"parts,omitempty"`     // configuration and layers, with their sizes
	Manifests []digest.Digest         `json:"manifests,omitempty"` // of an index
}

const (
	recordsDir = "repositories"
	blobsDir   = "blobs"
	tempPrefix = ".new-"
)

func openStore(cfg Config) (*store, error) {
	s := &store{dir: cfg.Dir, max: cfg.MaxBytes, leaveFree: cfg.LeaveFree, now: cfg.Now, log: cfg.Logger, records: map[string]*record{}, blobs: map[digest.Digest]*blob{}}
	for _, dir := range []string{recordsDir, blobsDir} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	s.shrink()
	return s, nil
}

// load reads what a process before kept. What can't be read is fetched again some time.
func (s *store) load() error {
	blobs, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	if err != nil {
		return err
	}
	for _, entry := range blobs {
		d := digest.Digest(entry.Name())
		info, err := entry.Info()
		if err != nil || d.Validate() != nil {
			_ = os.Remove(filepath.Join(s.dir, blobsDir, entry.Name())) // of a download that ended with the process
			continue
		}
		s.blobs[d] = &blob{info.Size(), info.ModTime()}
		s.total += info.Size()
	}
	records, err := os.ReadDir(filepath.Join(s.dir, recordsDir))
	if err != nil {
		return err
	}
	for _, entry := range records {
		file := filepath.Join(s.dir, recordsDir, entry.Name())
		r := &record{}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, r)
		}
		if err != nil || s.recordFile(r) != file {
			s.log.Warn("removed a damaged record of what is kept of a repository", "file", file, "error", err)
			_ = os.Remove(file)
			continue
		}
		r.fill()
		s.records[r.key()] = r
	}
	return nil
}

func (r *record) key() string { return r.Registry + "/" + r.Repository }

// fill makes what an empty record lacks.
func (r *record) fill() {
	if r.Tags == nil {
		r.Tags = map[string]tagged{}
	}
	if r.Manifests == nil {
		r.Manifests = map[digest.Digest]*holder{}
	}
}

func (s *store) recordFile(r *record) string {
	sum := sha256.Sum256([]byte(r.key()))
	return filepath.Join(s.dir, recordsDir, hex.EncodeToString(sum[:])+".json")
}

func (s *store) blobFile(d digest.Digest) string { return filepath.Join(s.dir, blobsDir, d.String()) }

// save writes a record, or removes one that says nothing.
func (s *store) save(r *record) error {
	if len(r.Manifests) == 0 {
		delete(s.records, r.key())
		return ignoreMissing(os.Remove(s.recordFile(r)))
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.Replace(s.recordFile(r), text, 0o600)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// manifest returns what is kept of a reference, and since when it is known to be so.
func (s *store) manifest(ref reference) (found manifest, checked time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[ref.registry+"/"+ref.repository]
	if r == nil {
		return manifest{}, time.Time{}, false
	}
	found.digest, checked = ref.digest, r.Checked
	if ref.tag != "" {
		tag, ok := r.Tags[ref.tag]
		if !ok {
			return manifest{}, time.Time{}, false
		}
		found.digest, checked = tag.Digest, tag.Checked
	}
	h := r.Manifests[found.digest]
	if h == nil {
		return manifest{}, time.Time{}, false
	}
	body, err := os.ReadFile(s.blobFile(found.digest))
	if err != nil || found.digest.Algorithm().FromBytes(body) != found.digest {
		s.damaged(found.digest)
		return manifest{}, time.Time{}, false
	}
	found.mediaType, found.body = h.MediaType, body
	return found, checked, true
}

// use notes that a manifest was used, and those that it lists: who has an index does not ask for them again.
func (s *store) use(ref reference, d digest.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[ref.registry+"/"+ref.repository]; r != nil && r.Manifests[d] != nil {
		for _, used := range append(slices.Clone(r.Manifests[d].Manifests), d) {
			s.touch(used)
		}
	}
}

// touch notes that a blob was used.
func (s *store) touch(d digest.Digest) {
	if b := s.blobs[d]; b != nil {
		b.used = s.now()
		_ = os.Chtimes(s.blobFile(d), b.used, b.used) // at worst it goes sooner
	}
}

// damaged drops a blob whose file is not what it should be.
func (s *store) damaged(d digest.Digest) {
	s.log.Warn("removed damaged content; it will be fetched again", "digest", d)
	s.drop(d)
	for _, r := range s.records {
		if r.Manifests[d] != nil {
			s.removeManifest(r, d)
		}
	}
}

func (s *store) drop(d digest.Digest) {
	if b := s.blobs[d]; b != nil {
		s.total -= b.size
		delete(s.blobs, d)
	}
	if err := ignoreMissing(os.Remove(s.blobFile(d))); err != nil {
		s.log.Warn("failed to remove kept content", "digest", d, "error", err)
	}
}

// keep keeps a registry's answer about a reference.
func (s *store) keep(ref reference, found manifest) error {
	h, err := read(found)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[ref.registry+"/"+ref.repository]
	if r == nil {
		r = &record{Registry: ref.registry, Repository: ref.repository}
		r.fill()
	}
	if s.blobs[found.digest] == nil {
		if err := atomicfile.Replace(s.blobFile(found.digest), found.body, 0o600); err != nil {
			return err
		}
		s.blobs[found.digest] = &blob{size: int64(len(found.body))}
		s.total += int64(len(found.body))
	}
	s.touch(found.digest)
	r.Checked = s.now()
	r.Manifests[found.digest] = h
	if ref.tag != "" {
		r.Tags[ref.tag] = tagged{found.digest, r.Checked}
	}
	s.records[r.key()] = r
	err = s.save(r)
	s.shrink()
	return err
}

// read finds what a manifest refers to.
func read(m manifest) (*holder, error) {
	var parts struct {
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(m.body, &parts); err != nil {
		return nil, err
	}
	h := &holder{MediaType: m.mediaType, Parts: map[digest.Digest]int64{}}
	if parts.Config != nil {
		parts.Layers = append(parts.Layers, *parts.Config)
	}
	for _, d := range parts.Layers {
		if d.Digest.Validate() == nil && d.Size > 0 {
			h.Parts[d.Digest] = d.Size
		}
	}
	for _, d := range parts.Manifests {
		if d.Digest.Validate() == nil {
			h.Manifests = append(h.Manifests, d.Digest)
		}
	}
	return h, nil
}
