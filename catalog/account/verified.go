package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxVerified  = 1024
	rememberTime = 15 * time.Minute
)

// verified remembers which passwords matched which stored hash, so that a
// client which sends its password with every request costs one hash. Entries
// are found by the stored hash, so a changed or removed one invalidates them.
type verified struct {
	key   [32]byte // of this process: entries tell nothing without it
	until *lru.Cache[proof, time.Time]
}

// proof stands for a password and the stored hash that it was tried against.
type proof [sha256.Size]byte

func (v *verified) proof(stored, secret string) (e proof) {
	mac := hmac.New(sha256.New, v.key[:])
	mac.Write([]byte(stored))
	mac.Write([]byte{0}) // a stored hash holds none
	mac.Write([]byte(secret))
	mac.Sum(e[:0])
	return e
}

func (v *verified) has(stored, secret string, now time.Time) bool {
	until, ok := v.until.Get(v.proof(stored, secret))
	return ok && now.Before(until)
}

func (v *verified) add(stored, secret string, now time.Time) {
	v.until.Add(v.proof(stored, secret), now.Add(rememberTime))
}
