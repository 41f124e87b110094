// Package quota says what namespaces take, and whether one may have more.
//
// A Service is made by New and has no work of its own. What versions need of the registry is found out when it is first asked for, and
// kept in the store: a version that is built never changes, and what is said of it later has it found out again. Whether more may be,
// catalog.Quota decides; what is counted and not measured the store asks again in the transaction that adds it.
package quota

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Store is the part of the catalog that is asked.
type Store interface {
	catalog.Usage
	catalog.Images
	// Namespace is that of catalog.Namespaces, and NamespaceLimits that of catalog.NamespaceSettings.
	Namespace(ctx context.Context, name string) (catalog.Namespace, error)
	NamespaceLimits(ctx context.Context, namespace string) (catalog.NamespaceLimits, error)
}

// Config is what New needs; all but Tagged, Quota and Room is required.
type Config struct {
	Store Store
	// Contents returns what a built version needs of the registry, bytes on disk by digest.
	Contents func(ctx context.Context, image catalog.Image, v catalog.Version) (map[string]int64, error)
	// Tagged returns what an image keeps of the registry under tags that are no versions, in the same way; nil: nothing.
	Tagged func(ctx context.Context, image catalog.Image) (map[string]int64, error)
	// Git returns the bytes on disk of an image's repository, and Log of a build's log: 0 where there is none.
	Git func(ref catalog.ImageRef) int64
	Log func(buildID int64) int64
	// Quota returns that of namespaces for which nothing else is set; nil: none.
	Quota func() catalog.Quota
	// Room says why nobody may have more, nil where it is for quotas to say; nil: it is.
	Room func() error
}

// Service knows what namespaces take. It implements catalog.UsageReport and catalog.Admission.
type Service struct {
	config Config

	mu       sync.Mutex
	reserved []*reservation // in the order of their places
	places   int64          // that were given
}

var (
	_ catalog.UsageReport = (*Service)(nil)
	_ catalog.Admission   = (*Service)(nil)
)

// New returns a Service.
func New(c Config) *Service {
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	if c.Tagged == nil {
		c.Tagged = func(context.Context, catalog.Image) (map[string]int64, error) { return nil, nil }
	}
	if c.Quota == nil {
		c.Quota = func() catalog.Quota { return catalog.Quota{} }
	}
	return &Service{config: c}
}

// Usage returns what a namespace takes. Errors: NotFound.
func (s *Service) Usage(ctx context.Context, namespace string) (catalog.NamespaceUsage, error) {
	use, _, err := s.usage(ctx, namespace)
	if err == nil {
		use.Quota, err = s.quota(ctx, namespace)
	}
	return use, err
}

// quota returns what holds for a namespace. Errors: NotFound.
func (s *Service) quota(ctx context.Context, namespace string) (catalog.Quota, error) {
	l, err := s.config.Store.NamespaceLimits(ctx, namespace)
	return l.Quota.Or(s.config.Quota()), err
}

// usage returns what a namespace takes, and what its images need of the registry, bytes by digest.
func (s *Service) usage(ctx context.Context, namespace string) (catalog.NamespaceUsage, map[string]int64, error) {
	var kept []catalog.Content // what the store does not know
	n, err := s.config.Store.Namespace(ctx, namespace)
	if err == nil {
		kept, err = s.measure(ctx, n.ID)
	}
	if err != nil {
		return catalog.NamespaceUsage{}, nil, err
	}
	contents := map[string]int64{}
	use := catalog.NamespaceUsage{Namespace: n.Name, Images: []catalog.ImageUsage{}}
	images := map[int64]*catalog.ImageUsage{}
	err = catalog.EachImage(ctx, s.config.Store, n.Name, func(image catalog.Image) error {
		images[image.ID] = &catalog.ImageUsage{Image: image.Ref, Git: s.config.Git(image.Ref)}
		tagged, err := s.config.Tagged(ctx, image)
		kept = append(kept, contentsOf(image.ID, tagged)...)
		return err
	})
	if err == nil {
		err = s.addUsed(ctx, n.ID, kept, images, contents)
	}
	if err == nil {
		err = s.addLogs(ctx, n.ID, images)
	}
	if err == nil {
		use.Builds, err = s.addCounts(ctx, n.ID, images)
	}
	for _, size := range contents {
		use.Layers += size
	}
	for _, image := range images {
		use.Git += image.Git
		use.Logs += image.Logs
		use.Versions += image.Versions
		use.Images = append(use.Images, *image)
	}
	slices.SortFunc(use.Images, func(a, b catalog.ImageUsage) int { return cmp.Compare(a.Image.Name, b.Image.Name) })
	return use, contents, err
}

// atOnce is how many versions are looked up together that were not measured yet.
const atOnce = 500

// measure finds out what the versions of a namespace need of the registry of which that is not known. It is stored, or on a full disk
// returned, where what takes it is to be seen all the more.
func (s *Service) measure(ctx context.Context, namespaceID int64) (unstored []catalog.Content, err error) {
	var known map[int64]map[string]int64
	for limit := atOnce; ; {
		versions, err := s.config.Store.ListUnmeasured(ctx, namespaceID, limit)
		if err != nil || len(versions) == 0 {
			return nil, err
		}
		contents, err := s.look(ctx, versions, known)
		if err != nil {
			return nil, err
		}
		if known != nil { // these are all
			for _, v := range versions {
				unstored = append(unstored, contentsOf(v.ImageID, contents[v.ID])...)
			}
			return onceEach(unstored), nil
		}
		switch err = s.config.Store.SetContents(ctx, contents); {
		case catalog.IsDiskFull(err):
			known, limit = contents, math.MaxInt
		case err != nil:
			return nil, err
		}
	}
}

// look finds out what versions need of the registry, beyond those of which it is known.
func (s *Service) look(ctx context.Context, versions []catalog.Version, known map[int64]map[string]int64) (map[int64]map[string]int64, error) {
	contents := map[int64]map[string]int64{}
	for _, v := range versions {
		needs, ok := known[v.ID]
		if !ok {
			image, err := s.config.Store.ImageByID(ctx, v.ImageID)
			if catalog.CodeOf(err) == catalog.NotFound {
				continue // it went meanwhile, with its versions
			}
			if err == nil {
				needs, err = s.config.Contents(ctx, image, v)
			}
			if err != nil {
				return nil, err
			}
		}
		contents[v.ID] = needs
	}
	return contents, nil
}

func contentsOf(imageID int64, sizes map[string]int64) (contents []catalog.Content) {
	for digest, size := range sizes {
		contents = append(contents, catalog.Content{ImageID: imageID, Digest: digest, Bytes: size})
	}
	return contents
}

// addUsed tells what images need of the registry, with what the store does not know, and fills in sizes by digest.
func (s *Service) addUsed(ctx context.Context, namespaceID int64, kept []catalog.Content, images map[int64]*catalog.ImageUsage, sizes map[string]int64) error {
	contents, err := s.config.Store.ListContents(ctx, namespaceID)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		contents = onceEach(append(contents, kept...))
	}
	needed := map[string]int{}
	for _, c := range contents {
		needed[c.Digest]++
		sizes[c.Digest] = max(sizes[c.Digest], c.Bytes)
	}
	for _, c := range contents {
		switch image := images[c.ImageID]; {
		case image == nil: // it came meanwhile
		case needed[c.Digest] == 1:
			image.Own += c.Bytes
		default:
			image.Shared += c.Bytes
		}
	}
	return nil
}

// onceEach returns contents with one of each image's that is there more often.
func onceEach(contents []catalog.Content) []catalog.Content {
	type key struct {
		imageID int64
		digest  string
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(contents, func(c catalog.Content) bool {
		k := key{c.ImageID, c.Digest}
		again := seen[k]
		seen[k] = true
		return again
	})
}

func (s *Service) addLogs(ctx context.Context, namespaceID int64, images map[int64]*catalog.ImageUsage) error {
	logs, err := s.config.Store.ListLogs(ctx, namespaceID)
	for _, l := range logs {
		if image := images[l.ImageID]; image != nil {
			image.Logs += s.config.Log(l.BuildID)
		}
	}
	return err
}

// addCounts tells how many versions images have, and returns how many builds were asked for.
func (s *Service) addCounts(ctx context.Context, namespaceID int64, images map[int64]*catalog.ImageUsage) (builds int, err error) {
	counts, err := s.config.Store.CountVersions(ctx, namespaceID)
	if err != nil {
		return 0, err
	}
	for id, n := range counts {
		if image := images[id]; image != nil {
			image.Versions = n
		}
	}
	has, err := s.config.Store.NamespaceAmounts(ctx, namespaceID)
	return has.Builds, err
}
