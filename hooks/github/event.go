package github

import (
	"encoding/json"
	"strings"

	"github.com/google/go-github/v84/github"

	"github.com/fandoghpaas/fandogh/catalog"
)

// arrival is what a delivery tells of one ref. It is all that is kept of it.
type arrival struct {
	Event   string `json:"event"`
	Ref     string `json:"ref"`              // "refs/tags/v1.0"
	Object  string `json:"object,omitempty"` // hex, what the ref was set to; empty: whatever it is now
	Deleted bool   `json:"deleted,omitempty"`
	Again   bool   `json:"again,omitempty"` // deal with it although it was dealt with before
}

// repositoryOf returns the "owner/name" that a payload names, empty when it
// names none. Nothing is verified yet.
func repositoryOf(payload []byte) string {
	var p struct {
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if json.Unmarshal(payload, &p) != nil || !repositoryPattern.MatchString(p.Repository.FullName) {
		return ""
	}
	return p.Repository.FullName
}

// readEvent returns what an event tells of a ref, or why it tells of none.
// Errors: Invalid.
func readEvent(event string, payload []byte) (a arrival, reason string, err error) {
	switch event {
	case "push", "create", "delete", "release":
	default:
		return a, "Fandogh builds on push, create and release events; " + event + " events change nothing here", nil
	}
	parsed, err := github.ParseWebHook(event, payload)
	if err != nil {
		return a, "", catalog.Wrap(catalog.Invalid, err, "the payload is not one of a %s event", event)
	}
	a.Event = event
	switch e := parsed.(type) {
	case *github.PushEvent:
		a.Ref, a.Object, a.Deleted = e.GetRef(), e.GetAfter(), e.GetDeleted()
		if a.Deleted || a.Object == noObject {
			a.Object, a.Deleted = "", true
		}
	case *github.CreateEvent:
		a.Ref = refOf(e.GetRefType(), e.GetRef())
	case *github.DeleteEvent:
		a.Ref, a.Deleted = refOf(e.GetRefType(), e.GetRef()), true
	case *github.ReleaseEvent:
		if e.GetAction() != "published" {
			return a, "only the publishing of a release builds it", nil
		}
		a.Ref = refOf("tag", e.GetRelease().GetTagName())
	}
	return a, "", a.check()
}

func refOf(refType, name string) string {
	switch refType {
	case "tag":
		return "refs/tags/" + name
	case "branch":
		return "refs/heads/" + name
	}
	return ""
}

func (a arrival) check() error {
	_, isTag := a.tag()
	_, isBranch := a.branch()
	switch {
	case !isTag && !isBranch:
		return catalog.Errorf(catalog.Invalid, "%q is neither a branch nor a tag", a.Ref)
	case len(a.Ref) > 1024 || strings.ContainsAny(a.Ref, "\x00\r\n"):
		return catalog.Errorf(catalog.Invalid, "the ref's name can't be one of git's")
	case a.Object != "" && !objectPattern.MatchString(a.Object):
		return catalog.Errorf(catalog.Invalid, "%q is no object of a git repository with SHA-1 names", a.Object)
	case a.Object == "" && a.Event == "push" && !a.Deleted:
		return catalog.Errorf(catalog.Invalid, "the push does not say what it pushed")
	}
	return nil
}

func (a arrival) tag() (string, bool)    { return catalog.RefUpdate{Name: a.Ref}.Tag() }
func (a arrival) branch() (string, bool) { return catalog.RefUpdate{Name: a.Ref}.Branch() }
