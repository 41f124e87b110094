package account_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

const password = "correct horse"

// clock is a time that moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start makes a service over a real store with the user ann.
func start(t *testing.T) (*account.Service, *sqlite.Store, *clock, catalog.User) {
	t.Helper()
	store := sqlitetest.Open(t, t.TempDir())
	c := &clock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := account.New(account.Config{Users: store, Now: c.Now})
	ann, err := s.CreateUser(t.Context(), "ann", password, false)
	if err != nil {
		t.Fatal(err)
	}
	return s, store, c, ann
}

func wantCode(t *testing.T, what string, err error, code catalog.Code) {
	t.Helper()
	if got := catalog.CodeOf(err); got != code {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, code)
	}
}

func login(t *testing.T, s *account.Service, name, secret string) error {
	t.Helper()
	_, err := s.ByPassword(t.Context(), "", name, secret)
	return err
}

func TestByPassword(t *testing.T) {
	s, store, _, ann := start(t)
	for range 2 { // hashed, then remembered
		id, err := s.ByPassword(t.Context(), "", "ann", password)
		if err != nil || id != (catalog.Identity{User: ann, Scope: catalog.ScopeWrite}) {
			t.Fatalf("got %+v, %v", id, err)
		}
	}
	if _, err := store.CreateUser(t.Context(), catalog.NewUser{Name: "nopass"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, name, secret string }{
		{"wrong password", "ann", "correct horsf"},
		{"no password", "ann", ""},
		{"cut password", "ann", password[:len(password)-1]},
		{"endless password", "ann", strings.Repeat(password, 1000)},
		{"unknown user", "bob", password},
		{"no user", "", password},
		{"user without a password", "nopass", ""},
	} {
		id, err := s.ByPassword(t.Context(), "", c.name, c.secret)
		wantCode(t, c.what, err, catalog.Unauthorized)
		if id != (catalog.Identity{}) {
			t.Errorf("%s: got identity %+v", c.what, id)
		}
	}
}

// TestSameAnswer compares what a stranger sees of a wrong name and a wrong password.
func TestSameAnswer(t *testing.T) {
	s, _, _, _ := start(t)
	known, unknown := login(t, s, "ann", "wrong password"), login(t, s, "bob", "wrong password")
	if known.Error() != unknown.Error() {
		t.Errorf("%q and %q tell users from strangers", known, unknown)
	}
	// The least of a few runs, for a busy machine's sake; a missing hash would be a thousand times faster.
	least := func(name string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			_ = login(t, s, name, "wrong password")
			best = min(best, time.Since(began))
		}
		return best
	}
	if a, b := least("ann"), least("bob"); b < a/4 || a < b/4 {
		t.Errorf("a wrong password takes %v and an unknown user %v", a, b)
	}
}

func TestChangedPassword(t *testing.T) {
	s, store, _, ann := start(t)
	wantCode(t, "old", login(t, s, "ann", password), "")
	if err := s.SetPassword(t.Context(), ann.ID, "another one"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "old after the change", login(t, s, "ann", password), catalog.Unauthorized)
	wantCode(t, "new", login(t, s, "ann", "another one"), "")
	if err := store.SetPasswordHash(t.Context(), ann.ID, ""); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "new after its removal", login(t, s, "ann", "another one"), catalog.Unauthorized)
	wantCode(t, "no such user", s.SetPassword(t.Context(), 999, "another one"), catalog.NotFound)
}

// TestRemembered counts on a remembered password being far cheaper than a hash.
func TestRemembered(t *testing.T) {
	s, _, c, _ := start(t)
	took := func() time.Duration {
		began := time.Now()
		wantCode(t, "login", login(t, s, "ann", password), "")
		return time.Since(began)
	}
	hashed := took()
	remembered := min(took(), took(), took())
	if remembered > hashed/2 {
		t.Errorf("second login took %v, the first %v", remembered, hashed)
	}
	c.Add(time.Hour)
	if again := took(); again < 2*remembered {
		t.Errorf("login after an hour took %v, a remembered one %v: it was not forgotten", again, remembered)
	}
}

func TestPasswordRules(t *testing.T) {
	s, _, _, ann := start(t)
	for secret, code := range map[string]catalog.Code{
		"1234567": catalog.Invalid, "12345678": "", "آآآآآآآآ": "", "آآآآ": catalog.Invalid,
		strings.Repeat("x", 1024): "", strings.Repeat("x", 1025): catalog.Invalid, "fdg_looks-like-a-token": catalog.Invalid,
	} {
		wantCode(t, secret, s.SetPassword(t.Context(), ann.ID, secret), code)
		_, err := s.CreateUser(t.Context(), "u"+strings.Repeat("x", len(secret)%90), secret, false)
		wantCode(t, "new user with "+secret, err, code)
	}
	_, err := s.CreateUser(t.Context(), "Not A Name", password, false)
	wantCode(t, "name", err, catalog.Invalid)
	_, err = s.CreateUser(t.Context(), "ann", password, false)
	wantCode(t, "name again", err, catalog.Conflict)
}

func TestThrottle(t *testing.T) {
	s, _, c, ann := start(t)
	secret, _, err := s.CreateToken(t.Context(), catalog.NewToken{UserID: ann.ID, Name: "ci", Scope: catalog.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "remembered", login(t, s, "ann", password), "")
	for _, name := range []string{"ann", "nobody"} {
		for range 5 {
			wantCode(t, name, login(t, s, name, "wrong password"), catalog.Unauthorized)
		}
		for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			wantCode(t, name+" at once", login(t, s, name, "wrong password"), catalog.RateLimited)
			c.Add(wait - time.Millisecond)
			wantCode(t, name+" too early", login(t, s, name, "wrong password"), catalog.RateLimited)
			c.Add(time.Millisecond)
			wantCode(t, name+" in time", login(t, s, name, "wrong password"), catalog.Unauthorized)
		}
	}
	wantCode(t, "another spelling", login(t, s, "NOBODY", password), catalog.RateLimited)
	wantCode(t, "a token in its place", login(t, s, "ann", secret), "")
	_, err = s.ByToken(t.Context(), secret)
	wantCode(t, "a token", err, "")
	wantCode(t, "the password that was right here", login(t, s, "ann", password), "")
	wantCode(t, "which frees no other name", login(t, s, "ann", "wrong password"), catalog.RateLimited)
	wantCode(t, "the password that was right here", login(t, s, "ann", password), "")

	c.Add(time.Hour)
	for range 5 {
		wantCode(t, "ann", login(t, s, "ann", "wrong password"), catalog.Unauthorized)
	}
	wantCode(t, "the right password, long ago", login(t, s, "ann", password), catalog.RateLimited)
	c.Add(time.Second)
	wantCode(t, "after the wait", login(t, s, "ann", password), "")
	wantCode(t, "forgiven", login(t, s, "ann", "wrong password"), catalog.Unauthorized)
	wantCode(t, "and free again", login(t, s, "ann", password), "")
}

// A program with an old password asks again and again; what others send from its network goes on.
func TestOldPasswordBesideTheRightOne(t *testing.T) {
	s, _, _, ann := start(t)
	wantCode(t, "first", login(t, s, "ann", password), "")
	for range 200 {
		if code := catalog.CodeOf(login(t, s, "ann", "old password")); code != catalog.Unauthorized && code != catalog.RateLimited {
			t.Fatalf("the old password: %q", code)
		}
		wantCode(t, "the right one", login(t, s, "ann", password), "")
	}
	if err := s.SetPassword(t.Context(), ann.ID, "another good password"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "one that was right until now", login(t, s, "ann", password), catalog.RateLimited)
}

// That one password gets an answer tells a guesser no more than a few guesses.
func TestGuessesWhereThePasswordIsKnown(t *testing.T) {
	s, _, c, _ := start(t)
	wantCode(t, "first", login(t, s, "ann", password), "")
	guesses := 0
	for login(t, s, "ann", password) == nil {
		if guesses++; guesses > 100 {
			t.Fatal("every guess is answered")
		}
		if login(t, s, "ann", fmt.Sprint("guess ", guesses)) == nil {
			t.Fatal("a guess was right")
		}
	}
	if guesses < 20 {
		t.Errorf("%d wrong passwords shut out the right one", guesses)
	}
	c.Add(time.Hour)
	wantCode(t, "when it is over", login(t, s, "ann", password), "")
}

// TestThrottleOfAnAddress tries one password for each of many names.
func TestThrottleOfAnAddress(t *testing.T) {
	s, _, c, ann := start(t)
	secret, _, err := s.CreateToken(t.Context(), catalog.NewToken{UserID: ann.ID, Name: "ci", Scope: catalog.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	try := func(from, name, secret string) error {
		_, err := s.ByPassword(t.Context(), from, name, secret)
		return err
	}
	for i := range 30 {
		if i == 20 {
			wantCode(t, "a name of one's own", try("10.0.0.1:999", "ann", password), "")
		}
		wantCode(t, "free", try(fmt.Sprintf("10.0.0.1:%d", 1000+i), fmt.Sprintf("name%d", i), "wrong password"), catalog.Unauthorized)
	}
	err = try("10.0.0.1:2000", "name99", "wrong password")
	wantCode(t, "from anywhere there", err, catalog.RateLimited)
	var limited interface{ RetryAfter() time.Duration }
	if !errors.As(err, &limited) || limited.RetryAfter() != 5*time.Second || !strings.Contains(err.Error(), "wait 5 s") {
		t.Errorf("got %v", err)
	}
	wantCode(t, "another user's right password from there", try("10.0.0.1:2000", "bob", password), catalog.RateLimited)
	wantCode(t, "one that was right there before", try("10.0.0.1:2000", "ann", password), "")
	wantCode(t, "a token from there", try("10.0.0.1:2000", "ann", secret), "")
	wantCode(t, "from elsewhere", try("10.0.0.2:2000", "ann", password), "")
	c.Add(5 * time.Second)
	wantCode(t, "one more", try("10.0.0.1:2000", "name99", "wrong password"), catalog.Unauthorized)
	wantCode(t, "and no further", try("10.0.0.1:2000", "name98", "wrong password"), catalog.RateLimited)
}

// TestGuesserIsSlowedAndNotTheOwner guesses at one name from elsewhere.
func TestGuesserIsSlowedAndNotTheOwner(t *testing.T) {
	s, _, c, _ := start(t)
	try := func(from, secret string) error {
		_, err := s.ByPassword(t.Context(), from, "ann", secret)
		return err
	}
	for range 5 {
		wantCode(t, "a guess", try("10.0.0.9:1", "wrong password"), catalog.Unauthorized)
	}
	wantCode(t, "one more", try("10.0.0.9:1", "wrong password"), catalog.RateLimited)
	wantCode(t, "the owner, who was not there before", try("10.0.0.1:1", password), "")
	for i := range 60 {
		_ = try(fmt.Sprintf("10.0.1.%d:1", i), "wrong password")
	}
	wantCode(t, "the owner, who was", try("10.0.0.1:1", password), "")
	wantCode(t, "a user from a new address, while many guess", try("10.0.0.2:1", password), catalog.RateLimited)
	for range 5 {
		wantCode(t, "a guess from where the owner is", try("10.0.0.1:1", "wrong password"), catalog.Unauthorized)
	}
	wantCode(t, "and one more from there", try("10.0.0.1:1", "wrong password"), catalog.RateLimited)
	c.Add(time.Hour)
	wantCode(t, "any user, when it is over", try("10.0.0.2:1", password), "")
}

// TestParallelGuesses sends many wrong passwords at once: no more are tried
// than the free ones and those under way.
func TestParallelGuesses(t *testing.T) {
	s, _, _, _ := start(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes := map[catalog.Code]int{}
	for range 60 {
		wg.Go(func() {
			_, err := s.ByPassword(context.Background(), "", "ann", "wrong password")
			mu.Lock()
			defer mu.Unlock()
			codes[catalog.CodeOf(err)]++
		})
	}
	wg.Wait()
	if codes[catalog.RateLimited] < 30 || codes[catalog.Unauthorized] < 5 || codes[catalog.RateLimited]+codes[catalog.Unauthorized] != 60 {
		t.Errorf("got %v", codes)
	}
}

func TestParallelLogins(t *testing.T) {
	s, _, _, _ := start(t)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := s.ByPassword(context.Background(), "", "ann", password); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestLoginEndsWithItsContext(t *testing.T) {
	s, _, _, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ByPassword(ctx, "", "ann", password); err == nil {
		t.Error("a cancelled login succeeded")
	}
}
