package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"net"
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

// TestLogOfGuesses has one client guess, with what is no name. What others do is written all the same.
func TestLogOfGuesses(t *testing.T) {
	var written bytes.Buffer
	logger := newLogger(config.Log{Level: "info", Format: "text"}, &written)
	said := func(what, from string) { // as the interfaces over HTTP do, and as SSH does
		logger.ResetNamed(auditLogger).Info(what, "via", "registry", "user", strings.Repeat("x", 40_000), "from", from)
		logger.ResetNamed(auditLogger).With("via", "ssh", "from", &net.TCPAddr{IP: net.ParseIP(from), Port: 1}).Info(what)
	}
	for range 3000 {
		said("login failed", "192.0.2.1")
	}
	if n := strings.Count(written.String(), "\n"); n < 100 || n > 500 || written.Len() > n*1000 {
		t.Errorf("%d lines of %d bytes", n, written.Len())
	}
	written.Reset()
	said("login failed", "192.0.2.2")
	said("image deleted", "192.0.2.1")
	if n := strings.Count(written.String(), "\n"); n != 4 {
		t.Errorf("%d lines, want 4:\n%.2000s", n, written.String())
	}
}
