package account

import (
	"context"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// errWrong is the one answer to wrong names, passwords and tokens.
func errWrong() error {
	return catalog.Errorf(catalog.Unauthorized, "the user name, password or token is wrong, or the token has expired")
}

// ByPassword accepts a user's password, or one of the user's tokens in its
// place. Wrong passwords for a name slow down password logins of that name, and
// those from one address the logins from there; never those by token, and few by a password
// that was right from there lately.
func (s *Service) ByPassword(ctx context.Context, from, name, secret string) (catalog.Identity, error) {
	if strings.HasPrefix(secret, tokenPrefix) {
		id, err := s.ByToken(ctx, secret)
		if err == nil && !strings.EqualFold(id.User.Name, name) {
			return catalog.Identity{}, errWrong()
		}
		return id, err
	}
	if len(secret) > maxPassword {
		return catalog.Identity{}, errWrong()
	}
	user, stored, err := s.users.PasswordHash(ctx, name)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return catalog.Identity{}, err
	}
	if err := s.checkPassword(ctx, attempt{catalog.NetworkOf(from), name}, stored, secret); err != nil {
		return catalog.Identity{}, err
	}
	return catalog.Identity{User: user, Scope: catalog.ScopeWrite}, nil
}

// attempt is who tries a password, and for whom.
type attempt struct{ network, name string }

// checkPassword asks the memory of verified logins first, and hashes only in a
// slot, after asking again: of many requests with one new password only as
// many hash as there are slots. The throttle comes before either, or a
// remembered password could be guessed without limit.
func (s *Service) checkPassword(ctx context.Context, a attempt, stored, secret string) error {
	if known, err := s.quickCheck(a, stored, secret); known || err != nil {
		return err
	}
	free, err := s.takeSlot(ctx)
	if err != nil {
		return err
	}
	defer free()
	if known, err := s.quickCheck(a, stored, secret); known || err != nil {
		return err
	}
	hash := noPassword
	if stored != "" {
		if hash, err = parseHash(stored); err != nil {
			return err
		}
	}
	if !hash.matches(secret) {
		s.throttle.failed(a.network, a.name, s.now())
		return errWrong()
	}
	s.throttle.succeeded(a.network, a.name, s.verified.proof(stored, secret), s.now())
	s.verified.add(stored, secret, s.now())
	return nil
}

// quickCheck reports whether the password was verified before, or that none may
// be tried now.
func (s *Service) quickCheck(a attempt, stored, secret string) (known bool, err error) {
	given := s.verified.proof(stored, secret)
	if err := s.throttle.check(a.network, a.name, given, s.now()); err != nil {
		return false, err
	}
	if stored == "" || !s.verified.has(stored, secret, s.now()) {
		return false, nil
	}
	s.throttle.succeeded(a.network, a.name, given, s.now())
	return true, nil
}

// ByToken accepts a token.
func (s *Service) ByToken(ctx context.Context, secret string) (catalog.Identity, error) {
	if !strings.HasPrefix(secret, tokenPrefix) {
		return catalog.Identity{}, errWrong()
	}
	token, user, err := s.users.TokenByHash(ctx, hashToken(secret), s.now())
	if catalog.CodeOf(err) == catalog.NotFound {
		return catalog.Identity{}, errWrong()
	}
	if err != nil {
		return catalog.Identity{}, err
	}
	return catalog.Identity{User: user, Scope: token.Scope, Token: token}, nil
}
