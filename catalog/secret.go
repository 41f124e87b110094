package catalog

import (
	"context"
	"regexp"
	"strings"
	"time"
)

// SecretKind says what builds use a secret for.
type SecretKind string

// Kinds of secrets.
const (
	SecretValue    SecretKind = "secret"   // a value, for RUN --mount=type=secret
	SecretSSHKey   SecretKind = "ssh"      // a private key, held by an agent for RUN --mount=type=ssh
	SecretRegistry SecretKind = "registry" // a password at a registry, whose host is the name
)

// Secret is what is kept for the builds of a namespace, and never shown. What tells its values
// apart is when they were set.
type Secret struct {
	ID          int64 // never another's, also when the secret is gone; a new value keeps it
	NamespaceID int64 // 0: of the whole installation
	Namespace   string
	ImageID     int64 // 0: for every image
	Image       string
	Kind        SecretKind
	Name        string // as Dockerfiles name it, or a host as RegistryHost writes it
	Tags        string // patterns of the versions that get it, with blanks between them; empty: all
	Username    string // of a SecretRegistry
	Sealed      []byte // the value, encrypted by what makes and reads it
	SealedFor   string // the namespace that it was encrypted for: that of the image before it was transferred
	UserID      int64  // who set it; 0: the operator, or a user who is gone
	SetAt       time.Time
}

// For reports whether a build of an image in the secret's namespace gets it.
func (s Secret) For(imageID int64, version string) bool {
	return (s.ImageID == 0 || s.ImageID == imageID) && (s.Tags == "" || MatchPatterns(s.Tags, version))
}

// Secrets stores secrets.
type Secrets interface {
	// PutSecret stores a secret, in place of the one with the same namespace, image, kind, name and tags;
	// ID, NamespaceID and SetAt are the store's. Without a Namespace it is the installation's.
	// Errors: NotFound (namespace or image), Forbidden (too many).
	PutSecret(ctx context.Context, s Secret) (Secret, error)
	// ListSecrets returns the secrets of a namespace, or without one those of the installation, by kind,
	// name and age.
	ListSecrets(ctx context.Context, namespace string) ([]Secret, error)
	// DeleteSecret removes a secret. Errors: NotFound.
	DeleteSecret(ctx context.Context, id int64) error
	// HasSealed reports whether anything is stored that was encrypted with the installation's key: secrets, and
	// those of connections and webhooks.
	HasSealed(ctx context.Context) (bool, error)
	// NoteAccount records that a registry is used with accounts. Storing a SecretRegistry does so, too.
	NoteAccount(ctx context.Context, host string) error
	// HadAccount reports whether a registry was ever used with an account, of any namespace, at any of its ports.
	HadAccount(ctx context.Context, host string) (bool, error)
}

// SecretControl manages secrets; who asks was authorized before. hooks/secrets
// implements it.
type SecretControl interface {
	// Set stores a value; what else is known of the secret stands in s. Errors: Invalid, NotFound, Forbidden.
	Set(ctx context.Context, s Secret, value []byte) (Secret, error)
	// List returns the secrets of a namespace and of some kinds, without their values.
	List(ctx context.Context, namespace string, kinds ...SecretKind) ([]Secret, error)
	// Remove removes a secret of a namespace. Errors: NotFound.
	Remove(ctx context.Context, namespace string, id int64, kinds ...SecretKind) error
}

// secretName is what Dockerfiles call secrets. It also is a file's name.
const maxSecretName = 128 // bytes

var secretName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// ValidateSecretName checks the name of a SecretValue or SecretSSHKey.
func ValidateSecretName(name string) error {
	if len(name) > maxSecretName || !secretName.MatchString(name) {
		return FieldErrorf("name", "secret name %q may contain only letters, digits, '_', '.' and '-', not beginning with '.' or '-', at most 128 characters", name)
	}
	return nil
}

// DockerHub is the host of the registry that images without a host are at.
const DockerHub = "docker.io"

// registryHost is a name or IPv4 address, or an IPv6 address in brackets, and a port.
var registryHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)

// RegistryHost returns the one name that a registry has here, however users, Docker's own files and BuildKit call
// it: "ghcr.io", "example.com:5000"; all of Docker Hub's are DockerHub. Errors: Invalid.
func RegistryHost(text string) (string, error) {
	host := strings.ToLower(strings.TrimSpace(text))
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	host, path, _ := strings.Cut(host, "/")
	if path = strings.Trim(path, "/"); path != "" && path != "v1" && path != "v2" || !registryHost.MatchString(host) {
		return "", FieldErrorf("host", "%q is not the host of a registry; write it as ghcr.io or registry.example.com:5000", text)
	}
	switch host = strings.TrimSuffix(host, ":443"); host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com", "docker.com", "auth.docker.io":
		return DockerHub, nil
	}
	return host, nil
}

// WithoutPort returns a host's name or address alone: caches do not tell its ports apart.
func WithoutPort(host string) string { return portOf.ReplaceAllString(host, "") }

var portOf = regexp.MustCompile(`:[0-9]*$`)

// OpenSecret is a secret with its value.
type OpenSecret struct {
	Secret
	Value []byte
	// Alias is the secret's name where others can see it, and stays the same with another value.
	// Who does not have it from here can't know it.
	Alias string
}
