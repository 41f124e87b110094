package catalog

import (
	"io/fs"
	"maps"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
)

// BuildOptions change how a version is built. The zero value means the defaults.
// It is stored as JSON.
type BuildOptions struct {
	NoCache    bool              `json:"no_cache,omitempty"`
	Pull       bool              `json:"pull,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Target     string            `json:"target,omitempty"`
	Test       string            `json:"test,omitempty"` // the stage that must build, too, before there is a version
	Platform   string            `json:"platform,omitempty"`
	Dockerfile string            `json:"dockerfile,omitempty"` // slash path in the tree
	Context    string            `json:"context,omitempty"`    // slash path in the tree
	// Timestamps says which time files have in the image's layers: TimestampsEpoch or
	// TimestampsCommit. Empty is TimestampsEpoch.
	Timestamps string `json:"timestamps,omitempty"`
	// Labels names what the image says of its commit: some of the words in LabelNames, with commas
	// between them, or LabelsNone. Empty is what the installation gives.
	Labels string `json:"labels,omitempty"`
	// Source is the URL of the repository elsewhere that the commit came from; empty: not known.
	Source string `json:"source,omitempty"`
	// KeepGit puts a .git into the build context.
	KeepGit bool `json:"keep_git,omitempty"`
	// Branch is what was pushed where the version is of a branch's commit; empty: a tag, or files.
	Branch string `json:"branch,omitempty"`
}

// What BuildOptions.Labels may name, each after what org.opencontainers.image. has it by.
const (
	LabelRevision = "revision" // the commit
	LabelSource   = "source"   // the URL of the repository that the commit came from
	LabelCreated  = "created"  // the time that the image has in its configuration
	// LabelVersion is an annotation of the manifest: as a label it would give equal images of two versions
	// different configurations.
	LabelVersion = "version"
	LabelsNone   = "none"
)

// LabelNames are the words of BuildOptions.Labels.
func LabelNames() []string {
	return []string{LabelRevision, LabelSource, LabelCreated, LabelVersion}
}

// HasLabel reports whether Labels names one of LabelNames.
func (o BuildOptions) HasLabel(name string) bool {
	return slices.Contains(splitLabels(o.Labels), name)
}

func splitLabels(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// CheckLabels says what is wrong with a list for BuildOptions.Labels. Errors: Invalid.
func CheckLabels(list string) error {
	names := splitLabels(list)
	if len(names) == 1 && names[0] == LabelsNone {
		return nil
	}
	for _, name := range names {
		if !slices.Contains(LabelNames(), name) {
			return FieldErrorf("labels", "label %q must be one of %s, or %s alone", name, strings.Join(LabelNames(), ", "), LabelsNone)
		}
	}
	return nil
}

// What BuildOptions.Timestamps may be.
const (
	TimestampsEpoch  = "epoch"  // a file's time follows from its content
	TimestampsCommit = "commit" // all have the commit's
)

// IsZero reports whether nothing is asked for.
func (o BuildOptions) IsZero() bool {
	if len(o.Args) == 0 {
		o.Args = nil
	}
	return reflect.ValueOf(o).IsZero()
}

// WithDefaults returns o with what it leaves open taken from base; build args are
// merged by name.
func (o BuildOptions) WithDefaults(base BuildOptions) BuildOptions {
	merged := o
	merged.NoCache = o.NoCache || base.NoCache
	merged.Pull = o.Pull || base.Pull
	merged.KeepGit = o.KeepGit || base.KeepGit
	if len(base.Args) > 0 {
		merged.Args = maps.Clone(base.Args)
		maps.Copy(merged.Args, o.Args)
	}
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&merged.Target, base.Target}, {&merged.Test, base.Test}, {&merged.Platform, base.Platform},
		{&merged.Dockerfile, base.Dockerfile}, {&merged.Context, base.Context}, {&merged.Timestamps, base.Timestamps},
		{&merged.Labels, base.Labels}, {&merged.Source, base.Source},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	return merged
}

// Dockerfiles are the names under which the Dockerfile is looked for, slash paths in the tree.
func (o BuildOptions) Dockerfiles() []string {
	if o.Dockerfile != "" {
		return []string{path.Clean(o.Dockerfile)}
	}
	// BuildKit's own rule: the name may also be written in lower case.
	return []string{path.Join(o.Context, "Dockerfile"), path.Join(o.Context, "dockerfile")}
}

// Validate refuses build args that steer BuildKit itself, paths that leave
// the tree, and times that there are not. Errors: Invalid.
func (o BuildOptions) Validate() error {
	if o.Timestamps != "" && o.Timestamps != TimestampsEpoch && o.Timestamps != TimestampsCommit {
		return FieldErrorf("timestamps", "timestamps %q must be %s or %s", o.Timestamps, TimestampsEpoch, TimestampsCommit)
	}
	if err := CheckLabels(o.Labels); err != nil {
		return err
	}
	if err := checkSource(o.Source); err != nil {
		return err
	}
	if err := o.validateArgs(); err != nil {
		return err
	}
	for field, p := range map[string]string{"dockerfile": o.Dockerfile, "context": o.Context} {
		if p != "" && (!fs.ValidPath(path.Clean(p)) || strings.ContainsAny(p, "\x00\\")) {
			return FieldErrorf(field, "%s %q must be a path inside the repository", field, p)
		}
	}
	return nil
}

// What the build args of one build may come to, which is stored with the build: their number, and the bytes of their names and values.
const (
	maxBuildArgs     = 1000
	maxBuildArgBytes = 1 << 20
)

func (o BuildOptions) validateArgs() error {
	bytes := 0
	for name, value := range o.Args {
		if err := validateBuildArg(name); err != nil {
			return err
		}
		bytes += len(name) + len(value)
	}
	if len(o.Args) > maxBuildArgs || bytes > maxBuildArgBytes {
		return FieldErrorf("build-arg", "a build can have at most %d build args, of %d KiB in all", maxBuildArgs, maxBuildArgBytes>>10)
	}
	return nil
}

func checkSource(source string) error {
	u, err := url.Parse(source)
	if source == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return nil
	}
	return FieldErrorf("source", "source must be the https:// URL of a repository, without a user or password")
}

func validateBuildArg(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "= \t\r\n\x00"):
		return FieldErrorf("build-arg", "build-arg needs NAME=VALUE; %q is not a valid name", name)
	case strings.HasPrefix(strings.ToUpper(name), "BUILDKIT_"):
		return FieldErrorf("build-arg", "build-arg %s is not allowed: BUILDKIT_* settings belong to the server", name)
	}
	return nil
}

// PushOptions are what `git push -o` may say.
type PushOptions struct {
	Detach             bool // report after the build is queued
	CancelOnDisconnect bool // a lost connection cancels the build
	NoBuild            bool // refs are stored, and that is all
	BuildBranches      bool // branches are built, whatever the repository says
	Build              BuildOptions
}

// pushOption sets one option from its value, empty when there was none.
type pushOption struct {
	usage string
	set   func(o *PushOptions, value string) error
}

func flagOption(to func(*PushOptions) *bool) func(*PushOptions, string) error {
	return func(o *PushOptions, value string) error {
		if value != "" {
			return FieldErrorf("push-option", "takes no value, got %q", value)
		}
		*to(o) = true
		return nil
	}
}

func textOption(to func(*PushOptions) *string) func(*PushOptions, string) error {
	return func(o *PushOptions, value string) error {
		if value == "" {
			return FieldErrorf("push-option", "needs a value")
		}
		*to(o) = value
		return nil
	}
}

// buildFlags and buildTexts are what of BuildOptions a push may have by a word and by a word with a value. Build args are set beside them.
var (
	buildFlags = map[string]func(*BuildOptions) *bool{
		"no-cache": func(o *BuildOptions) *bool { return &o.NoCache },
		"pull":     func(o *BuildOptions) *bool { return &o.Pull },
	}
	buildTexts = map[string]buildText{
		"test":       {"STAGE", func(o *BuildOptions) *string { return &o.Test }},
		"target":     {"STAGE", func(o *BuildOptions) *string { return &o.Target }},
		"platform":   {"OS/ARCH,...", func(o *BuildOptions) *string { return &o.Platform }},
		"dockerfile": {"PATH", func(o *BuildOptions) *string { return &o.Dockerfile }},
		"context":    {"DIR", func(o *BuildOptions) *string { return &o.Context }},
		"timestamps": {"RULE", func(o *BuildOptions) *string { return &o.Timestamps }},
	}
)

// buildText is an option with a value, which its usage names.
type buildText struct {
	value string
	of    func(*BuildOptions) *string
}

// buildArg is the option that sets a build arg, as NAME=VALUE.
const buildArg = "build-arg"

var pushOptions = pushOptionTable()

func pushOptionTable() map[string]pushOption {
	options := map[string]pushOption{
		"detach":   {"detach", flagOption(func(o *PushOptions) *bool { return &o.Detach })},
		"build":    {"build", flagOption(func(o *PushOptions) *bool { return &o.BuildBranches })},
		"no-build": {"no-build", flagOption(func(o *PushOptions) *bool { return &o.NoBuild })},
		"skip":     {"skip", flagOption(func(o *PushOptions) *bool { return &o.NoBuild })},
		"on-disconnect": {"on-disconnect=cancel", func(o *PushOptions, value string) error {
			if value != "cancel" {
				return FieldErrorf("push-option", "must be on-disconnect=cancel, got %q", value)
			}
			o.CancelOnDisconnect = true
			return nil
		}},
		buildArg: {buildArg + "=NAME=VALUE", func(o *PushOptions, value string) error {
			name, text, ok := strings.Cut(value, "=")
			if !ok {
				return FieldErrorf("push-option", "needs NAME=VALUE, got %q", value)
			}
			o.Build.setArg(name, text)
			return nil
		}},
	}
	for name, of := range buildFlags {
		options[name] = pushOption{name, flagOption(func(o *PushOptions) *bool { return of(&o.Build) })}
	}
	for name, text := range buildTexts {
		options[name] = pushOption{name + "=" + text.value, textOption(func(o *PushOptions) *string { return text.of(&o.Build) })}
	}
	return options
}

func (o *BuildOptions) setArg(name, value string) {
	if o.Args == nil {
		o.Args = map[string]string{}
	}
	o.Args[name] = value
}

// ParsePushOptions reads the options of one push. An unknown one is Invalid
// with the list of those there are.
func ParsePushOptions(options []string) (PushOptions, error) {
	var parsed PushOptions
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		known, ok := pushOptions[name]
		if !ok {
			return PushOptions{}, FieldErrorf("push-option", "unknown push option %q; the options are: %s", name, strings.Join(pushOptionUsage(), ", "))
		}
		if err := known.set(&parsed, value); err != nil {
			return PushOptions{}, FieldErrorf("push-option", "push option %s %s", name, MessageOf(err))
		}
	}
	if parsed.NoBuild && parsed.BuildBranches {
		return PushOptions{}, FieldErrorf("push-option", "push option build and no-build exclude each other; choose one")
	}
	return parsed, parsed.Build.Validate()
}

func pushOptionUsage() []string {
	usage := make([]string, 0, len(pushOptions))
	for _, o := range pushOptions {
		usage = append(usage, o.usage)
	}
	slices.Sort(usage)
	return usage
}
