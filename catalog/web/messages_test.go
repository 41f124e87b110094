package web

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Every message is there in both languages, takes the same, and is used.
func TestMessages(t *testing.T) {
	used := map[string]bool{}
	names, err := files.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range names {
		text, err := files.ReadFile("templates/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bt "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
		// No text stands in a template itself; html/template has comments and names of fields besides.
		bare := regexp.MustCompile(`(?s)\{\{.*?\}\}|<(code|pre)\b.*?</(code|pre)>|<[^>]*>|English|فارسی|Entrypoint|Cmd|&amp;`).ReplaceAllString(string(text), "")
		if word := regexp.MustCompile(`\pL{2,}`).FindString(bare); word != "" {
			t.Errorf("%s says %q in one language", file.Name(), word)
		}
	}
	for _, key := range []string{"signin.title", "search.title", "home.title", "signin.unauthorized", "signin.rate_limited", "signin.forbidden"} {
		used[key] = true
	}
	for _, key := range []string{
		"account.title", "scope.read", "scope.write", "deliveries",
		"job.waiting", "job.running", "job.done", "job.failed",
	} {
		used[key] = true
	}
	for _, tab := range slices.Concat(adminTabs(""), namespaceTabs("x", "", true), imageTabs(catalog.ImageRef{}, "", true)) {
		used[tab.Key] = true
	}
	for _, option := range slices.Concat(rebuildFlags, rebuildTexts) {
		used["rebuild."+option] = true
	}
	for _, limit := range limitKinds(&catalog.NamespaceLimits{}) {
		used["limit."+limit.name] = true
	}
	for _, level := range []Level{Fine, Note, Fault} {
		used["doctor."+string(level)] = true
	}
	for _, part := range []string{"repos", "registry", "logs", "mirror", "times", "uploads", "build_cache", "database", "other"} {
		used["disk."+part] = true
	}
	for _, role := range catalog.Roles() {
		used["role."+role.Name()], used["role."+role.Name()+".about"] = true, true
	}
	for _, kind := range catalog.RetentionKinds() {
		used["retention."+string(kind)] = true
	}
	for _, from := range []string{catalog.RuleOfImage, catalog.RuleOfNamespace, catalog.RuleOfInstallation} {
		used["retention.from."+from] = true
	}
	for _, own := range []string{catalog.RuleOfImage, catalog.RuleOfNamespace} {
		used["retention.drop."+own], used["retention.save."+own] = true, true
	}
	for _, key := range saidOfChanges(t) {
		used[key] = true
	}
	for _, s := range catalog.States() {
		used["state."+string(s)] = true
	}
	for _, trigger := range []catalog.Trigger{"", catalog.TriggerPush, catalog.TriggerUpload, catalog.TriggerGitHub, catalog.TriggerRegistry, catalog.TriggerRebuild} {
		used["trigger."+string(trigger)] = true
	}
	for _, o := range []catalog.Outcome{catalog.OutcomeUserError, catalog.OutcomeTimeout, catalog.OutcomeOutOfMemory, catalog.OutcomeProcessLimit,
		catalog.OutcomeDiskLimit, catalog.OutcomeCancelled, catalog.OutcomeInfrastructure} {
		used["outcome."+string(o)] = true
	}
	for _, cause := range catalog.MissCauses() {
		used["why.cause."+string(cause)] = true
	}
	for _, kind := range catalog.FileKinds() {
		used["files.kind."+string(kind)] = true
	}
	for _, change := range layerChanges() {
		used["layer."+string(change)] = true
	}
	for _, what := range []string{"added", "removed", "changed"} {
		used["changes."+what] = true
	}
	for _, kind := range catalog.AdviceKinds() {
		used["why.advice."+string(kind)] = true
	}
	for _, c := range []catalog.Code{catalog.Invalid, catalog.Unauthorized, catalog.Forbidden, catalog.NotFound, catalog.Conflict, catalog.Moved, catalog.TooLarge, catalog.RateLimited, catalog.Unavailable, catalog.Internal} {
		used["error."+string(c)] = true
	}
	for key := range used {
		if _, ok := messages[key]; !ok {
			t.Errorf("there is no message %q", key)
		}
	}
	measures := regexp.MustCompile(`^(size|time|ago)\.`)
	for key, m := range messages {
		if !used[key] && !measures.MatchString(key) {
			t.Errorf("no page says %q", key)
		}
		if m.English == "" || m.Persian == "" {
			t.Errorf("%q is missing in a language", key)
		}
		if strings.Count(m.English, "%s") != strings.Count(m.Persian, "%s") {
			t.Errorf("%q takes other things in Persian", key)
		}
		if strings.ContainsAny(m.Persian, "يك٪0123456789") {
			t.Errorf("%q has letters or digits of Arabic, or of Latin: %s", key, m.Persian)
		}
	}
}

// The form of a rebuild has every option that there is.
func TestRebuildFormHasAllOptions(t *testing.T) {
	has := slices.Concat(rebuildFlags, rebuildTexts, []string{"build-arg"})
	var all []string
	for _, usage := range catalog.RebuildOptionUsage() {
		name, _, _ := strings.Cut(usage, "=")
		all = append(all, name)
	}
	if slices.Sort(has); !slices.Equal(has, all) {
		t.Errorf("the form has %v, and the options are %v", has, all)
	}
}

func TestMeasures(t *testing.T) {
	for _, c := range []struct {
		made             func(lang) (string, error)
		english, persian string
	}{
		{func(l lang) (string, error) { return l.size(0) }, "0 B", "۰ بایت"},
		{func(l lang) (string, error) { return l.size(12_345_678) }, "12.3 MB", "۱۲٫۳ مگابایت"},
		{func(l lang) (string, error) { return l.size(999_999) }, "1 MB", "۱ مگابایت"},
		{func(l lang) (string, error) { return l.size(5e15) }, "5000 TB", "۵۰۰۰ ترابایت"},
		{func(l lang) (string, error) { return l.change(-2000) }, "−2 kB", "−۲ کیلوبایت"},
		{func(l lang) (string, error) { return l.duration(1500 * time.Millisecond) }, "1.5 s", "۱٫۵ ثانیه"},
		{func(l lang) (string, error) { return l.duration(65 * time.Second) }, "1 min 5 s", "۱ دقیقه و ۵ ثانیه"},
		{func(l lang) (string, error) { return l.duration(2*time.Hour + 3*time.Minute) }, "2 h 3 min", "۲ ساعت و ۳ دقیقه"},
		{func(l lang) (string, error) { return l.ago(-time.Second) }, "just now", "همین حالا"},
		{func(l lang) (string, error) { return l.ago(72 * time.Hour) }, "3 days ago", "۳ روز پیش"},
	} {
		for l, want := range map[lang]string{english: c.english, persian: c.persian} {
			if got, err := c.made(l); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
	}
}

func TestParseLine(t *testing.T) {
	for text, want := range map[string][]part{
		"":                          {},
		"plain":                     {{Text: "plain"}},
		"\x1b[31mred\x1b[0m.":       {{Text: "red", Class: "c1"}, {Text: "."}},
		"\x1b[1;92mok\x1b[22;39m.":  {{Text: "ok", Class: "b c2"}, {Text: "."}},
		"\x1b[38;5;196mx\x1b[1my":   {{Text: "x"}, {Text: "y", Class: "b"}},
		"\x1b[38;2;1;4;31mx":        {{Text: "x"}},
		"\x1b[38;2;1;4mx":           {{Text: "x"}},
		"a\x1b[2Kb\x1b[10;20Hc":     {{Text: "a"}, {Text: "b"}, {Text: "c"}},
		"\x1b]8;;javascript:a\x07x": {{Text: "x"}},
		"\x1b]0;t\x1b\\x\x1b":       {{Text: "x"}},
		"\x1b[31":                   {{Text: "31"}},
		"10%\r20%\r100%\r":          {{Text: "100%"}},
		"\x00\x08\x7f\u009b31mx":    {{Text: "31mx"}},
		"\xff":                      {{Text: "\uFFFD"}},
		"(https://a.test/x).":       {{Text: "("}, {Text: "https://a.test/x", Link: "https://a.test/x"}, {Text: ")."}},
		"HTTPS://A javascript:x":    {{Text: "HTTPS://A javascript:x"}},
	} {
		if got := parseLine(text); !slices.Equal(got, want) {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	if got := parseLine(strings.Repeat("é", maxShownLine)); len(got) != 1 || len(got[0].Text) > maxShownLine+3 {
		t.Error("a long line is not cut")
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("\x1b[1;31mred\x1b[0m https://a.test/\x1b]0;x\x07")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range parseLine(text) {
			if strings.ContainsFunc(p.Text, func(r rune) bool { return r < ' ' && r != '\t' }) || p.Link != "" && !strings.HasPrefix(p.Link, "http") {
				t.Errorf("%+v", p)
			}
		}
	})
}

func TestCountLines(t *testing.T) {
	for _, n := range []int{0, 1, logPage - 1, logPage, logPage + 1, 123_457} {
		asked := 0
		got, err := countLines(func(lines int) (bool, error) { asked++; return lines <= n, nil })
		if err != nil || got != n || asked > 60 {
			t.Errorf("%d lines: %d, %v, asked %d times", n, got, err, asked)
		}
	}
}

func TestStepOfLine(t *testing.T) {
	for text, want := range map[string]struct {
		step int
		kind lineKind
	}{
		"":                       {0, lineOther},
		"Building a":             {0, lineOther},
		"#x":                     {0, lineOther},
		"#4":                     {0, lineOther},
		"#12345678 a":            {0, lineOther},
		"#4 [2/3] RUN make":      {4, lineBegin},
		"#4 | ":                  {4, lineOutput},
		"#4 |":                   {4, lineOutput},
		"#4 | #5 done 1.0s":      {4, lineOutput},
		"#4 | x CACHED":          {4, lineOutput},
		"#4 done 12.0s":          {4, lineEnd},
		"#4 done well":           {4, lineBegin},
		"#4 CACHED":              {4, lineEnd},
		"#4 ERROR exit code: 1":  {4, lineEnd},
		"#4 [1/3] FROM a CACHED": {4, lineWhole},
	} {
		if step, kind := stepOfLine(text); step != want.step || kind != want.kind {
			t.Errorf("%q: %d %q, want %+v", text, step, kind, want)
		}
	}
}

// saidOfChanges finds the messages about changes that were made, in the calls of done.
func saidOfChanges(t *testing.T) (keys []string) {
	t.Helper()
	sources, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sources {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:done|onGitHub|changeMember|changeUser)\(.*"([a-z_]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			keys = append(keys, "done."+m[1])
		}
	}
	return keys
}

func TestFileRow(t *testing.T) {
	for want, f := range map[string]catalog.ImageFile{
		"-rw-r--r-- a 1":             {Name: "/x/a", Kind: catalog.FileRegular, Mode: 0o644},
		"drwxr-xr-x d 2":             {Name: "/d", Kind: catalog.FileDirectory, Mode: 0o755, Layer: 1},
		" d 0":                       {Name: "/d", Kind: catalog.FileDirectory, Layer: -1},
		"-rwsr-xr-x s 1":             {Name: "/s", Kind: catalog.FileRegular, Mode: 0o4755},
		"drwxrwxrwt t 1":             {Name: "/t", Kind: catalog.FileDirectory, Mode: 0o1777},
		"-rwSr-S--T u 1":             {Name: "/u", Kind: catalog.FileRegular, Mode: 0o7640},
		" w 1":                       {Name: "/w", Kind: catalog.FileGone},
		"lrwxrwxrwx \uFFFDl\uFFFD 1": {Name: "/\xffl\n", Kind: catalog.FileSymlink, Mode: 0o777},
		"-r-------- a\uFFFDb 1":      {Name: "/a\u202eb", Kind: catalog.FileRegular, Mode: 0o400},
	} {
		row := newFileRow(f)
		if got := fmt.Sprintf("%s %s %d", row.Bits, row.Base, row.From); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestViewLayers(t *testing.T) {
	layer := func(digest, by string, size int64) api.Layer {
		return api.Layer{Digest: digest, CreatedBy: by, Size: size}
	}
	now := &api.ImageContent{Layers: []api.Layer{layer("a", "FROM", 500), layer("c", "COPY", 300), layer("d", "RUN", 200), layer("e", "x", 0)}}
	before := &api.ImageContent{Layers: []api.Layer{layer("a", "FROM", 500), layer("b", "COPY", 1)}}
	var got []string
	v := viewLayers(now, before, "v1")
	for _, row := range v.Rows {
		got = append(got, fmt.Sprintf("%d %s %d+%d", row.Number, row.Change, row.X, row.Width))
	}
	if text := strings.Join(got, ", "); text != "1 kept 0+500, 2 changed 500+300, 3 new 800+200, 4 new 1000+0" || v.Bytes[layerNew] != 200 {
		t.Errorf("%s, %v", text, v.Bytes)
	}
	if v := viewLayers(&api.ImageContent{}, nil, ""); len(v.Rows) > 0 {
		t.Errorf("%+v", v)
	}
}

func TestInspect(t *testing.T) {
	text, more := inspect(catalog.PlatformImage{Config: []byte(`{"created":"2026-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Cmd":["</script>"],"Other":1},"rootfs":{"type":"layers","diff_ids":["sha256:1"]},"history":[]}`)}, "h/a:1", "h/a@sha256:2", 5)
	want := `[
    {
        "Id": "sha256:` + "ID" + `",
        "RepoTags": [
            "h/a:1"
        ],
        "RepoDigests": [
            "h/a@sha256:2"
        ],
        "Created": "2026-01-01T00:00:00Z",
        "Author": "",
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 5,
        "Config": {
            "Cmd": [
                "</script>"
            ],
            "Other": 1
        },
        "RootFS": {
            "Type": "layers",
            "Layers": [
                "sha256:1"
            ]
        }
    }
]
`
	if got := regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllString(text, "sha256:ID"); got != want || more {
		t.Errorf("got %s", got)
	}
	if text, more := inspect(catalog.PlatformImage{Config: []byte(`{"config":"` + strings.Repeat("é", maxInspected) + `"}`)}, "", "", 0); len(text) > maxInspected || !more {
		t.Errorf("a long configuration: %d bytes, %v", len(text), more)
	}
	if text, _ := inspect(catalog.PlatformImage{Config: []byte("x")}, "", "", 0); text != "" {
		t.Error(text)
	}
}
