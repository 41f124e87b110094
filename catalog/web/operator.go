package web

import (
	"context"
	"time"
)

// Operator tells administrators of the daemon, and does for it what they ask. The daemon implements it.
type Operator interface {
	// Findings are what doctor finds, with the daemon's own configuration.
	Findings(ctx context.Context) []Finding
	// Disk says what the data directory takes. Errors: Internal.
	Disk(ctx context.Context) (Disk, error)
	// Collect begins to remove image data that no version needs, or to find out what would go. Errors: Conflict (it is at it).
	Collect(by string, dryRun bool) error
	// Collected is the last collection that was asked for in this way; zero: none was since the daemon started.
	Collected() Collection
}

// Level says how much a Finding matters.
type Level string

// Levels of findings.
const (
	Fine  Level = "ok"
	Note  Level = "note"  // something is not there that not everyone needs
	Fault Level = "fault" // the daemon does not build
)

// Finding is what a check came to.
type Finding struct {
	Check string
	Level Level
	What  string   // a sentence in English
	Try   []string // what to type, or to set, in order
}

// Disk is what the data directory, and the disk that it is on, have.
type Disk struct {
	Free, Size int64      // bytes
	Short      string     // why it is nearly full, a clause in English; empty: it is not
	Parts      []DiskPart // largest first; none: they are being measured
}

// DiskPart is a part of the data directory: "repos", "registry", "build_cache", …
type DiskPart struct {
	Name  string
	Bytes int64
}

// Collection is what became of image data that no version needs.
type Collection struct {
	By           string // the user who asked
	DryRun       bool   // nothing went
	Began, Ended time.Time
	Freed        Amount // of a dry run: what would go
	Kept         Amount
	Uploads      Amount // that were abandoned
	Failed       string // why it ended early, a sentence in English
}

// Amount is a number of blobs and their bytes.
type Amount struct {
	Blobs int
	Bytes int64
}
