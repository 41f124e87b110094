package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/config"
)

// A log of JSON is JSON in every line, also in those of libraries.
func TestLibrariesLogAsTheDaemonDoes(t *testing.T) {
	flags, out := log.Flags(), log.Writer()
	t.Cleanup(func() {
		log.SetFlags(flags)
		log.SetOutput(out)
	})
	var written bytes.Buffer
	routeStandardLog(newLogger(config.Log{Level: "debug", Format: "json"}, &written))
	log.Print("said by a library")
	var line struct {
		Message string `json:"@message"`
	}
	if err := json.Unmarshal(written.Bytes(), &line); err != nil || line.Message != "said by a library" {
		t.Errorf("%s: %v", written.Bytes(), err)
	}
}

// What strangers send neither begins a line of the audit log nor reaches a terminal as it is.
func TestLogOfWhatStrangersSend(t *testing.T) {
	var written bytes.Buffer
	logger := newLogger(config.Log{Level: "info", Format: "text"}, &written)
	evil := "ali\n2026-03-01T10:12:40Z [INFO]  audit: login: user=root \x1b[31m\u009b1m"
	logger.ResetNamed(auditLogger).With("via", evil).Info("login failed", "name", evil)
	if got := strings.Count(written.String(), "\n"); got != 1 {
		t.Errorf("%d lines, want 1:\n%q", got, written.String())
	}
	logger.Error("not reloaded", "error", errors.New(evil))
	if strings.ContainsFunc(written.String(), isControl) || strings.Count(written.String(), "audit: login: user=root") != 3 {
		t.Errorf("written:\n%q", written.String())
	}
	written.Reset()
	logger.ResetNamed(auditLogger).With("user", strings.Repeat("é", 50_000)).Info("login failed")
	if length := written.Len(); length > 2000 {
		t.Errorf("an endless name makes a line of %d bytes", length)
	}
}
