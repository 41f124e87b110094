package gitserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// What SSH says of git-lfs that is not right.
func TestGitLFSCommands(t *testing.T) {
	h := newLFSEnv(t, 0)
	h.member("bob", catalog.RoleRead)
	for _, c := range []struct {
		user, command, says string
		status              int
	}{
		{"alice", "git-lfs-authenticate app", "requires a repository and an operation", 2},
		{"alice", "git-lfs-transfer app", "requires a repository and an operation", 2},
		{"alice", "git-lfs-transfer app verify", "the operations are: upload, download", 2},
		{"alice", "git-lfs-authenticate a/b/c upload", "more than two components", 2},
		{"bob", "git-lfs-authenticate alice/app upload", "no permission to write", 77},
		{"bob", "git-lfs-transfer alice/app upload", "no permission to write", 77},
		{"alice", "git-lfs-authenticate nowhere/app download", "does not exist, or you have no access to it", 66},
		{"alice", "git-lfs-transfer bob/app download", "does not exist, or you have no access to it", 66},
	} {
		if out, status := h.ssh(c.user, c.command); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%s, %q: %d %s", c.user, c.command, status, out)
		}
	}
	var access lfs.Access
	out, _ := h.ssh("alice", "git-lfs-authenticate /app.git upload "+strings.Repeat("a", 64))
	if err := json.Unmarshal([]byte(out), &access); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if access.Href != h.http+"/alice/app.git/info/lfs" || access.ExpiresIn <= 0 || !strings.HasPrefix(access.Header["Authorization"], "Bearer ") {
		t.Errorf("got %+v", access)
	}
}

// A token is one repository's and one operation's, and ends with what it came by.
func TestGitLFSTokens(t *testing.T) {
	h := newLFSEnv(t, 0)
	h.member("bob", catalog.RoleWrite)
	token := func(user, command string) string {
		t.Helper()
		var access lfs.Access
		out, _ := h.ssh(user, command)
		if err := json.Unmarshal([]byte(out), &access); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return access.Header["Authorization"]
	}
	ask := func(token, method, path, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, h.http+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		return resp.StatusCode
	}
	const locks = "/alice/app.git/info/lfs/locks"
	c := h.clone("alice", "ssh")
	c.commit("a", "a")
	c.git("push", "-q", "origin", "main")
	up, down := token("bob", "git-lfs-authenticate alice/app upload"), token("bob", "git-lfs-authenticate alice/app download")
	for name, q := range map[string]struct {
		token, method, path string
		want                int
	}{
		"verify locks":               {up, "POST", locks + "/verify", http.StatusOK},
		"list locks":                 {up, "GET", locks, http.StatusOK},
		"list locks, to download":    {down, "GET", locks, http.StatusOK},
		"verify locks, to download":  {down, "POST", locks + "/verify", http.StatusForbidden},
		"another image":              {up, "GET", "/alice/other.git/info/lfs/locks", http.StatusForbidden},
		"another namespace":          {up, "GET", "/bob/app.git/info/lfs/locks", http.StatusForbidden},
		"in upper case":              {up, "GET", "/alice/APP.git/info/lfs/locks", http.StatusOK},
		"cut":                        {up[:len(up)-2], "GET", locks, http.StatusUnauthorized},
		"of nothing":                 {"Bearer lfs.", "GET", locks, http.StatusUnauthorized},
		"changed":                    {strings.Replace(up, "lfs.e", "lfs.f", 1), "GET", locks, http.StatusUnauthorized},
		"none":                       {"", "GET", locks, http.StatusUnauthorized},
		"another method":             {up, "DELETE", locks, http.StatusNotFound},
		"another path":               {up, "GET", "/alice/app.git/info/lfs/none", http.StatusNotFound},
		"a path that is no image":    {up, "GET", "/../app.git/info/lfs/locks", http.StatusForbidden},
		"no path":                    {"Basic Ym9iOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==", "GET", "/.git/info/lfs/locks", http.StatusNotFound},
		"a password, to an own name": {"Basic Ym9iOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==", "POST", "/mine.git/info/lfs/locks/verify", http.StatusOK},
	} {
		if got := ask(q.token, q.method, q.path, ""); got != q.want {
			t.Errorf("%s: %d, want %d", name, got, q.want)
		}
	}
	h.member("bob", catalog.RoleRead)
	if got := ask(up, "POST", locks, `{"path": "a"}`); got != http.StatusForbidden {
		t.Errorf("of a reader: %d", got)
	}
	if got := ask(up, "GET", locks, ""); got != http.StatusOK {
		t.Errorf("of a reader, to read: %d", got)
	}
	bob, err := h.store.User(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	h.disable(bob)
	if got := ask(up, "GET", locks, ""); got != http.StatusUnauthorized {
		t.Errorf("of who is disabled: %d", got)
	}
	up = token("alice", "git-lfs-authenticate app upload")
	alice, err := h.store.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := h.store.ListKeys(t.Context(), alice.ID)
	if err != nil || len(keys) != 1 || h.store.DeleteKey(t.Context(), alice.ID, keys[0].ID) != nil {
		t.Fatalf("%v, %v", keys, err)
	}
	if got := ask(up, "GET", locks, ""); got != http.StatusUnauthorized {
		t.Errorf("of a key that was removed: %d", got)
	}
}

// A role that goes while an object is on its way refuses it, over SSH too.
func TestGitLFSRevokedMeanwhile(t *testing.T) {
	h := newLFSEnv(t, 0)
	h.member("bob", catalog.RoleWrite)
	c := h.clone("alice", "ssh")
	c.commit("a", "a")
	c.git("push", "-q", "origin", "main")
	session, err := h.dial("bob").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	session.Stdout = &out
	if err := session.Start("git-lfs-transfer alice/app upload"); err != nil {
		t.Fatal(err)
	}
	const oid = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // of "a"
	say := func(text string) {
		t.Helper()
		if _, err := io.WriteString(in, text); err != nil {
			t.Fatal(err)
		}
	}
	line := func(text string) string { return fmt.Sprintf("%04x%s\n", len(text)+5, text) }
	say(line("version 1") + "0000" + line("put-object "+oid) + line("size=1") + "0001" + "0005a")
	testkit.Eventually(t, "the object arrives", func() bool {
		entries, err := os.ReadDir(filepath.Join(h.registryDir, "received"))
		return err == nil && len(entries) == 1
	})
	h.member("bob", catalog.RoleRead)
	say("0000" + line("quit") + "0000")
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "status 403") {
		t.Errorf("answered %q", out.String())
	}
	if _, err := h.lfs.Find(context.Background(), catalog.ImageRef{Namespace: "alice", Name: "app"}, oid); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("the object: %v", err)
	}
}
