package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Grants holds the credentials of running builds, in memory only: a restart
// ends them all. The zero value is ready.
type Grants struct {
	mu     sync.Mutex
	byName map[string]grant
}

type grant struct {
	secret [sha256.Size]byte // hash of the password: all are of one length to compare
	grant  catalog.BuildGrant
}

// Issue makes a credential that may push one version and read its namespace,
// until revoke is called. An earlier credential of the same build ends, because
// the worker that held it lost the build. Calling revoke again does nothing.
func (g *Grants) Issue(b catalog.BuildGrant) (username, password string, revoke func()) {
	// No user's name holds a dot.
	username = fmt.Sprintf("build.%d", b.BuildID)
	password = rand.Text()
	issued := grant{sha256.Sum256([]byte(password)), b}

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = map[string]grant{}
	}
	g.byName[username] = issued
	return username, password, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.byName[username] == issued {
			delete(g.byName, username)
		}
	}
}

// Namespace returns the one that a running build's credential is for.
func (g *Grants) Namespace(username, password string) (string, bool) {
	id, ok := g.identity(username, password)
	if !ok {
		return "", false
	}
	return id.Build.Image.Namespace, true
}

// identity returns who the credential stands for.
func (g *Grants) identity(username, password string) (catalog.Identity, bool) {
	given := sha256.Sum256([]byte(password))
	g.mu.Lock()
	defer g.mu.Unlock()
	known, ok := g.byName[username]
	if !ok || subtle.ConstantTimeCompare(known.secret[:], given[:]) != 1 {
		return catalog.Identity{}, false
	}
	return catalog.Identity{Scope: catalog.ScopeWrite, Build: &known.grant}, true
}
