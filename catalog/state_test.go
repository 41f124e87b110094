package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestUnknownStateIsNamedWithTheKnown(t *testing.T) {
	want := `"built" is not a valid state; the states are: PENDING, BUILDING, BUILT, BUILD_FAILED, FAILED`
	if got := MessageOf(State("built").Check()); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, state := range States() {
		if err := state.Check(); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
}

func TestStates(t *testing.T) {
	allowed := map[State]string{ // by the order of States
		Pending: "nynny", Building: "ynyyy", Built: "nnnnn", BuildFailed: "ynnnn", Failed: "ynnnn",
	}
	for _, from := range States() {
		for i, to := range States() {
			if got, want := from.CanBecome(to), allowed[from][i] == 'y'; got != want {
				t.Errorf("%s to %s: got %v, want %v", from, to, got, want)
			}
		}
		if !from.Valid() || from.CanBecome("NONE") || State("NONE").CanBecome(from) {
			t.Errorf("%s and an unknown state are mixed up", from)
		}
		if want := from == Built || from == BuildFailed || from == Failed; from.Ended() != want {
			t.Errorf("%s ended: got %v", from, from.Ended())
		}
	}
	for _, s := range []State{"", "built", "NONE"} {
		if s.Valid() || s.Ended() {
			t.Errorf("%q is taken for a state", s)
		}
	}
}

func TestOutcomeState(t *testing.T) {
	for outcome, want := range map[Outcome]State{
		OutcomeBuilt: Built, OutcomeUserError: BuildFailed, OutcomeTimeout: Failed, OutcomeOutOfMemory: Failed,
		OutcomeProcessLimit: Failed, OutcomeDiskLimit: Failed,
		OutcomeCancelled: Failed, OutcomeInfrastructure: Failed, "": Failed, "unknown": Failed,
	} {
		if got := outcome.State(); got != want {
			t.Errorf("%q: got %s, want %s", outcome, got, want)
		}
		if !Building.CanBecome(outcome.State()) {
			t.Errorf("%q: a build can't end so", outcome)
		}
	}
}

func TestErrors(t *testing.T) {
	secret := fs.ErrPermission
	wrapped := Wrap(Unavailable, secret, "the %s is away", "store")
	for _, c := range []struct {
		err     error
		code    Code
		message string
	}{
		{nil, "", ""},
		{errors.New("secret"), Internal, "internal error; the server's log has the details"},
		{Errorf(NotFound, "no %s", "app"), NotFound, "no app"},
		{wrapped, Unavailable, "the store is away"},
		{fmt.Errorf("while listing: %w", wrapped), Unavailable, "the store is away"},
		{errors.Join(errors.New("secret"), wrapped), Unavailable, "the store is away"},
		{FieldErrorf("name", "no name"), Invalid, "no name"},
	} {
		if got := CodeOf(c.err); got != c.code {
			t.Errorf("%v: got %q, want %q", c.err, got, c.code)
		}
		if c.err != nil && MessageOf(c.err) != c.message {
			t.Errorf("%v: got %q, want %q", c.err, MessageOf(c.err), c.message)
		}
	}
	if !errors.Is(wrapped, secret) || !strings.Contains(wrapped.Error(), secret.Error()) {
		t.Errorf("the cause is lost for the log: %v", wrapped)
	}
	if e := FieldErrorf("name", "no name"); e.Field != "name" {
		t.Errorf("got field %q", e.Field)
	}
}

func TestRefUpdate(t *testing.T) {
	for ref, want := range map[string][2]string{
		"refs/tags/v1": {"v1", ""}, "refs/heads/main": {"", "main"}, "refs/tags/": {}, "refs/tagsv1": {}, "HEAD": {}, "refs/heads/a/b": {"", "a/b"},
	} {
		tag, isTag := RefUpdate{Name: ref}.Tag()
		branch, isBranch := RefUpdate{Name: ref}.Branch()
		if tag != want[0] || isTag != (want[0] != "") || branch != want[1] || isBranch != (want[1] != "") {
			t.Errorf("%s: got tag %q %v, branch %q %v", ref, tag, isTag, branch, isBranch)
		}
	}
}
