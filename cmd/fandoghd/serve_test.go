package main

import (
	"bytes"
	"encoding/json"
	"log"
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
