package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tokenPrefix tells a token from a password, to people, secret scanners and ByPassword.
const tokenPrefix = "fdg_"

const maxLabel = 100 // bytes of a token's or key's name

// CreateToken makes a token for a user and returns its secret, which can't be
// read again. A zero expires means never. Errors: Invalid, NotFound.
func (s *Service) CreateToken(ctx context.Context, userID int64, name string, scope catalog.Scope, expires time.Time) (secret string, token catalog.Token, err error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "" || len(name) > maxLabel:
		return "", token, catalog.FieldErrorf("name", "a token needs a name of at most %d bytes, to know it by later", maxLabel)
	case scope != catalog.ScopeRead && scope != catalog.ScopeWrite:
		return "", token, catalog.FieldErrorf("scope", "a token's scope is %q or %q, not %q", catalog.ScopeRead, catalog.ScopeWrite, scope)
	case !expires.IsZero() && !expires.After(s.now()):
		return "", token, catalog.FieldErrorf("expires", "a token can't expire in the past")
	}
	random := make([]byte, 32)
	rand.Read(random)
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	token, err = s.users.CreateToken(ctx, catalog.NewToken{
		UserID: userID, Name: name, Hash: hashToken(secret), Scope: scope, ExpiresAt: expires,
	})
	if err != nil {
		return "", catalog.Token{}, err
	}
	return secret, token, nil
}

// hashToken needs no salt and no cost: a token is 256 random bits.
func hashToken(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
