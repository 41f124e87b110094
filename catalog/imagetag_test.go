package catalog

import (
	"os/exec"
	"strings"
	"testing"
)

func TestSplitTag(t *testing.T) {
	for _, c := range []struct {
		tag, name, version string
		code               Code
	}{
		{"v1.2.0", "", "v1.2.0", ""},
		{"api-v1.2.0", "", "api-v1.2.0", ""},                     // release-please's own, which only a tag_prefix splits
		{"v1.0.0+5", "", "v1.0.0_5", ""},                         // build metadata of semver
		{"1.0.0+20130313144700", "", "1.0.0_20130313144700", ""}, //
		{"v1.0.0-rc.1+a+b", "", "v1.0.0-rc.1_a_b", ""},           //
		{"api/v1.2.0", "api", "v1.2.0", ""},                      // Go modules, goreleaser
		{"services/api/v1.2.0", "services/api", "v1.2.0", ""},    //
		{"konnectivity-client/v0.0.5", "konnectivity-client", "v0.0.5", ""},
		{"@scope/pkg@1.0.0", "@scope/pkg", "1.0.0", ""}, // changesets, lerna
		{"pkg@1.0.0-next.3", "pkg", "1.0.0-next.3", ""},
		{"maven-parent-3.9.6", "", "maven-parent-3.9.6", ""}, // Maven's release plugin
		{"api/v1.0.0+5", "api", "v1.0.0_5", ""},
		{"@1.0", "", "", Invalid}, {"/v1", "", "", Invalid}, {"api/", "", "", Invalid}, {"", "", "", Invalid},
		{"api/+5", "api", "_5", ""}, {"v1 0", "", "", Invalid}, {"api/v1..0", "", "", Invalid}, {"api/-1", "", "", Invalid},
	} {
		name, version, err := SplitTag(c.tag)
		if wantCode(t, c.tag, err, c.code); err == nil && (name != c.name || version != c.version) {
			t.Errorf("%s: %q %q, want %q %q", c.tag, name, version, c.name, c.version)
		}
	}
}

func TestEntriesOfTag(t *testing.T) {
	monorepo := []ImageEntry{
		{Name: "api", Context: "services/api", TagPrefix: "api-"}, {Name: "api-admin", Context: "services/api"},
		{Name: "web"}, {Name: "Worker", TagPrefix: "backend-v"}, {Name: "beat", TagPrefix: "backend-v"}, {Name: "apiweb", TagPrefix: "api-web-"},
	}
	for _, c := range []struct {
		tag     string
		entries []ImageEntry
		built   string
		version string
		code    Code
	}{
		{"v1", nil, "shop", "v1", ""}, {"v1+5", nil, "shop", "v1_5", ""}, {"api-v1", nil, "shop", "api-v1", ""},
		{"shop/v1", nil, "shop", "v1", ""}, {"@acme/Shop@1.0", nil, "shop", "1.0", ""}, {"api/v1", nil, "", "", Invalid},
		{"v1", monorepo, "api-admin web", "v1", ""},
		{"api-v1.2.0", monorepo, "api", "v1.2.0", ""}, {"api-v1+5", monorepo, "api", "v1_5", ""},
		{"api-web-2", monorepo, "apiweb", "2", ""}, {"api-", monorepo, "api-admin web", "api-", ""},
		{"backend-v2.22.0", monorepo, "Worker beat", "2.22.0", ""},
		{"services/api/v1", monorepo, "api api-admin", "v1", ""}, {"api/v1", monorepo, "api", "v1", ""},
		{"@acme/web@1.0.0", monorepo, "web", "1.0.0", ""}, {"worker/v1", monorepo, "Worker", "v1", ""},
		{"@acme/utils@1.0.0", monorepo, "", "1.0.0", ""}, {"shop/v1", monorepo, "", "v1", ""},
		{"plugin-v1", monorepo[3:], "", "plugin-v1", ""}, {"v 1", monorepo, "", "", Invalid},
	} {
		built, version, err := EntriesOfTag(c.tag, "shop", c.entries)
		var names []string
		for _, e := range built {
			names = append(names, e.Name)
		}
		if wantCode(t, c.tag, err, c.code); strings.Join(names, " ") != c.built || version != c.version {
			t.Errorf("%s: %q %q, want %q %q", c.tag, names, version, c.built, c.version)
		}
	}
}

func TestCheckTagPrefix(t *testing.T) {
	for _, good := range []string{"", "api-", "api/", "@acme/api@", "services/api/v", "v"} {
		wantCode(t, good, CheckTagPrefix(good), "")
	}
	for _, bad := range []string{"a b", "/a", "a..", "a*", "a\n", "-a", "a//", ".a", "a/.", "a/-", "a#", "ä", strings.Repeat("a", 200)} {
		wantCode(t, bad, CheckTagPrefix(bad), Invalid)
	}
}

// FuzzEntriesOfTag holds what a tag becomes to the rules of versions, and asks git whether such a tag can be.
func FuzzEntriesOfTag(f *testing.F) {
	git, err := exec.LookPath("git")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][2]string{{"v1", ""}, {"api/v1", ""}, {"@s/p@1", "p"}, {"api-v1+5", "api-"}, {"a/b/c@d", "a/"}, {"@", "@"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, tag, prefix string) {
		if CheckTagPrefix(prefix) != nil {
			return
		}
		if prefix != "" && exec.Command(git, "check-ref-format", "refs/tags/"+prefix+"1").Run() != nil {
			t.Errorf("%q is taken for the beginning of a tag, and git refuses %[1]q1", prefix)
		}
		built, version, err := EntriesOfTag(tag, "shop", []ImageEntry{{Name: "api", Context: "services/api", TagPrefix: prefix}, {Name: "web"}})
		if err != nil {
			if len(built) > 0 || CodeOf(err) != Invalid {
				t.Errorf("%q: %v, %v", tag, built, err)
			}
			return
		}
		if ValidateVersion(version) != nil {
			t.Errorf("%q became %q, which is no version", tag, version)
		}
		if ValidateVersion(tag) == nil && len(built) > 0 && built[0].TagPrefix == "" && version != tag {
			t.Errorf("%q is a version and became %q", tag, version)
		}
	})
}
