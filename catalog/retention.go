package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RetentionKind is what a RetentionRule is about.
type RetentionKind string

// Kinds of versions that have rules of their own.
const (
	RetainVersions RetentionKind = "versions" // of tags, uploads and images that were pushed
	RetainBranches RetentionKind = "branches" // of branches' commits (BranchVersion)
)

// RetentionKinds lists every kind.
func RetentionKinds() []RetentionKind { return []RetentionKind{RetainVersions, RetainBranches} }

// Check returns an error for the field kind unless k is one of the known kinds.
func (k RetentionKind) Check() error {
	if slices.Contains(RetentionKinds(), k) {
		return nil
	}
	return FieldErrorf("kind", "%q is not a valid kind of versions; the kinds are: %s, %s", k, RetainVersions, RetainBranches)
}

// RetentionRule says which built versions of a kind stay: those that any of its parts keeps. The zero rule keeps all.
type RetentionRule struct {
	KeepLast int    // the newest so many of the image
	KeepDays int    // those built within so many days
	Keep     string // those whose names fit one of these patterns, with blanks between them
}

// IsZero reports whether the rule removes nothing, for it is none.
func (r RetentionRule) IsZero() bool { return r == RetentionRule{} }

// maxRetention bounds KeepLast and KeepDays: a greater number is a slip.
const maxRetention = 100_000

// Checked returns the rule as it is stored. Errors: Invalid.
func (r RetentionRule) Checked() (RetentionRule, error) {
	for _, n := range []struct {
		field string
		value int
	}{{"keep_last", r.KeepLast}, {"keep_days", r.KeepDays}} {
		if n.value < 0 || n.value > maxRetention {
			return r, FieldErrorf(n.field, "%s must be a number from 0 to %d", n.field, maxRetention)
		}
	}
	var err error
	if r.Keep, err = CheckPatterns("keep", r.Keep); err == nil && r.IsZero() {
		err = FieldErrorf("keep", "a rule needs keep_last, keep_days or keep; with keep * all versions stay")
	}
	return r, err
}

// String tells a person.
func (r RetentionRule) String() string {
	var parts []string
	if r.KeepLast > 0 {
		parts = append(parts, fmt.Sprintf("the last %d", r.KeepLast))
	}
	if r.KeepDays > 0 {
		parts = append(parts, fmt.Sprintf("those of the last %d days", r.KeepDays))
	}
	if r.Keep != "" {
		parts = append(parts, "those that match "+r.Keep)
	}
	return cmp.Or(strings.Join(parts, ", "), "all")
}

// ParseRetentionRule reads a rule of a kind as it is typed; an empty number is 0. Errors: Invalid.
func ParseRetentionRule(kind, keepLast, keepDays, keep string) (ScopedRule, error) {
	rule := ScopedRule{Kind: RetentionKind(kind), Rule: RetentionRule{Keep: keep}}
	if err := rule.Kind.Check(); err != nil {
		return rule, err
	}
	for _, n := range []struct {
		field, text string
		to          *int
	}{{"keep_last", keepLast, &rule.Rule.KeepLast}, {"keep_days", keepDays, &rule.Rule.KeepDays}} {
		if n.text == "" {
			continue
		}
		var err error
		if *n.to, err = strconv.Atoi(n.text); err != nil {
			return rule, FieldErrorf(n.field, "%s must be a number", n.field)
		}
	}
	var err error
	rule.Rule, err = rule.Rule.Checked()
	return rule, err
}

// RetentionScope is what a rule is set for: an image, or with an ImageID of 0 all images of a namespace.
type RetentionScope struct {
	Namespace string
	ImageID   int64
}

// ScopedRule is a rule of an image or of its namespace.
type ScopedRule struct {
	RetentionScope
	Kind RetentionKind
	Rule RetentionRule
}

// Origins of a rule that is in force.
const (
	RuleOfImage        = "image"
	RuleOfNamespace    = "namespace"
	RuleOfInstallation = "installation"
)

// RuleInForce is the rule for a kind of versions of an image and whose it is: the image's own, else its namespace's, else the
// installation's. It is taken whole; nothing of the others adds to it.
type RuleInForce struct {
	Kind RetentionKind
	Rule RetentionRule
	From string // RuleOfImage, …
}

// RulesInForce chooses for each kind among the rules of an image and of its namespace, and those of the installation.
func RulesInForce(rules []ScopedRule, installation map[RetentionKind]RetentionRule) []RuleInForce {
	var chosen []RuleInForce
	for _, kind := range RetentionKinds() {
		best := RuleInForce{kind, installation[kind], RuleOfInstallation}
		for _, r := range rules {
			switch {
			case r.Kind != kind:
			case r.ImageID != 0:
				best = RuleInForce{kind, r.Rule, RuleOfImage}
			case best.From == RuleOfInstallation:
				best = RuleInForce{kind, r.Rule, RuleOfNamespace}
			}
		}
		chosen = append(chosen, best)
	}
	return chosen
}

// RetainedVersion is a version with what decides whether it stays.
type RetainedVersion struct {
	Version
	Branch     string    // of whose commit it is; empty: of none
	EndedAt    time.Time // of its newest build; zero while that waits or runs
	Unattested bool      // what is to be said of it is not signed yet
	Held       string    // why no rule may remove it, a clause for people; empty: nothing holds it
}

// Kind is which rule the version is under.
func (v RetainedVersion) Kind() RetentionKind {
	if v.Branch != "" {
		return RetainBranches
	}
	return RetainVersions
}

// RetentionDecision is what becomes of a version.
type RetentionDecision struct {
	RetainedVersion
	Keeps  bool
	Reason string // a clause for people
}

// DecideRetention says of each of an image's versions whether it stays, in the order given. A built version stays when
// something holds it, when its rule is none, or when any part of that rule keeps it; the newest built one of
// RetainVersions always does. One that was not built stays until failedDays after its last build, for ever for 0. What is being
// built stays. It depends on its arguments alone, and not on the order of versions.
func DecideRetention(versions []RetainedVersion, rules []RuleInForce, failedDays int, now time.Time) []RetentionDecision {
	ranks := retentionRanks(versions)
	decisions := make([]RetentionDecision, len(versions))
	for i, v := range versions {
		d := RetentionDecision{RetainedVersion: v}
		switch {
		case !v.State.Ended():
			d.Keeps, d.Reason = true, "it is being built"
		case v.Held != "":
			d.Keeps, d.Reason = true, v.Held
		case v.State != Built:
			d.Keeps, d.Reason = keepsFailed(v, failedDays, now)
		default:
			at := slices.IndexFunc(rules, func(r RuleInForce) bool { return r.Kind == v.Kind() })
			var rule RuleInForce
			if at >= 0 {
				rule = rules[at]
			}
			d.Keeps, d.Reason = rule.keeps(v, ranks[v.ID], now)
		}
		decisions[i] = d
	}
	return decisions
}

// retentionRanks numbers the built versions of each kind from 1, the newest; of those that ended at one moment the one with
// the greater ID is newer.
func retentionRanks(versions []RetainedVersion) map[int64]int {
	newest := slices.Clone(versions)
	slices.SortFunc(newest, func(a, b RetainedVersion) int {
		return cmp.Or(b.EndedAt.Compare(a.EndedAt), cmp.Compare(b.ID, a.ID))
	})
	ranks, count := map[int64]int{}, map[RetentionKind]int{}
	for _, v := range newest {
		if v.State == Built {
			count[v.Kind()]++
			ranks[v.ID] = count[v.Kind()]
		}
	}
	return ranks
}

const day = 24 * time.Hour

func keepsFailed(v RetainedVersion, days int, now time.Time) (keeps bool, reason string) {
	switch {
	case days == 0:
		return true, "failed versions stay"
	case now.Sub(v.EndedAt) < time.Duration(days)*day:
		return true, fmt.Sprintf("it failed within the last %d days", days)
	}
	return false, fmt.Sprintf("it failed more than %d days ago", days)
}

// keeps decides about a built version that nothing holds.
func (r RuleInForce) keeps(v RetainedVersion, rank int, now time.Time) (keeps bool, reason string) {
	rule := r.Rule
	switch {
	case rule.IsZero():
		return true, "there is no rule"
	case MatchPatterns(rule.Keep, v.Name):
		return true, "it matches " + rule.Keep
	case rank <= rule.KeepLast:
		return true, fmt.Sprintf("it is one of the last %d", rule.KeepLast)
	case now.Sub(v.EndedAt) < time.Duration(rule.KeepDays)*day:
		return true, fmt.Sprintf("it was built within the last %d days", rule.KeepDays)
	case rank == 1 && r.Kind == RetainVersions:
		return true, "it is the newest"
	}
	return false, fmt.Sprintf("the %s's rule for %s keeps %s", r.From, r.Kind, rule)
}

// Removed is what retention removed at one time.
type Removed struct {
	Built, Failed int   // versions
	ImageBytes    int64 // of the images of Built; layers that others need count, and stay
	Logs          int
	LogBytes      int64
}

// RetentionRules stores the rules of images and namespaces. They go with these.
type RetentionRules interface {
	// SetRetentionRule sets the rule of a scope for a kind, in place of the one there is. Errors: Invalid, NotFound (namespace, image).
	SetRetentionRule(ctx context.Context, r ScopedRule) error
	// DeleteRetentionRule removes a scope's own rule. Errors: Invalid (kind), NotFound.
	DeleteRetentionRule(ctx context.Context, scope RetentionScope, kind RetentionKind) error
	// ListRetentionRules returns the rules of an image and of its namespace, or of a namespace alone. Errors: NotFound (namespace).
	ListRetentionRules(ctx context.Context, scope RetentionScope) ([]ScopedRule, error)
	// ListRetained returns all versions of an image, newest first, with what the store knows of Branch, EndedAt and Unattested.
	ListRetained(ctx context.Context, imageID int64) ([]RetainedVersion, error)
	// IsBase reports whether a built version other than this one was made from one of these manifests ("sha256:…").
	IsBase(ctx context.Context, digests []string, otherThan int64) (bool, error)
	// ListBuildLogs returns up to limit builds that ended before a time and whose logs were not removed, those that ended first first.
	ListBuildLogs(ctx context.Context, before time.Time, limit int) ([]int64, error)
	// NoteLogsRemoved records that the logs of builds are gone (Build.LogRemovedAt).
	NoteLogsRemoved(ctx context.Context, buildIDs []int64, at time.Time) error
}

// RetentionControl tells and changes what stays of images, for users whom the caller has authorized.
type RetentionControl interface {
	// Rules returns the rules in force for an image, or with an ImageID of 0 those of a namespace. Errors: NotFound.
	Rules(ctx context.Context, scope RetentionScope) ([]RuleInForce, error)
	// Preview says what would become of each version of an image now, newest first. With a rule, it stands in place of the
	// one in force for its kind.
	Preview(ctx context.Context, image Image, instead *ScopedRule) ([]RetentionDecision, error)
}
