package builder

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tool installs what a program depends on, which follows from some files alone.
type tool struct {
	runs      *regexp.Regexp
	manifests []string // names, below what is copied
	run       string   // what installs it, where what runs does more than that
}

// tools are those that people put behind COPY . . most. The first that matches counts.
var tools = []tool{
	{regexp.MustCompile(`\bnpm (ci|i|install|clean-install)\b`), []string{"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"}, ""},
	{regexp.MustCompile(`\bpnpm (i|install|fetch)\b`), []string{"package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"}, ""},
	{regexp.MustCompile(`\byarn( install| --|\s*(&&|;|$))`), []string{"package.json", "yarn.lock", ".yarnrc", ".yarnrc.yml"}, ""},
	{regexp.MustCompile(`\bbun (i|install)\b`), []string{"package.json", "bun.lock", "bun.lockb"}, ""},
	{regexp.MustCompile(`\bpoetry (install|sync)\b`), []string{"pyproject.toml", "poetry.lock"}, ""},
	{regexp.MustCompile(`\buv sync\b`), []string{"pyproject.toml", "uv.lock"}, ""},
	{regexp.MustCompile(`\bpipenv (install|sync)\b`), []string{"Pipfile", "Pipfile.lock"}, ""},
	{regexp.MustCompile(`\bbundle( install|\s*(&&|;|$))`), []string{"Gemfile", "Gemfile.lock", ".ruby-version"}, ""},
	{regexp.MustCompile(`\bcomposer (i|install)\b`), []string{"composer.json", "composer.lock"}, ""},
	{regexp.MustCompile(`\bmix deps\.get\b`), []string{"mix.exs", "mix.lock"}, ""},
	{regexp.MustCompile(`\bcargo fetch\b`), []string{"Cargo.toml", "Cargo.lock"}, ""},
	{regexp.MustCompile(`\bgo mod (download|vendor)\b`), []string{"go.mod", "go.sum"}, ""},
	{regexp.MustCompile(`\bgo (build|install|test)\b`), []string{"go.mod", "go.sum"}, "go mod download"},
	{regexp.MustCompile(`\bmvn\b.*\bdependency:`), []string{"pom.xml"}, ""},
	{regexp.MustCompile(`\bmvn\b.*\b(package|install|compile|verify)\b`), []string{"pom.xml"}, "mvn -B dependency:go-offline"},
}

var (
	// requirements are the files that pip is told of.
	requirements = regexp.MustCompile(`\bpip3?(?:\.\d+)? install\b.*?(?:-r|--requirement)[ =]\s*(\S+)`)
	// systemPackages need no file of the commit.
	systemPackages = regexp.MustCompile(`^\s*(set -\S+ ?[;&]+ ?)?(apt-get|apt|apk|dnf|microdnf|yum|zypper) `)
	// unneeded are files that few builds read.
	unneeded = regexp.MustCompile(`(?i)^(.*\.md|.*\.rst|LICENSE.*|CHANGELOG.*|\.git.*|\.github/.*|\.gitlab/.*|docs?/.*|\.vscode/.*|\.idea/.*|\.editorconfig|\.fandogh/.*|\.?docker-compose.*\.ya?ml|compose.*\.ya?ml|(.*/)?(Dockerfile.*|.*\.Dockerfile|\.dockerignore))$`)
)

// toolOf finds what a RUN installs by.
func toolOf(run string) (tool, bool) {
	if found := requirements.FindAllStringSubmatch(run, 5); found != nil {
		var pip tool
		for _, one := range found {
			pip.manifests = append(pip.manifests, path.Clean(one[1]))
		}
		return pip, true
	}
	at := slices.IndexFunc(tools, func(t tool) bool { return t.runs.MatchString(run) })
	if at < 0 {
		return tool{}, false
	}
	return tools[at], true
}

// advise says what to change, so that a COPY of files that often change spoils less. after are the steps behind it in its stage that
// missed, too, and has tells whether a file is in the context.
func advise(missed instruction, after []instruction, changed []string, has func(name string) bool) catalog.Advice {
	if !slices.ContainsFunc(changed, func(name string) bool { return !unneeded.MatchString(name) }) {
		return catalog.Advice{Kind: catalog.AdviceIgnore, Line: missed.line, Names: changed[:min(len(changed), shownFiles)]}
	}
	for _, run := range after {
		if run.word != "RUN" {
			continue
		}
		if found, ok := toolOf(run.text); ok {
			if advice, ok := copyFirst(missed, run, found, changed, has); ok {
				return advice
			}
			continue
		}
		if systemPackages.MatchString(run.text) && len(run.sources) == 0 {
			return catalog.Advice{Kind: catalog.AdviceMoveUp, Line: run.line}
		}
	}
	return catalog.Advice{}
}

// copyFirst is advice to copy what a RUN follows from by itself, before the rest. It is none where that changed, too, or is not there.
func copyFirst(missed, run instruction, by tool, changed []string, has func(name string) bool) (catalog.Advice, bool) {
	var names []string
	for _, source := range missed.sources {
		for _, manifest := range by.manifests {
			if name := path.Join(source, manifest); fs.ValidPath(name) && !slices.Contains(names, name) && has(name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 || len(missed.args) == 0 || slices.ContainsFunc(changed, func(name string) bool { return slices.Contains(names, name) }) {
		return catalog.Advice{}, false
	}
	to := strings.TrimSuffix(missed.args[len(missed.args)-1], "/") + "/"
	advice := catalog.Advice{Kind: catalog.AdviceCopyFirst, Line: run.line, Names: names, Copy: "COPY " + strings.Join(names, " ") + " " + to}
	if by.run != "" {
		advice.Run = "RUN " + by.run
	}
	return advice, true
}
