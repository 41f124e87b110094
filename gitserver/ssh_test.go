package gitserver

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

// builds stands in for the builder: logs of fixed lines, and notes of what it
// was asked.
type builds struct {
	lines     []catalog.LogLine
	ended     catalog.Build
	cancelled int64
	rebuilt   string
	hold      chan struct{} // FollowLog waits for it
}

func (b *builds) ReadLog(context.Context, int64, int, int) ([]catalog.LogLine, error) {
	return b.lines, nil
}

func (b *builds) FollowLog(ctx context.Context, _ int64, _ int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	if err := emit(b.lines); err != nil {
		return catalog.Build{}, err
	}
	select {
	case <-ctx.Done():
		return catalog.Build{}, ctx.Err()
	case <-b.hold:
		return b.ended, nil
	}
}

func (b *builds) Cancel(_ context.Context, id int64) error { b.cancelled = id; return nil }

func (*builds) Wake() {}

func (b *builds) Queued(context.Context, int64) (catalog.QueuePlace, error) {
	return catalog.QueuePlace{Place: 2, Waiting: 3, Why: "the server is busy"}, nil
}

func (b *builds) Rebuild(_ context.Context, _ int64, version string, _ int64, options []string) (catalog.Build, error) {
	b.rebuilt = strings.Join(append([]string{version}, options...), " ")
	return catalog.Build{Number: 2}, nil
}

func TestCommandsOverSSH(t *testing.T) {
	b := &builds{lines: []catalog.LogLine{{Text: "#1 FROM scratch"}, {Text: "#2 COPY"}}, hold: make(chan struct{})}
	close(b.hold)
	h := newEnv(t, func(c *Config) { c.Logs, c.Control = b, b })
	ctx := t.Context()
	bob := h.addUser("bob")
	image, err := h.store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "App"}, OwnerID: bob.ID})
	if err != nil {
		t.Fatal(err)
	}
	queued, err := h.store.QueueBuilds(ctx, []catalog.NewBuild{{
		ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: strings.Repeat("ab", 20), UserID: bob.ID,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.ended = catalog.Build{State: catalog.BuildFailed, Number: 1, Message: "RUN make failed"}
	for _, test := range []struct {
		user, command string
		status        int
		want          []string
	}{
		{"alice", "", 0, []string{"Hello alice, this is Fandogh v1.2-test.", "git remote add fandogh ssh://git@git.example.org:2222/my-app", "git push fandogh v1.0", "ssh -p 2222 git@git.example.org help"}},
		{"alice", "help", 0, []string{"logs [-f] IMAGE VERSION", "rebuild", "images [--all]"}},
		{"alice", "images", 0, []string{"alice/App", "v1", "PENDING"}},
		{"bob", "images", 0, []string{"No images yet"}},
		{"alice", "versions app", 0, []string{"v1", "PENDING"}},
		{"alice", "versions alice/app", 0, []string{"v1"}},
		{"bob", "versions alice/app", 66, []string{"does not exist, or you have no access"}},
		{"alice", "versions nothing", 66, []string{"nothing"}},
		{"alice", "versions ../etc", 2, []string{"is not valid"}},
		{"alice", "versions", 2, []string{"usage: versions [--all] IMAGE"}},
		{"alice", "builds app v1", 0, []string{"PENDING", "push", "abababa"}},
		{"alice", "logs app v1", 0, []string{"#1 FROM scratch\n#2 COPY\n"}},
		{"alice", "logs -f app v1", 73, []string{"#2 COPY", "RUN make failed"}},
		{"alice", "logs app v9", 66, nil},
		{"alice", "cancel app v1", 0, []string{"Cancelled build 1 of alice/app:v1."}},
		{"bob", "cancel alice/app v1", 66, nil},
		{"alice", "rebuild app v1", 0, []string{"Queued build 2 of alice/App:v1;", "ssh -p 2222 git@git.example.org logs -f alice/App v1"}},
		{"alice", "rebuild -o no-cache app v1 -o build-arg=A=1", 0, []string{"Queued build 2 of alice/App:v1;"}},
		{"alice", "rm -rf /", 2, []string{"unknown command", "help"}},
		{"alice", "git-upload-archive app", 2, []string{"clone"}},
		{"alice", "git-upload-pack nothing", 66, []string{"no git repository yet"}},
		{"alice", "git-upload-pack 'a%2fb'", 2, []string{"is not valid"}},
		{"alice", "git upload-pack /../app", 2, []string{"is not valid"}},
		{"bob", "git-receive-pack alice/app", 66, []string{"no access"}},
	} {
		out, status := h.ssh(test.user, test.command)
		if status != test.status {
			t.Errorf("%s: ssh %s exits with %d, want %d\n%s", test.user, test.command, status, test.status, out)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: ssh %s does not say %q:\n%s", test.user, test.command, want, out)
			}
		}
	}
	if b.cancelled != queued[0].ID || b.rebuilt != "v1 no-cache build-arg=A=1" {
		t.Errorf("cancelled %d, rebuilt %q", b.cancelled, b.rebuilt)
	}
}

// slowBuilds prints a line, then waits until it may print another.
type slowBuilds struct {
	*builds
	printed chan struct{}
}

func (b slowBuilds) FollowLog(ctx context.Context, id int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	if err := emit([]catalog.LogLine{{Text: "the first line"}}); err != nil {
		return catalog.Build{}, err
	}
	close(b.printed)
	<-b.hold
	return b.ended, emit([]catalog.LogLine{{Text: "the second line"}})
}

func TestFollowingEndsWithTheRight(t *testing.T) {
	for name, revoke := range map[string]func(h *env, alice catalog.User) error{
		"key": func(h *env, alice catalog.User) error {
			keys, err := h.store.ListKeys(t.Context(), alice.ID)
			if err != nil {
				return err
			}
			return h.store.DeleteKey(t.Context(), alice.ID, keys[0].ID)
		},
		"role": func(h *env, alice catalog.User) error {
			return h.store.SetMember(t.Context(), "bob", alice.ID, catalog.RoleNone)
		},
		"account": func(h *env, alice catalog.User) error {
			h.disable(alice)
			return nil
		},
		"nothing": func(*env, catalog.User) error { return nil },
	} {
		b := slowBuilds{&builds{hold: make(chan struct{}), ended: catalog.Build{State: catalog.Built}}, make(chan struct{})}
		h := newEnv(t, func(c *Config) { c.Logs = b })
		bob := h.addUser("bob")
		alice, err := h.store.User(t.Context(), "alice")
		if err == nil {
			err = h.store.SetMember(t.Context(), "bob", alice.ID, catalog.RoleRead)
		}
		var image catalog.Image
		if err == nil {
			image, err = h.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "bob", Name: "app"}, OwnerID: bob.ID})
		}
		if err == nil {
			_, err = h.store.QueueBuilds(t.Context(), []catalog.NewBuild{{
				ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: strings.Repeat("ab", 20), UserID: bob.ID,
			}})
		}
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-b.printed
			if err := revoke(h, alice); err != nil {
				t.Error(err)
			}
			close(b.hold)
		}()
		out, status := h.ssh("alice", "logs -f bob/app v1")
		if !strings.Contains(out, "the first line") {
			t.Fatalf("%s: %s", name, out)
		}
		if ended := status != 0 && !strings.Contains(out, "the second line"); ended != (name != "nothing") {
			t.Errorf("after revoking %s: status %d\n%s", name, status, out)
		}
	}
}

func TestNoShellForwardingOrForeignKeys(t *testing.T) {
	h := newEnv(t, nil)
	if out, status := h.ssh("alice", "-tt"); status != 0 || !strings.Contains(out, "no shell access") {
		t.Errorf("a terminal gets status %d:\n%s", status, out)
	}
	if out, status := h.ssh("alice", "-s", "sftp"); status == 0 {
		t.Errorf("sftp is served:\n%s", out)
	}
	if out, status := h.ssh("alice", "-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:1", "images"); status == 0 {
		t.Errorf("remote forwarding is served:\n%s", out)
	}
	ctx := t.Context()
	keys, err := h.store.ListKeys(ctx, 1)
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if err := h.store.DeleteKey(ctx, 1, keys[0].ID); err != nil {
		t.Fatal(err)
	}
	if out, status := h.ssh("alice", "images"); status != 255 || !strings.Contains(out, "Permission denied (publickey)") {
		t.Errorf("a removed key gets status %d:\n%s", status, out)
	}
}

func TestReadersCannotPush(t *testing.T) {
	h := newEnv(t, nil)
	bob := h.addUser("bob")
	if err := h.store.SetMember(t.Context(), "alice", bob.ID, catalog.RoleRead); err != nil {
		t.Fatal(err)
	}
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("push", "origin", "main")
	b := h.newClone("bob", "alice/app")
	b.git("fetch", "origin")
	b.commit("b.txt", "1")
	b.fails([]string{"push", "origin", "main:other"}, "remote error: not allowed: bob has no permission to write")
}

func TestHostKeysAreMadeOnceAndNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ssh_host_ed25519_key")
	read := func() (keys []string) {
		all, err := serverKeys(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range all {
			keys = append(keys, string(gossh.MarshalAuthorizedKey(key.PublicKey())))
		}
		return keys
	}
	if err := makeHostKey(path, hostKeyKinds[0].generate); err != nil {
		t.Fatal(err)
	}
	old, err := hostKey(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := read()
	if len(first) != 3 || first[0] != string(gossh.MarshalAuthorizedKey(old.PublicKey())) {
		t.Errorf("the key of before is not the first of %q", first)
	}
	for i, kind := range []string{"ssh-ed25519 ", "ecdsa-sha2-nistp256 ", "ssh-rsa "} {
		if !strings.HasPrefix(first[i], kind) {
			t.Errorf("key %d is %s", i, first[i])
		}
		info, err := os.Stat(filepath.Join(dir, hostKeyKinds[i].file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	if again := read(); !slices.Equal(again, first) {
		t.Fatal("other keys at the second start")
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serverKeys(dir); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged key gives %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "damaged" {
		t.Error("a damaged key was replaced")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := serverKeys(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key for all to read gives %v", err)
	}
}

func TestLogsFollowEndsWithTheClient(t *testing.T) {
	b := &builds{lines: []catalog.LogLine{{Text: "one"}}, hold: make(chan struct{})}
	h := newEnv(t, func(c *Config) {
		c.Logs = b
		c.IdleTimeout = 500 * time.Millisecond
		c.KeepAlive = 50 * time.Millisecond
	})
	ctx := t.Context()
	image, err := h.store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "app"}, OwnerID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: strings.Repeat("ab", 20), UserID: 1}}); err != nil {
		t.Fatal(err)
	}
	b.ended = catalog.Build{State: catalog.Built}
	// Longer than the idle timeout: the client waits for us, not we for it.
	time.AfterFunc(time.Second, func() { close(b.hold) })
	if out, status := h.ssh("alice", "logs -f app v1"); status != 0 || out != "one\n" {
		t.Errorf("status %d:\n%s", status, out)
	}
}
