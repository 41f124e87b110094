package catalog

import "context"

// Page asks for one part of a list that is ordered newest first by ID.
type Page struct {
	Limit  int   // 0, or more than the store's maximum: that maximum
	Before int64 // only IDs below this one; 0: from the newest
}

// EachImage visits a namespace's images, newest first; those of all namespaces for "". It ends with the first error.
func EachImage(ctx context.Context, store Images, namespace string, visit func(Image) error) error {
	list := func(page Page) ([]Image, error) { return store.ListImages(ctx, namespace, page) }
	return eachOf(list, func(i Image) int64 { return i.ID }, visit)
}

// EachVersion visits an image's versions in some states, in any for none, newest first. It ends with the first error.
func EachVersion(ctx context.Context, store Versions, imageID int64, visit func(Version) error, states ...State) error {
	list := func(page Page) ([]Version, error) {
		return store.ListVersions(ctx, imageID, VersionFilter{States: states, Page: page})
	}
	return eachOf(list, func(v Version) int64 { return v.ID }, visit)
}

func eachOf[T any](list func(Page) ([]T, error), id func(T) int64, visit func(T) error) error {
	var page Page
	for {
		some, err := list(page)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, one := range some {
			if err := visit(one); err != nil {
				return err
			}
		}
		page.Before = id(some[len(some)-1])
	}
}
