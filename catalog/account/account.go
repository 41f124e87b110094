// Package account makes users' passwords, tokens and keys, and proves by them
// who asks.
package account

import (
	"context"
	"crypto/rand"
	"runtime"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.Authenticator = (*Service)(nil)

// Config is what a Service needs.
type Config struct {
	Users catalog.Users
	Now   func() time.Time // nil: time.Now
}

// Service is a catalog.Authenticator, and makes what it accepts. Its memory of
// failed and verified logins lasts as long as the process.
type Service struct {
	users    catalog.Users
	now      func() time.Time
	hashing  chan struct{} // one slot a core: a hash fills a core and 19 MiB
	throttle *throttle
	verified *verified
}

// New makes a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &verified{}
	rand.Read(v.key[:]) // never fails: it ends the program instead
	v.until = newLRU[proof, time.Time](maxVerified)
	return &Service{
		users:    c.Users,
		now:      c.Now,
		hashing:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		throttle: newThrottle(),
		verified: v,
	}
}

// newLRU makes a cache of a fixed size; only a size below one is an error.
func newLRU[K comparable, V any](size int) *lru.Cache[K, V] {
	cache, _ := lru.New[K, V](size)
	return cache
}

// CreateUser makes a user who logs in by password. Errors: Invalid (name or
// password), Conflict (user or namespace exists).
func (s *Service) CreateUser(ctx context.Context, name, password string, admin bool) (catalog.User, error) {
	if err := catalog.ValidateUserName(name); err != nil {
		return catalog.User{}, err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return catalog.User{}, err
	}
	return s.users.CreateUser(ctx, catalog.NewUser{Name: name, Admin: admin, PasswordHash: hash})
}

// SetPassword replaces a user's password; the old one is refused at once.
// Errors: Invalid, NotFound.
func (s *Service) SetPassword(ctx context.Context, userID int64, password string) error {
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.users.SetPasswordHash(ctx, userID, hash)
}

func (s *Service) newHash(ctx context.Context, password string) (string, error) {
	if err := ValidatePassword(password); err != nil {
		return "", err
	}
	free, err := s.takeSlot(ctx)
	if err != nil {
		return "", err
	}
	defer free()
	return hashPassword(password), nil
}

// takeSlot waits until a core is free to hash; the caller calls free after.
func (s *Service) takeSlot(ctx context.Context) (free func(), err error) {
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, catalog.Wrap(catalog.RateLimited, ctx.Err(), "too many logins at the same time; try again in a moment")
	}
}
