package github

import (
	"encoding/json"
	"strings"

	"github.com/google/go-github/v84/github"

	"github.com/fandoghpaas/fandogh/catalog"
)

// refEvent is what a delivery tells of one ref. It is all that is kept of it.
type refEvent struct {
	Event   string `json:"event"`
	From    origin `json:"from,omitzero"`
	Ref     string `json:"ref,omitempty"`    // "refs/tags/v1.0"; empty of an event about the repository itself
	Object  string `json:"object,omitempty"` // hex, what the ref was set to; empty: whatever it is now
	Deleted bool   `json:"deleted,omitempty"`
	Force   bool   `json:"again,omitempty"` // deal with it although it was dealt with before
}

// origin is the repository that a payload or the API names.
type origin struct {
	ID   int64  `json:"id,omitempty"` // 0: it says none
	Name string `json:"full_name"`    // "owner/name"
}

// originOf returns the repository that a payload names, none when it
// names none. Nothing is verified yet.
func originOf(payload []byte) origin {
	var p struct {
		Repository origin `json:"repository"`
	}
	if json.Unmarshal(payload, &p) != nil || !isRepository(p.Repository.Name) {
		return origin{}
	}
	return p.Repository
}

// readEvent returns what an event tells of a ref, or why it tells of none.
// Errors: Invalid.
func readEvent(event string, payload []byte) (a refEvent, reason string, err error) {
	switch event {
	case "push", "create", "delete", "release", "repository":
	default:
		return a, "Fandogh builds on push, create and release events; " + event + " events are ignored", nil
	}
	parsed, err := github.ParseWebHook(event, payload)
	if err != nil {
		return a, "", catalog.Wrap(catalog.Invalid, err, "the payload is not a valid %s event", event)
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
	case *github.RepositoryEvent:
		if e.GetAction() != "renamed" && e.GetAction() != "transferred" {
			return a, "of repository events only renamed and transferred are used", nil
		}
		return a, "", nil
	case *github.ReleaseEvent:
		if e.GetAction() != "published" {
			return a, "a release is built only when it is published", nil
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

func (e refEvent) check() error {
	_, isTag := e.tag()
	_, isBranch := e.branch()
	switch {
	case !isTag && !isBranch:
		return catalog.Errorf(catalog.Invalid, "%q is neither a branch nor a tag", e.Ref)
	case len(e.Ref) > 1024 || strings.ContainsAny(e.Ref, "\x00\r\n"):
		return catalog.Errorf(catalog.Invalid, "the ref's name is not valid in git")
	case e.Object != "" && !isObject(e.Object):
		return catalog.Errorf(catalog.Invalid, "%q is not a SHA-1 object name", e.Object)
	case e.Object == "" && e.Event == "push" && !e.Deleted:
		return catalog.Errorf(catalog.Invalid, "the push does not say what it pushed")
	}
	return nil
}

func (e refEvent) tag() (string, bool)    { return catalog.RefUpdate{Name: e.Ref}.Tag() }
func (e refEvent) branch() (string, bool) { return catalog.RefUpdate{Name: e.Ref}.Branch() }
