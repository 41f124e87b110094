package secrets

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// MaxValue bounds a secret's value, in bytes.
	MaxValue = 64 << 10
	// MaxTotal bounds what a namespace's values and SSH keys hold together, in bytes: each of its builds
	// reads them, and looks for them in all that it prints.
	MaxTotal = 1 << 20
)

// Config is what a Service is made of.
type Config struct {
	Store   catalog.Secrets
	Keyring *Keyring
	// Helpers are commands that tell passwords of registries, by host, as Docker's credential
	// helpers do. What they tell is for every namespace.
	Helpers map[string]string
	Logger  hclog.Logger
}

// Service keeps secrets and gives them to builds. It implements catalog.SecretControl and is safe
// for concurrent use.
type Service struct {
	config  Config
	helpers *helpers
	aliases []byte // the key that they are made with
}

var _ catalog.SecretControl = (*Service)(nil)

// New returns a Service. Errors: Invalid (a helper of no registry), or the store's.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	h, err := newHelpers(c.Helpers, c.Logger)
	if err != nil {
		return nil, err
	}
	for host := range h.commands {
		if err := c.Store.NoteAccount(ctx, host); err != nil {
			return nil, err
		}
	}
	aliases, err := c.Keyring.Derive("fandogh names of build secrets")
	return &Service{config: c, helpers: h, aliases: aliases}, err
}

// about says what a sealed value belongs to. That of an image may have been sealed before the image was transferred.
func about(s catalog.Secret) string {
	namespace := s.Namespace
	if s.ImageID != 0 && s.SealedFor != "" {
		namespace = s.SealedFor
	}
	return fmt.Sprintf("the %s %q of namespace %q, image %d, versions %q", s.Kind, s.Name, strings.ToLower(namespace), s.ImageID, s.Tags)
}

// Set implements catalog.SecretControl.
func (s *Service) Set(ctx context.Context, secret catalog.Secret, value []byte) (catalog.Secret, error) {
	if err := check(&secret, value); err != nil {
		return secret, err
	}
	if err := s.checkRoom(ctx, secret, len(value)); err != nil {
		return secret, err
	}
	secret.SealedFor = ""
	secret.Sealed = s.config.Keyring.Seal(value, about(secret))
	secret, err := s.config.Store.PutSecret(ctx, secret)
	secret.Sealed = nil
	return secret, err
}

// checkRoom refuses what is too much beside the namespace's other secrets.
func (s *Service) checkRoom(ctx context.Context, secret catalog.Secret, size int) error {
	if secret.Kind == catalog.SecretRegistry {
		return nil
	}
	others, err := s.config.Store.ListSecrets(ctx, secret.Namespace)
	if err != nil {
		return err
	}
	for _, other := range others {
		isReplaced := other.Kind == secret.Kind && other.Name == secret.Name && other.ImageID == secret.ImageID && other.Tags == secret.Tags
		if other.Kind != catalog.SecretRegistry && !isReplaced {
			size += len(other.Sealed) - s.config.Keyring.aead.Overhead()
		}
	}
	if size > MaxTotal {
		return catalog.Errorf(catalog.Forbidden, "the secrets of a namespace may contain %d KiB together; remove some first", MaxTotal>>10)
	}
	return nil
}

// unreadable says what is to be done about what was sealed with a key that is gone.
func unreadable(code catalog.Code, err error, what string) error {
	return catalog.Wrap(code, err, "the %s can't be read with the server's key file; set it again", what)
}

// check also writes names as they are stored.
func check(secret *catalog.Secret, value []byte) (err error) {
	switch {
	case len(value) == 0:
		return catalog.FieldErrorf(valueOf(*secret), "the %s is empty", valueOf(*secret))
	case len(value) > MaxValue:
		return catalog.FieldErrorf(valueOf(*secret), "the %s is longer than %d KiB", valueOf(*secret), MaxValue>>10)
	}
	if secret.Kind == catalog.SecretRegistry {
		return checkRegistry(secret)
	}
	if secret.Kind == "" {
		secret.Kind = catalog.SecretValue
	}
	if err := catalog.ValidateSecretName(secret.Name); err != nil {
		return err
	}
	if secret.Tags, err = catalog.CheckPatterns("tags", secret.Tags); err != nil {
		return err
	}
	switch secret.Kind {
	case catalog.SecretValue:
		return nil
	case catalog.SecretSSHKey:
		if _, err := ssh.ParseRawPrivateKey(value); err != nil {
			return catalog.FieldErrorf("value", "the value must be an SSH private key without a passphrase")
		}
		return nil
	}
	return catalog.FieldErrorf("kind", "%q is not a valid kind; the kinds are: %s, %s", secret.Kind, catalog.SecretValue, catalog.SecretSSHKey)
}

// valueOf is what a secret's value is called.
func valueOf(s catalog.Secret) string {
	if s.Kind == catalog.SecretRegistry {
		return "password"
	}
	return "value"
}

func checkRegistry(secret *catalog.Secret) (err error) {
	if secret.Name, err = catalog.RegistryHost(secret.Name); err != nil {
		return err
	}
	switch {
	case secret.Username == "" || len(secret.Username) > 256:
		return catalog.FieldErrorf("username", "a user name of 1 to 256 characters is required")
	case strings.Contains(secret.Username, ":"), strings.ContainsFunc(secret.Username, unicode.IsControl):
		return catalog.FieldErrorf("username", "the user name must not contain a colon or a control character")
	}
	return nil
}

// List implements catalog.SecretControl.
func (s *Service) List(ctx context.Context, namespace string, kinds ...catalog.SecretKind) ([]catalog.Secret, error) {
	secrets, err := s.config.Store.ListSecrets(ctx, namespace)
	secrets = slices.DeleteFunc(secrets, func(secret catalog.Secret) bool { return !slices.Contains(kinds, secret.Kind) })
	for i := range secrets {
		secrets[i].Sealed = nil
	}
	return secrets, err
}

// Remove implements catalog.SecretControl.
func (s *Service) Remove(ctx context.Context, namespace string, id int64, kinds ...catalog.SecretKind) error {
	secrets, err := s.List(ctx, namespace, kinds...)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(secrets, func(secret catalog.Secret) bool { return secret.ID == id }) {
		return catalog.Errorf(catalog.NotFound, "the secret does not exist")
	}
	return s.config.Store.DeleteSecret(ctx, id)
}

// ForBuild returns the values and SSH keys that a build gets, one of each name: an image's own goes before
// its namespace's, one for some versions before one for all, a newer one before an older. Errors: Invalid (one can't be read).
func (s *Service) ForBuild(ctx context.Context, b catalog.Build) ([]catalog.OpenSecret, error) {
	secrets, err := s.config.Store.ListSecrets(ctx, b.Image.Namespace)
	if err != nil {
		return nil, err
	}
	best := map[string]catalog.Secret{}
	for _, secret := range secrets {
		key := string(secret.Kind) + " " + secret.Name
		other, ok := best[key]
		if secret.Kind != catalog.SecretRegistry && secret.For(b.ImageID, b.Version) && (!ok || before(secret, other)) {
			best[key] = secret
		}
	}
	var found []catalog.OpenSecret
	for _, secret := range best {
		value, err := s.config.Keyring.Open(secret.Sealed, about(secret))
		if err != nil {
			what := "secret "
			if secret.Kind == catalog.SecretSSHKey {
				what = "SSH key "
			}
			return nil, unreadable(catalog.Invalid, err, what+secret.Name)
		}
		found = append(found, catalog.OpenSecret{Secret: secret, Value: value, Alias: s.alias(secret)})
	}
	slices.SortFunc(found, func(a, b catalog.OpenSecret) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return found, nil
}

func (s *Service) alias(secret catalog.Secret) string {
	mac := hmac.New(sha256.New, s.aliases)
	_, _ = fmt.Fprint(mac, secret.ID) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// before reports whether a build gets a rather than b.
func before(a, b catalog.Secret) bool {
	switch {
	case (a.ImageID == 0) != (b.ImageID == 0):
		return a.ImageID != 0
	case (a.Tags == "") != (b.Tags == ""):
		return a.Tags != ""
	}
	return a.SetAt.After(b.SetAt)
}

// CredentialFor returns what a namespace logs in to a host with: what it has itself, or else what the installation
// has for all; empty for nothing. An empty user name with a password is an identity token, as credential helpers tell
// them. Docker Hub may be called by any of its names. Errors: Invalid (no host).
func (s *Service) CredentialFor(ctx context.Context, namespace, host string) (username, password string, err error) {
	if host, err = catalog.RegistryHost(host); err != nil {
		return "", "", err
	}
	for _, owner := range []string{namespace, ""} {
		secrets, err := s.config.Store.ListSecrets(ctx, owner)
		if err != nil {
			return "", "", err
		}
		i := slices.IndexFunc(secrets, func(secret catalog.Secret) bool {
			return secret.Kind == catalog.SecretRegistry && secret.Name == host
		})
		if i >= 0 {
			password, err := s.config.Keyring.Open(secrets[i].Sealed, about(secrets[i]))
			if err != nil {
				return "", "", unreadable(catalog.Unavailable, err, "password at "+host)
			}
			return secrets[i].Username, string(password), nil
		}
	}
	return s.helpers.get(ctx, host)
}

// HadAccount reports whether a registry is or was used with an account, of any namespace: what came
// from it may be private. Errors: Invalid (no host).
func (s *Service) HadAccount(ctx context.Context, host string) (bool, error) {
	host, err := catalog.RegistryHost(host)
	if err != nil {
		return false, err
	}
	return s.config.Store.HadAccount(ctx, host)
}
