package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes; more only costs time
)

// ValidatePassword checks the rules for a new password. Errors: Invalid.
func ValidatePassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return catalog.FieldErrorf("password", "the password must have at least %d characters", minPassword)
	case len(password) > maxPassword:
		return catalog.FieldErrorf("password", "the password must be at most %d bytes long", maxPassword)
	case strings.HasPrefix(password, tokenPrefix):
		return catalog.FieldErrorf("password", "the password must not begin with %q, which marks tokens", tokenPrefix)
	}
	return nil
}

// argonHash is an argon2id hash with what it was made from.
type argonHash struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
	salt    []byte
	sum     []byte
}

// The costs are OWASP's for argon2id with 19 MiB: about 20 ms of one core.
const (
	argonMemory  = 19 * 1024
	argonPasses  = 2
	argonThreads = 1
	saltLength   = 16
	sumLength    = 32
)

// noPassword stands for the hash of a user who does not exist or has no password, so
// that refusing one takes as long as refusing a wrong password. No password
// matches it: its sum was never computed of one.
var noPassword = argonHash{
	memory: argonMemory, passes: argonPasses, threads: argonThreads,
	salt: make([]byte, saltLength), sum: make([]byte, sumLength),
}

func hashPassword(password string) string {
	h := argonHash{memory: argonMemory, passes: argonPasses, threads: argonThreads, salt: make([]byte, saltLength)}
	rand.Read(h.salt)
	h.sum = h.of(password, sumLength)
	return h.String()
}

func (h argonHash) of(password string, length int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(length))
}

func (h argonHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password, len(h.sum)), h.sum) == 1
}

// String returns the PHC form: $argon2id$v=19$m=19456,t=2,p=1$salt$sum.
func (h argonHash) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		enc.EncodeToString(h.salt), enc.EncodeToString(h.sum))
}

var errHash = errors.New("the stored password hash is not a valid argon2id hash")

// parseHash reads the PHC form. It refuses costs that would stop the process.
func parseHash(text string) (h argonHash, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return h, errHash
	}
	var saltErr, sumErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, sumErr = base64.RawStdEncoding.DecodeString(parts[5])
	if errors.Join(saltErr, sumErr) != nil || len(h.salt) < 8 || len(h.sum) < 16 || len(h.sum) > 128 ||
		h.memory < 8 || h.memory > 1<<20 || h.passes < 1 || h.passes > 64 || h.threads < 1 {
		return h, errHash
	}
	return h, nil
}
