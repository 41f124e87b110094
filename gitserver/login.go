package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// login is what a client proved to be when the connection was made.
type login struct {
	user catalog.User
	name string // of the SSH login, such as git
	key  gossh.PublicKey
}

type loginKey struct{} // of a login in gossh.Permissions

// forced is the command that the login is bound to, "" for any.
func (l *login) forced() string {
	if cert, ok := l.key.(*gossh.Certificate); ok {
		return cert.CriticalOptions[forceCommand]
	}
	return ""
}

// fields are the login's for the audit log.
func (l *login) fields() []any {
	cert, ok := l.key.(*gossh.Certificate)
	if !ok {
		return []any{"key", gossh.FingerprintSHA256(l.key)}
	}
	return []any{
		"key", gossh.FingerprintSHA256(cert.Key), "certificate", cert.KeyId, "serial", cert.Serial,
		"ca", gossh.FingerprintSHA256(cert.SignatureKey),
	}
}

const (
	maxAuthTries = 20 // agents offer every key they hold
	forceCommand = "force-command"
)

// sshConfig is how the server introduces itself: with today's algorithms alone.
func (s *Server) sshConfig(keys []gossh.Signer) *gossh.ServerConfig {
	today := gossh.SupportedAlgorithms()
	config := &gossh.ServerConfig{
		Config: gossh.Config{
			KeyExchanges: today.KeyExchanges,
			Ciphers:      ciphers(),
			MACs:         slices.DeleteFunc(today.MACs, func(mac string) bool { return mac == gossh.HMACSHA1 }),
		},
		PublicKeyAuthAlgorithms: today.PublicKeyAuths,
		ServerVersion:           "SSH-2.0-Fandogh",
		MaxAuthTries:            maxAuthTries,
		PublicKeyCallback:       s.acceptKey,

		VerifiedPublicKeyCallback: s.acceptLogin,
	}
	for _, key := range keys {
		config.AddHostKey(key)
	}
	return config
}

// ciphers are today's. OpenSSH's client asks for ChaCha20 first, for which Go has no assembly on amd64: it takes several
// times what AES takes with the processor's instructions, so with those it is not offered.
func ciphers() []string {
	all := gossh.SupportedAlgorithms().Ciphers
	if cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ {
		all = slices.DeleteFunc(all, func(cipher string) bool { return cipher == gossh.CipherChaCha20Poly1305 })
	}
	return all
}

// acceptKey returns whose a key is, before its owner has proved to have it.
func (s *Server) acceptKey(conn gossh.ConnMetadata, key gossh.PublicKey) (*gossh.Permissions, error) {
	l := &login{name: conn.User(), key: key}
	var err error
	if l.user, err = s.userOf(s.base, l); err != nil {
		log := s.config.Logger.With("key", gossh.FingerprintSHA256(key), "address", conn.RemoteAddr(), "error", err)
		if catalog.CodeOf(err) == catalog.Internal {
			log.Error("failed to look up a key")
		} else {
			log.Debug("refused key")
		}
		return nil, err
	}
	permissions := &gossh.Permissions{ExtraData: map[any]any{loginKey{}: l}}
	if cert, ok := key.(*gossh.Certificate); ok {
		permissions.CriticalOptions, permissions.Extensions = cert.CriticalOptions, cert.Extensions
	}
	return permissions, nil
}

// acceptLogin lets a user in who has proved to have the key.
func (s *Server) acceptLogin(_ gossh.ConnMetadata, _ gossh.PublicKey, permissions *gossh.Permissions, _ string) (*gossh.Permissions, error) {
	l, _ := permissions.ExtraData[loginKey{}].(*login)
	if s.connections.full(l.user.ID, s.config.MaxPerUser) {
		return nil, banner("%s already has %d open connections; close some, or try again later", l.user.Name, s.config.MaxPerUser)
	}
	return permissions, nil
}

// banner refuses a login with a sentence, which clients show.
func banner(format string, args ...any) error {
	err := catalog.Errorf(catalog.Unauthorized, format, args...)
	return &gossh.BannerError{Err: err, Message: "fandogh: " + err.Message + "\r\n"}
}

// userOf finds the user of a login: by the key's fingerprint, or by a certificate
// that a trusted authority signed.
func (s *Server) userOf(ctx context.Context, l *login) (catalog.User, error) {
	cert, ok := l.key.(*gossh.Certificate)
	if !ok {
		return s.config.Store.UserByKey(ctx, gossh.FingerprintSHA256(l.key))
	}
	name, err := s.principal(l.name, cert)
	if err != nil {
		return catalog.User{}, err
	}
	user, err := s.config.Store.User(ctx, name)
	if catalog.CodeOf(err) == catalog.NotFound {
		return user, banner("the certificate is for user %s, who does not exist", name)
	}
	if err == nil && user.Disabled() {
		return user, banner("the account of %s is disabled; ask the server's administrator", name)
	}
	return user, err
}

// principal returns the name of the user that a certificate speaks for: the one
// of the login if it is among the certificate's, else its only one, for most log in as git.
func (s *Server) principal(login string, cert *gossh.Certificate) (string, error) {
	authorities, err := readAuthorities(s.config.TrustedUserCA)
	if err != nil {
		return "", err
	}
	signs := func(key gossh.PublicKey) bool { return bytes.Equal(key.Marshal(), cert.SignatureKey.Marshal()) }
	if cert.CertType != gossh.UserCert || !slices.ContainsFunc(authorities, signs) {
		return "", catalog.Errorf(catalog.Unauthorized, "the certificate is not signed by an authority that this server trusts")
	}
	if !slices.Contains(gossh.SupportedAlgorithms().PublicKeyAuths, cert.Signature.Format) {
		return "", banner("the certificate %s is signed with %s, which is too weak; have a new one signed", cert.KeyId, cert.Signature.Format)
	}
	name := login
	if !slices.Contains(cert.ValidPrincipals, login) {
		if len(cert.ValidPrincipals) == 0 {
			return "", banner("the certificate %s names no user; have it signed with -n USER", cert.KeyId)
		}
		if len(cert.ValidPrincipals) > 1 {
			return "", banner("the certificate %s names %d users; log in as one of them, as in ssh USER@HOST", cert.KeyId, len(cert.ValidPrincipals))
		}
		name = cert.ValidPrincipals[0]
	}
	check := gossh.CertChecker{SupportedCriticalOptions: []string{forceCommand, "source-address"}}
	if err := check.CheckCert(name, cert); err != nil {
		return "", banner("the certificate %s is not valid: %s; have a new one signed", cert.KeyId, strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return name, nil
}

// Trusts reports whether a file as Config.TrustedUserCA has a key of a fingerprint.
func Trusts(file, fingerprint string) (bool, error) {
	authorities, err := readAuthorities(file)
	return slices.ContainsFunc(authorities, func(key gossh.PublicKey) bool { return gossh.FingerprintSHA256(key) == fingerprint }), err
}

// maxAuthorities bounds the file of authorities, in bytes.
const maxAuthorities = 1 << 20

// readAuthorities reads the keys of those whose certificates are believed, one a
// line as in a .pub file. The file is read at each login, so that a change needs
// no restart. "" names none.
func readAuthorities(file string) (keys []gossh.PublicKey, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := bounded.File(file, maxAuthorities)
	if err != nil {
		return nil, err
	}
	for number, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, options, _, err := gossh.ParseAuthorizedKey([]byte(line))
		if err == nil && len(options) > 0 {
			err = errors.New("options before a key are not supported")
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w; give public keys, one a line, as in a .pub file", file, number+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// identify finds the user of a login again: a connection may be kept open for
// long after the key was removed, or the certificate ended.
func (s *Server) identify(ctx context.Context, l *login) (catalog.Identity, error) {
	user, err := s.userOf(ctx, l)
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Wrap(catalog.Unauthorized, err, "the SSH key of this connection has been removed; connect again with another key")
	}
	return catalog.Identity{User: user, Scope: catalog.ScopeWrite}, err
}

// refused logs connections that did not get as far as a session.
func (s *Server) refused(from net.Addr, offered bool, err error) {
	var auth *gossh.ServerAuthError
	if !errors.As(err, &auth) && !offered {
		s.config.Logger.Debug("handshake failed", "address", from, "reason", err)
		return
	}
	reason := err
	if auth != nil && len(auth.Errors) > 0 {
		reason = auth.Errors[len(auth.Errors)-1]
	}
	s.auditLog("", from).Info(catalog.LoginFailed, "reason", reason)
}
