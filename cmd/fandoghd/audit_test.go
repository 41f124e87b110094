package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// What any interface writes to the audit log is kept, whatever level the log has; what can't be stored now is stored later.
func TestAuditLogIsKept(t *testing.T) {
	var written bytes.Buffer
	log := newLogger(config.Log{Level: "error"}, &written)
	var kept, waits []catalog.AuditLine
	failing := true
	k := newAuditKeeper(log)
	k.keep = func(_ context.Context, lines func() []catalog.AuditLine) ([]catalog.AuditLine, error) {
		if failing {
			return nil, errors.New("the store does not answer")
		}
		kept = append(kept, lines()...)
		return waits, nil
	}
	log.RegisterSink(k)
	audit := log.Named("ssh").ResetNamed("audit")
	audit.SetLevel(hclog.Info)
	audit = audit.With("via", "ssh", "user", "ann", "from", "192.0.2.1:1")
	audit.Info("login", "key", "SHA256:x")
	audit.Info("ref pushed", "image", catalog.ImageRef{Namespace: "ann", Name: "app"}, "ref", "refs/tags/v1")
	log.Error("something else")
	before := time.Now()
	if err := k.flush(t.Context()); err == nil {
		t.Error("a failure is not told")
	}
	audit.Info("user added", "name", 7)
	failing = false
	if err := k.flush(t.Context()); err != nil || k.beside.Load() {
		t.Fatalf("%v, beside the daemon %t", err, k.beside.Load())
	}
	if len(kept) != 2 || kept[0].At.After(before) || time.Since(kept[0].At) > time.Minute {
		t.Fatalf("kept %+v", kept)
	}
	kept[0].At, kept[1].At = time.Time{}, time.Time{}
	testkit.Same(t, "lines", kept, []catalog.AuditLine{
		{Via: "ssh", By: "ann", From: "192.0.2.1:1", What: "ref pushed", On: map[string]string{"image": "ann/app", "ref": "refs/tags/v1"}},
		{Via: "ssh", By: "ann", From: "192.0.2.1:1", What: "user added", On: map[string]string{"name": "7"}},
	})
	// What an admin verb did the store has then: it is logged, and not kept again.
	waits = []catalog.AuditLine{{Via: catalog.ViaAdmin, By: "root", From: "local", What: "user deleted", On: map[string]string{"name": "ann"}}}
	if err := k.flush(t.Context()); err != nil || !k.beside.Swap(false) {
		t.Errorf("what was done beside the daemon is not told of: %v", err)
	}
	waits = nil
	if text := written.String(); !strings.Contains(text, "audit: user deleted: via=admin user=root from=local at=0001-01-01T00:00:00Z name=ann") {
		t.Errorf("the log has\n%s", text)
	}
	if err := k.flush(t.Context()); err != nil || len(kept) != 2 {
		t.Errorf("stored twice: %v, %v", kept, err)
	}
}

// The level can be changed for loggers that were made before; the audit log is written at every one.
func TestLogLevelChanges(t *testing.T) {
	var written bytes.Buffer
	log := newLogger(config.Log{Level: "error"}, &written)
	rest := log.Named("rest").With("request_id", 7)
	audit := rest.ResetNamed(auditLogger)
	audit.SetLevel(hclog.Info)
	rest.Info("not shown")
	audit.Info("shown")
	log.SetLevel(hclog.Debug)
	rest.Debug("shown now")
	log.SetLevel(hclog.Error)
	rest.Warn("not shown")
	audit.Info("shown again")
	testkit.Same(t, "log", regexp.MustCompile(`(?m)^\S+ `).ReplaceAllString(written.String(), ""), "[INFO]  audit: shown: request_id=7\n"+
		"[DEBUG] fandoghd.rest: shown now: request_id=7\n[INFO]  audit: shown again: request_id=7\n")
}
