package gitserver

import (
	"context"
	"encoding/json"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// lfs serves the commands of git-lfs: git-lfs-authenticate, which sends the client to HTTP, and git-lfs-transfer.
func (c *client) lfs(ctx context.Context, args []string) error {
	if len(args) < 3 { // old clients add an object to those of git-lfs-authenticate
		return catalog.Errorf(catalog.Invalid, "%s requires a repository and an operation, upload or download", args[0])
	}
	ref, err := repository.ParsePath(args[1], c.id.User.Name)
	if err != nil {
		return err
	}
	operation, err := lfs.ParseOperation(args[2])
	if err == nil {
		err = c.authorize(ctx, operation.Action(), ref)
	}
	if err != nil {
		return err
	}
	if args[0] == "git-lfs-authenticate" {
		fingerprint, until := c.session.conn.login.proof()
		access := c.server.config.LFS.Authenticate(c.id.User, fingerprint, until, ref, operation)
		text, err := json.Marshal(access)
		if err == nil {
			_, err = c.session.Write(append(text, '\n'))
		}
		return err
	}
	caller := lfs.Caller{
		Identity: c.id, Ref: ref, Audit: c.audit(),
		StillMay: func(ctx context.Context, action catalog.Action) error { return c.stillMay(ctx, action, ref) },
	}
	// git-lfs opens several, and all but one may be silent for as long as that one sends or takes a large object.
	in := &idleReader{session: c.session, pushes: true}
	return c.server.config.LFS.Transfer(ctx, caller, operation, in, c.session)
}

// proof returns the fingerprint of the key that logged in, or until when the certificate is good that did.
func (l *login) proof() (fingerprint string, until time.Time) {
	cert, ok := l.key.(*gossh.Certificate)
	if !ok {
		return gossh.FingerprintSHA256(l.key), time.Time{}
	}
	if cert.ValidBefore < uint64(gossh.CertTimeInfinity) {
		until = time.Unix(int64(min(cert.ValidBefore, 1<<40)), 0)
	}
	return "", until
}
