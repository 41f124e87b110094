package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var retentionNow = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)

// retained makes a version of a line: its name, how many days ago it was built, and what else is said of it.
func retained(id int64, line string) RetainedVersion {
	words := strings.Fields(line)
	v := RetainedVersion{Version: Version{ID: id, Name: words[0], State: Built}}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "days":
			var days float64
			if _, err := fmt.Sscan(value, &days); err != nil {
				panic(err)
			}
			v.EndedAt = retentionNow.Add(-time.Duration(days * float64(day)))
		case "branch":
			v.Branch = value
		case "held":
			v.Held = value
		case "state":
			v.State = State(value)
		}
	}
	return v
}

func TestDecideRetention(t *testing.T) {
	inForce := func(versions, branches RetentionRule) []RuleInForce {
		return []RuleInForce{{RetainVersions, versions, RuleOfImage}, {RetainBranches, branches, RuleOfInstallation}}
	}
	for _, c := range []struct {
		name               string
		versions, branches RetentionRule
		failed             int
		lines              []string
		gone               string // names, in the order of lines
	}{
		{name: "no rule removes nothing", lines: []string{"v1 days=9999", "main-1 days=9999 branch=main", "f state=FAILED days=9999"}},
		{name: "the last so many, by when they were built and not by their IDs",
			versions: RetentionRule{KeepLast: 2}, lines: []string{"rebuilt days=1", "v2 days=30", "v3 days=20"}, gone: "v2"},
		{name: "of one moment the later ID is newer", versions: RetentionRule{KeepLast: 1}, lines: []string{"v1 days=5", "v2 days=5"}, gone: "v1"},
		{name: "what any part keeps stays: age and number are not both needed",
			versions: RetentionRule{KeepLast: 1, KeepDays: 10}, lines: []string{"v1 days=40", "v2 days=9.9", "v3 days=10", "v4 days=1"}, gone: "v1 v3"},
		{name: "a pattern is of the whole name, and of the name alone",
			versions: RetentionRule{Keep: "v*.0 stable"}, lines: []string{"v1.0 days=400", "v1.1 days=400", "xv2.0 days=400", "stable days=400", "unstable days=400", "v9.9 days=1"}, gone: "v1.1 xv2.0 unstable"},
		{name: "* keeps all", versions: RetentionRule{Keep: "*"}, lines: []string{"v1 days=400", "a.b days=400"}},
		{name: "an image nobody builds any more keeps its newest version",
			versions: RetentionRule{KeepDays: 30}, lines: []string{"v1 days=300", "v2 days=200"}, gone: "v1"},
		{name: "branches' versions do not push out others, nor the other way",
			versions: RetentionRule{KeepLast: 1}, branches: RetentionRule{KeepLast: 2},
			lines: []string{"v1 days=100", "main-1 days=5 branch=main", "main-2 days=4 branch=main", "main-3 days=3 branch=main"}, gone: "main-1"},
		{name: "of branches nothing stays only for being the newest",
			branches: RetentionRule{KeepDays: 30}, lines: []string{"old-1 days=31 branch=old"}, gone: "old-1"},
		{name: "failed versions are not counted among the last, and have a time of their own",
			versions: RetentionRule{KeepLast: 1}, failed: 7,
			lines: []string{"v1 days=50", "v2 days=6 state=FAILED", "v3 days=8 state=BUILD_FAILED", "v4 days=5 state=FAILED"}, gone: "v3"},
		{name: "what is being built stays, however long ago it was made",
			versions: RetentionRule{KeepLast: 1}, failed: 1, lines: []string{"v1 days=90 state=PENDING", "v2 days=90 state=BUILDING", "v3 days=1"}},
		{name: "what is held stays, and counts",
			versions: RetentionRule{KeepLast: 2}, lines: []string{"v1 days=9", "v2 days=8 held=base", "v3 days=7", "v4 days=6 held=base", "f days=900 state=FAILED held=x"}, gone: "v1"},
		{name: "more than a page", versions: RetentionRule{KeepLast: 1}, lines: manyVersions(2500), gone: strings.Join(manyNames(2499), " ")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var versions []RetainedVersion
			for i, line := range c.lines {
				versions = append(versions, retained(int64(i+1), line))
			}
			var gone []string
			for i, d := range DecideRetention(versions, inForce(c.versions, c.branches), c.failed, retentionNow) {
				if d.ID != versions[i].ID || d.Reason == "" {
					t.Errorf("decision %d: %+v", i, d)
				}
				if !d.Keeps {
					gone = append(gone, d.Name)
				}
			}
			if got := strings.Join(gone, " "); got != c.gone {
				t.Errorf("gone: %s\nwant: %s", got, c.gone)
			}
		})
	}
}

func manyNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("v%d", i))
	}
	return names
}

func manyVersions(n int) (lines []string) {
	for i, name := range manyNames(n) {
		lines = append(lines, fmt.Sprintf("%s days=%d", name, n-i))
	}
	return lines
}

// TestRetentionKeepsWhatAnythingKeeps looks at versions and rules at random: nothing goes that any reason keeps, all goes that
// none keeps, and neither the order nor a second look changes it.
func TestRetentionKeepsWhatAnythingKeeps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		versions, rules := anyVersions(dice), anyRules(dice)
		failed := dice.IntN(3) * 5
		decisions := DecideRetention(versions, rules, failed, retentionNow)
		for i, d := range decisions {
			if want := keptByAny(versions, versions[i], rules, failed); d.Keeps != want {
				t.Fatalf("seed %d: %+v of %+v by %+v, failed %d: keeps %v, want %v", seed, versions[i], versions, rules, failed, d.Keeps, want)
			}
		}
		dice.Shuffle(len(versions), func(i, j int) {
			versions[i], versions[j] = versions[j], versions[i]
			decisions[i], decisions[j] = decisions[j], decisions[i]
		})
		if again := DecideRetention(versions, rules, failed, retentionNow); !slices.Equal(again, decisions) {
			t.Fatalf("seed %d: in another order %+v\nis not %+v", seed, again, decisions)
		}
	}
}

func anyVersions(dice *rand.Rand) (versions []RetainedVersion) {
	for i := range dice.IntN(12) {
		v := RetainedVersion{Version: Version{ID: int64(i + 1), Name: fmt.Sprintf("%c%d", "vrm"[dice.IntN(3)], i), State: Built}}
		if dice.IntN(3) == 0 {
			v.State = States()[dice.IntN(len(States()))]
		}
		if dice.IntN(3) == 0 {
			v.Branch = "main"
		}
		if dice.IntN(6) == 0 {
			v.Held = "held"
		}
		v.EndedAt = retentionNow.Add(-time.Duration(dice.IntN(20)) * day)
		versions = append(versions, v)
	}
	return versions
}

func anyRules(dice *rand.Rand) (rules []RuleInForce) {
	for _, kind := range RetentionKinds() {
		rule := RetentionRule{KeepLast: dice.IntN(4), KeepDays: dice.IntN(3) * 6, Keep: []string{"", "", "v*", "r* m1"}[dice.IntN(4)]}
		rules = append(rules, RuleInForce{kind, rule, RuleOfImage})
	}
	return rules
}

// keptByAny says again, slowly, what the rules mean.
func keptByAny(all []RetainedVersion, v RetainedVersion, rules []RuleInForce, failed int) bool {
	age := retentionNow.Sub(v.EndedAt)
	if v.Held != "" || v.State == Pending || v.State == Building {
		return true
	}
	if v.State != Built {
		return failed == 0 || age < time.Duration(failed)*day
	}
	newer := 0
	for _, other := range all {
		if other.State == Built && (other.Branch == "") == (v.Branch == "") && (other.EndedAt.After(v.EndedAt) || other.EndedAt.Equal(v.EndedAt) && other.ID > v.ID) {
			newer++
		}
	}
	rule := rules[0].Rule
	if v.Branch != "" {
		rule = rules[1].Rule
	}
	return rule.IsZero() || newer < rule.KeepLast || age < time.Duration(rule.KeepDays)*day || MatchPatterns(rule.Keep, v.Name) || newer == 0 && v.Branch == ""
}

func TestRulesInForce(t *testing.T) {
	installation := map[RetentionKind]RetentionRule{RetainVersions: {}, RetainBranches: {KeepDays: 90}}
	ofImage := ScopedRule{RetentionScope{"ann", 7}, RetainVersions, RetentionRule{Keep: "*"}}
	ofNamespace := ScopedRule{RetentionScope{"ann", 0}, RetainVersions, RetentionRule{KeepLast: 3}}
	branches := ScopedRule{RetentionScope{"ann", 0}, RetainBranches, RetentionRule{KeepLast: 1}}
	for _, c := range []struct {
		rules []ScopedRule
		want  string
	}{
		{nil, "versions: all (installation), branches: those of the last 90 days (installation)"},
		{[]ScopedRule{ofNamespace}, "versions: the last 3 (namespace), branches: those of the last 90 days (installation)"},
		{[]ScopedRule{ofImage, ofNamespace, branches}, "versions: those that match * (image), branches: the last 1 (namespace)"},
		{[]ScopedRule{ofNamespace, ofImage}, "versions: those that match * (image), branches: those of the last 90 days (installation)"},
	} {
		var got []string
		for _, r := range RulesInForce(c.rules, installation) {
			got = append(got, fmt.Sprintf("%s: %s (%s)", r.Kind, r.Rule, r.From))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%+v: %s, want %s", c.rules, text, c.want)
		}
	}
}
