package catalog

import (
	"cmp"
	"context"
	"slices"
)

// Page asks for one part of a list that is ordered newest first by ID.
type Page struct {
	Limit  int   // 0, or more than the store's maximum: that maximum
	Before int64 // only IDs below this one; 0: from the newest
}

// NamePage asks for one part of a list that is ordered by name.
type NamePage struct {
	Limit int    // 0, or more than the store's maximum: that maximum
	After string // only names behind this one; empty: from the first
}

// AllNamespaces returns all namespaces that a user belongs to, by name.
func AllNamespaces(ctx context.Context, store Namespaces, userID int64) ([]Namespace, error) {
	var all []Namespace
	list := func(page Page) ([]Namespace, error) { return store.ListNamespaces(ctx, userID, page) }
	err := eachOf(list, func(n Namespace) int64 { return n.ID }, func(n Namespace) error { all = append(all, n); return nil })
	slices.SortFunc(all, func(a, b Namespace) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// AllMembers returns all members of a namespace, by user name. Errors: NotFound.
func AllMembers(ctx context.Context, store Namespaces, namespace string) ([]Member, error) {
	var all []Member
	list := func(page Page) ([]Member, error) { return store.Members(ctx, namespace, page) }
	err := eachOf(list, func(m Member) int64 { return m.User.ID }, func(m Member) error { all = append(all, m); return nil })
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.User.Name, b.User.Name) })
	return all, err
}

// AllUsers returns all users, by name.
func AllUsers(ctx context.Context, store Users) ([]User, error) {
	return allByName(func(page NamePage) ([]User, error) { return store.ListUsers(ctx, page) }, func(u User) string { return u.Name })
}

// EveryNamespace returns all namespaces of the installation, by name.
func EveryNamespace(ctx context.Context, store Namespaces) ([]NamespaceSummary, error) {
	return allByName(func(page NamePage) ([]NamespaceSummary, error) { return store.ListAllNamespaces(ctx, page) }, func(n NamespaceSummary) string { return n.Name })
}

func allByName[T any](list func(NamePage) ([]T, error), name func(T) string) (all []T, err error) {
	var page NamePage
	for {
		some, err := list(page)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
		page.After = name(some[len(some)-1])
	}
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
