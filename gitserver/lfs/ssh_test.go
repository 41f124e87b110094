package lfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

func line(text string) string { return fmt.Sprintf("%04x%s\n", len(text)+5, text) }

// say is a command with its arguments, and data if there is any.
func say(command string, arguments []string, data ...string) string {
	text := line(command)
	for _, a := range arguments {
		text += line(a)
	}
	if data != nil {
		text += "0001"
	}
	for _, d := range data {
		text += fmt.Sprintf("%04x%s", len(d)+4, d)
	}
	return text + "0000"
}

const (
	flush = "0000"
	delim = "0001"
	quit  = "0009quit\n" + flush
)

// capabilities are what a session begins with.
var capabilities = line("version=1") + line("locking") + flush

// talk is a session of alice's on alice/app, and what it answered.
func (e *env) talk(operation lfs.Operation, said string) (string, error) {
	e.t.Helper()
	id := catalog.Identity{User: e.users["alice"], Scope: catalog.ScopeWrite}
	caller := lfs.Caller{
		Identity: id, Ref: app, Audit: hclog.NewNullLogger(),
		StillMay: func(ctx context.Context, action catalog.Action) error {
			return catalog.Authorize(ctx, e.store, id, action, catalog.Target{Namespace: app.Namespace, Image: app.Name})
		},
	}
	var out bytes.Buffer
	err := e.server.Transfer(e.t.Context(), caller, operation, strings.NewReader(said), &out)
	return strings.TrimPrefix(out.String(), capabilities), err
}

// The protocol byte by byte, as docs/proposals/ssh_adapter.md of git-lfs has it.
func TestTransferOverSSH(t *testing.T) {
	e := newEnv(t)
	large := strings.Repeat("0123456789abcdef", 5000)
	size := fmt.Sprintf("size=%d", len(large))
	ok := line("status 200")
	got, err := e.talk(lfs.Upload, say("version 1", nil)+
		say("batch", []string{"transfer=ssh", "hash-algo=sha256", "refname=refs/heads/main"}, fmt.Sprintf("%s %d\n", oidOf(large), len(large)), oidOf("x")+" 1 key=value\n")+
		say("put-object "+oidOf(large), []string{size}, large[:60_000], large[60_000:])+
		say("verify-object "+oidOf(large), []string{size})+
		line("put-object "+oidOf(""))+line("size=0")+delim+flush+
		say("batch", nil, fmt.Sprintf("%s %d", oidOf(large), len(large)))+quit)
	want := ok + delim + flush +
		ok + line("hash-algo=sha256") + delim + line(fmt.Sprintf("%s %d upload", oidOf(large), len(large))) + line(oidOf("x")+" 1 upload") + flush +
		ok + flush + ok + flush + ok + flush +
		ok + line("hash-algo=sha256") + delim + line(fmt.Sprintf("%s %d noop", oidOf(large), len(large))) + flush + ok + flush
	if err != nil || got != want {
		t.Errorf("uploaded: %v\n%q\nwant\n%q", err, got, want)
	}
	got, err = e.talk(lfs.Download, say("version 1", nil)+say("get-object "+oidOf(large), nil)+say("get-object "+oidOf(""), nil)+quit)
	want = ok + delim + flush + ok + line(size) + delim
	for rest := large; rest != ""; {
		n := min(len(rest), 32<<10)
		want, rest = want+fmt.Sprintf("%04x%s", n+4, rest[:n]), rest[n:]
	}
	want += flush + ok + line("size=0") + delim + flush + ok + flush
	if err != nil || got != want {
		t.Errorf("downloaded: %v, %d bytes, want %d", err, len(got), len(want))
	}
}

// After each refusal the session goes on, as if what was refused had not been said.
func TestRefusalsOverSSH(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "x"); got.status != 200 {
		t.Fatal(got)
	}
	for name, c := range map[string]struct {
		operation lfs.Operation
		said      string
		status    int
		says      string
	}{
		"another version":                {lfs.Upload, say("version 2", nil), 422, "version"},
		"no version":                     {lfs.Upload, say("version", nil), 422, "version"},
		"an unknown command":             {lfs.Upload, say("frob", nil), 422, "frob"},
		"an unknown command with data":   {lfs.Upload, say("frob", nil, "quit\n"), 422, "frob"},
		"an empty command":               {lfs.Upload, say("", nil), 422, "command"},
		"an upload in a download":        {lfs.Download, say("put-object "+oidOf("y"), []string{"size=1"}, "y"), 403, "not part of a download"},
		"a lock in a download":           {lfs.Download, say("lock", []string{"path=a"}), 403, "not part of a download"},
		"no size":                        {lfs.Upload, say("put-object "+oidOf("y"), nil, "y"), 422, "size"},
		"another size":                   {lfs.Upload, say("put-object "+oidOf("y"), []string{"size=2"}, "y"), 422, "must have 2 bytes"},
		"more than the size":             {lfs.Upload, say("put-object "+oidOf("y"), []string{"size=1"}, "y", "quit\n"), 422, "must have 1 bytes"},
		"another content":                {lfs.Upload, say("put-object "+oidOf("y"), []string{"size=1"}, "z"), 422, "SHA-256"},
		"too large":                      {lfs.Upload, say("put-object "+oidOf("y"), []string{fmt.Sprint("size=", most+1)}, "y"), 413, "at most"},
		"an OID that is none":            {lfs.Upload, say("put-object ../x", []string{"size=1"}, "y"), 422, "not a valid Git LFS object ID"},
		"nothing of an object":           {lfs.Upload, say("put-object "+oidOf("y"), []string{"size=1"}), 422, "must have 1 bytes"},
		"no such object":                 {lfs.Download, say("get-object "+oidOf("y"), nil), 404, "git lfs push --all"},
		"nothing to verify":              {lfs.Upload, say("verify-object "+oidOf("y"), []string{"size=1"}), 404, "git lfs push --all"},
		"verified with another size":     {lfs.Upload, say("verify-object "+oidOf("x"), []string{"size=2"}), 422, "has 1 bytes"},
		"a batch with something else":    {lfs.Upload, say("batch", nil, "hello\n"), 422, "size"},
		"a batch of too large an object": {lfs.Upload, say("batch", nil, fmt.Sprintf("%s %d\n", oidOf("y"), most+1)), 413, oidOf("y")},
		"a batch with another hash":      {lfs.Upload, say("batch", []string{"hash-algo=sha1"}, oidOf("x")+" 1\n"), 409, "sha256"},
		"a batch with a long line":       {lfs.Upload, say("batch", nil, strings.Repeat("x", 60_000), strings.Repeat("x", 60_000)), 422, "arrive"},
		"a batch in several packets":     {lfs.Upload, say("batch", nil, strings.Repeat(oidOf("x")+" 1\n", 900), strings.Repeat(strings.Repeat("a", 64)+" 1\n", 900)), 200, "noop"},
		"a path that is none":            {lfs.Upload, say("lock", []string{"path=a\tb"}), 422, "control character"},
		"a lock that is none":            {lfs.Upload, say("unlock x", nil), 404, "does not exist"},
		"no lock":                        {lfs.Upload, say("unlock", nil), 404, "does not exist"},
		"a lock that is gone":            {lfs.Upload, say("unlock 99", []string{"force=true"}), 404, "does not exist"},
	} {
		got, err := e.talk(c.operation, c.said+say("version 1", nil)+quit)
		rest, isStatus := strings.CutPrefix(got, line(fmt.Sprint("status ", c.status)))
		if err != nil || !isStatus || !strings.Contains(rest, c.says) || !strings.HasSuffix(rest, flush+line("status 200")+delim+flush+line("status 200")+flush) {
			t.Errorf("%s: %v\n%.500q", name, err, got)
		}
		if e.has(app, "y") {
			t.Fatalf("%s: something was stored", name)
		}
	}
}

// What is no protocol, or ends in the middle, ends the session and leaves nothing.
func TestBrokenSessionsOverSSH(t *testing.T) {
	e := newEnv(t)
	for name, c := range map[string]struct {
		said string
		err  bool
	}{
		"nothing":                    {"", false},
		"hung up between commands":   {say("version 1", nil), false},
		"no packets":                 {"GET / HTTP/1.1\r\n\r\n", true},
		"hung up in a command":       {"0009qu", true},
		"hung up in arguments":       {line("put-object " + oidOf("y")), true},
		"hung up in an object":       {line("put-object "+oidOf("y")) + line("size=1") + delim + "0005y", true},
		"hung up at the end of data": {line("put-object "+oidOf("yy")) + line("size=2") + delim + "0006yy", true},
		"a mark for a command":       {flush, true},
		"too many arguments":         {line("lock") + manyArguments(101) + flush, true},
	} {
		_, err := e.talk(lfs.Upload, c.said)
		if (err != nil) != c.err {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e.has(app, "y") || e.has(app, "yy") {
		t.Error("something was stored")
	}
	e.awaitReceived(0)
	if strings.Contains(e.log.String(), "[ERROR]") {
		t.Errorf("a client's fault is an error of ours:\n%s", e.log.String())
	}
}

// manyArguments are as many different ones.
func manyArguments(n int) (text string) {
	for i := range n {
		text += line(fmt.Sprintf("key%d=1", i))
	}
	return text
}

// FuzzTransfer holds that a session ends with what the client says, by answers that are whole, whatever that is.
func FuzzTransfer(f *testing.F) {
	f.Add(say("version 1", nil)+say("batch", []string{"hash-algo=sha256"}, oidOf("x")+" 1\n")+quit, true)
	f.Add(say("put-object "+oidOf("x"), []string{"size=1"}, "x")+say("get-object "+oidOf("x"), nil), true)
	f.Add(say("lock", []string{"path=a=b"})+say("list-lock", []string{"limit=1", "cursor=1"})+say("unlock 1", nil), true)
	f.Add(say("list-locks", []string{"id=-1"})+line("version"), false)
	e := newEnv(f)
	f.Fuzz(func(t *testing.T, said string, uploads bool) {
		e.t = t
		operation := lfs.Download
		if uploads {
			operation = lfs.Upload
		}
		got, err := e.talk(operation, said)
		if err == nil && got != "" && !strings.HasSuffix(got, flush) {
			t.Errorf("%q is answered %q", said, got)
		}
		if strings.Contains(e.log.String(), "[ERROR]") {
			t.Errorf("%q is an error of ours:\n%s", said, e.log.String())
		}
	})
}
