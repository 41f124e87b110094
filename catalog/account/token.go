package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tokenPrefix tells a token from a password, to people, secret scanners and ByPassword.
const tokenPrefix = "fdg_"

const maxLabel = 100 // bytes of a token's or key's name

// CreateToken makes a token for a user and returns its secret, which can't be
// read again. A zero expires means never. Errors: Invalid, NotFound.
func (s *Service) CreateToken(ctx context.Context, n catalog.NewToken) (secret string, token catalog.Token, err error) {
	n.Name = strings.TrimSpace(n.Name)
	switch {
	case n.Name == "" || len(n.Name) > maxLabel:
		return "", token, catalog.FieldErrorf("name", "a token needs a name of at most %d bytes, to identify it in lists", maxLabel)
	case n.Scope != catalog.ScopeRead && n.Scope != catalog.ScopeWrite:
		return "", token, catalog.FieldErrorf("scope", "a token's scope must be %q or %q, not %q", catalog.ScopeRead, catalog.ScopeWrite, n.Scope)
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.now()):
		return "", token, catalog.FieldErrorf("expires", "a token can't expire in the past")
	}
	random := make([]byte, 32)
	rand.Read(random)
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	n.Hash = hashToken(secret)
	token, err = s.users.CreateToken(ctx, n)
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
