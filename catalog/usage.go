package catalog

import "context"

// ImageUsage is what an image takes on disk, in bytes, as du counts them.
type ImageUsage struct {
	Image    ImageRef
	Versions int   // in any state
	Own      int64 // of its layers, manifests and Git LFS objects, those that no other image of its namespace has
	Shared   int64 // the others
	Git      int64 // the repository, and what builds fetched of its submodules
	Logs     int64 // of builds
}

// NamespaceUsage is what a namespace has, and what its images take on disk, in bytes, as du counts them. What is on its way, or
// belongs to no version any more, is no part of it; what another namespace has as well is.
type NamespaceUsage struct {
	Namespace string
	Images    []ImageUsage // by name
	Layers    int64        // of all images, each content once
	Git       int64
	Logs      int64
	Versions  int   // in any state
	Builds    int   // that were asked for within QuotaDay
	Quota     Quota // that holds for it; 0, or less: there is none
}

// Bytes is all that it takes.
func (u NamespaceUsage) Bytes() int64 { return u.Layers + u.Git + u.Logs }

// Content is a blob that an image needs.
type Content struct {
	ImageID int64
	Digest  string
	Bytes   int64 // on disk
}

// ImageLog is a build's log, which may be there.
type ImageLog struct{ ImageID, BuildID int64 }

// Usage stores what versions take.
type Usage interface {
	// ListUnmeasured returns built versions of a namespace whose contents are not known yet, at most so many.
	ListUnmeasured(ctx context.Context, namespaceID int64, limit int) ([]Version, error)
	// SetContents stores what built versions need, by their ID: bytes on disk by digest. A version that is gone is no error.
	SetContents(ctx context.Context, contents map[int64]map[string]int64) error
	// ForgetContents has the versions of an image that have a digest measured again.
	ForgetContents(ctx context.Context, imageID int64, digest string) error
	// ListContents returns what the images of a namespace need of the registry, each content once for each image.
	ListContents(ctx context.Context, namespaceID int64) ([]Content, error)
	// ListLogs returns the logs of a namespace's builds.
	ListLogs(ctx context.Context, namespaceID int64) ([]ImageLog, error)
	// CountVersions returns how many versions the images of a namespace have, by the images' ID.
	CountVersions(ctx context.Context, namespaceID int64) (map[int64]int, error)
	// NamespaceAmounts returns what a namespace has, but for bytes. Builds of versions that were deleted count, too.
	NamespaceAmounts(ctx context.Context, namespaceID int64) (Amounts, error)
}

// UsageReport says what namespaces take. The quota package implements it.
type UsageReport interface {
	// Usage returns what a namespace takes. Errors: NotFound.
	Usage(ctx context.Context, namespace string) (NamespaceUsage, error)
}

// UsageOfAll returns the usage of each namespace that there is.
func UsageOfAll(ctx context.Context, namespaces Namespaces, report UsageReport) (all []NamespaceUsage, err error) {
	names, err := EveryNamespace(ctx, namespaces)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		use, err := report.Usage(ctx, n.Name)
		if CodeOf(err) == NotFound {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, use)
	}
	return all, nil
}
