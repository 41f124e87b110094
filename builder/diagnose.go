package builder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	maxDockerfile  = 256 << 10       // bytes that are looked at
	maxIgnoreFile  = 64 << 10        // likewise
	diagnosedLines = 2000            // of a Dockerfile
	shownFiles     = 20              // that changed
	countedFiles   = 10_000          // likewise
	diagnoseTime   = 3 * time.Second // for one build
	keptDiagnoses  = 200             // of builds that have ended
	diagnoseAtOnce = 2
)

var _ catalog.Diagnoses = (*Builder)(nil)

// Diagnose implements catalog.Diagnoses. What a build has read is read again, of the commit; nothing of it is run.
func (b *Builder) Diagnose(ctx context.Context, build catalog.Build, steps []catalog.Step) (catalog.Diagnosis, error) {
	if known, ok := b.diagnoses.Get(build.ID); ok {
		return known, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, diagnoseTime, catalog.Errorf(catalog.Unavailable, "it takes too long to look into this build"))
	defer cancel()
	select {
	case b.diagnosing <- struct{}{}:
		defer func() { <-b.diagnosing }()
	case <-ctx.Done():
		return catalog.Diagnosis{}, context.Cause(ctx)
	}
	made, err := b.diagnose(ctx, build, steps)
	switch {
	case ctx.Err() != nil:
		return catalog.Diagnosis{}, context.Cause(ctx)
	case catalog.CodeOf(err) == catalog.NotFound || catalog.CodeOf(err) == catalog.Invalid: // the commit is gone, or was never one to build
		return catalog.Diagnosis{}, nil
	case err != nil:
		return catalog.Diagnosis{}, err
	}
	if build.State.Ended() {
		b.diagnoses.Add(build.ID, made)
	}
	return made, nil
}

// examined is what a build was made of.
type examined struct {
	dockerfile
	build   catalog.Build
	options catalog.BuildOptions
	name    string // of the Dockerfile
	ignore  *patternmatcher.PatternMatcher
	files   catalog.CommitFiles
	steps   []catalog.Step
	of      [][]catalog.Step // those of each instruction; nil: they were not looked for
}

func (b *Builder) diagnose(ctx context.Context, build catalog.Build, steps []catalog.Step) (d catalog.Diagnosis, err error) {
	now, err := b.examine(ctx, build)
	if err != nil {
		return d, err
	}
	defer b.closeFiles(now)
	of := make([][]catalog.Step, len(now.instructions))
	for _, step := range steps {
		if at := now.instructionOf(step.Name); at >= 0 {
			of[at] = append(of[at], step)
		}
	}
	d.Dockerfile = now.name
	for _, line := range now.lines[:min(len(now.lines), diagnosedLines)] {
		d.Lines = append(d.Lines, catalog.DockerfileLine{Text: strings.ToValidUTF8(line, "\uFFFD")})
	}
	for at, found := range of {
		if line := now.instructions[at].line - 1; line < len(d.Lines) {
			d.Lines[line].Steps = found
		}
	}
	missed := missedSteps(of)
	if at, slowest := now.root(missed); at >= 0 {
		now.steps, now.of = steps, of
		if d.Miss, err = b.explainMiss(ctx, now, at, missed); err == nil {
			d.Miss.Cost = took(*missed[slowest])
		}
	}
	return d, err
}

// examine reads what a build is asked to do. The caller closes it.
func (b *Builder) examine(ctx context.Context, build catalog.Build) (_ *examined, err error) {
	files, err := b.config.Sources.Peek(ctx, build.Source, build.Commit)
	if err != nil {
		return nil, err
	}
	e := &examined{build: build, files: files}
	defer func() {
		if err != nil {
			b.closeFiles(e)
		}
	}()
	own, err := readRepositoryConfig(files)
	if err != nil {
		return nil, err
	}
	e.options = build.Options.WithDefaults(own.listed(build.Image.Name).options)
	for _, name := range e.options.Dockerfiles() {
		text, err := readFile(files, name, maxDockerfile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e.name, e.dockerfile = name, scanDockerfile(string(text))
		break
	}
	if e.name == "" {
		return nil, catalog.Errorf(catalog.NotFound, "there is no Dockerfile")
	}
	e.ignore = readIgnore(files, e.name+".dockerignore", path.Join(e.options.Context, ".dockerignore"))
	return e, nil
}

func (b *Builder) closeFiles(e *examined) {
	if err := e.files.Close(); err != nil {
		b.logger.Warn("failed to close a commit", "image", e.build.Source, "commit", e.build.Commit, "error", err)
	}
}

func readFile(files fs.FS, name string, limit int64) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := bounded.ReadAll(file, limit)
	if errors.As(err, new(*bounded.TooLongError)) {
		return nil, catalog.Errorf(catalog.Invalid, "%s is too long to look into", name)
	}
	return text, err
}

// readIgnore reads what the context leaves out, by the first of some files that is there; nil: nothing that is known.
func readIgnore(files fs.FS, names ...string) *patternmatcher.PatternMatcher {
	for _, name := range names {
		text, err := readFile(files, name, maxIgnoreFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil
		}
		if matcher, err := patternmatcher.New(patterns); err == nil {
			return matcher
		}
		return nil
	}
	return nil
}

// missedSteps keeps of each instruction's steps the one that took longest of those that ran, nil where none did.
func missedSteps(of [][]catalog.Step) []*catalog.Step {
	missed := make([]*catalog.Step, len(of))
	for at, steps := range of {
		for i, step := range steps {
			if !step.Cached && !step.EndedAt.IsZero() && (missed[at] == nil || took(step) > took(*missed[at])) {
				missed[at] = &steps[i]
			}
		}
	}
	return missed
}

// root finds the instruction that spoiled the cache for the one that took longest, and that one; -1: none ran.
func (d *dockerfile) root(missed []*catalog.Step) (at, slowest int) {
	slowest = -1
	for at, step := range missed {
		if step != nil && d.instructions[at].word != "FROM" && (slowest < 0 || took(*step) > took(*missed[slowest])) {
			slowest = at
		}
	}
	if slowest < 0 {
		return -1, -1
	}
	return d.rootOf(slowest, missed, map[int]bool{}), slowest
}

// rootOf follows what an instruction builds on, as long as that missed, too.
func (d *dockerfile) rootOf(at int, missed []*catalog.Step, seen map[int]bool) int {
	in := d.instructions[at].stage
	if seen[in] {
		return at
	}
	seen[in] = true
	for i, one := range d.instructions {
		if one.stage != in || i > at || missed[i] == nil && one.word != "FROM" {
			continue
		}
		on := one.base
		if one.from != "" {
			on = d.stageOf(one.from)
		}
		if on >= 0 && on < in {
			if last := d.lastMissed(on, missed); last >= 0 {
				return d.rootOf(last, missed, seen)
			}
		}
		if one.word != "FROM" {
			return i
		}
	}
	return at
}

func (d *dockerfile) lastMissed(stage int, missed []*catalog.Step) int {
	found := -1
	for i, one := range d.instructions {
		if one.stage == stage && (missed[i] != nil && one.word != "FROM" || one.word == "FROM" && one.base >= 0 && one.base < stage && d.lastMissed(one.base, missed) >= 0) {
			found = i
		}
	}
	return found
}

// explainMiss says why an instruction missed.
func (b *Builder) explainMiss(ctx context.Context, now *examined, at int, missed []*catalog.Step) (*catalog.CacheMiss, error) {
	one := now.instructions[at]
	miss := &catalog.CacheMiss{Line: one.line, Instruction: one.oneLine()}
	if missed[at] != nil {
		miss.Step = *missed[at]
	}
	if now.options.NoCache {
		miss.Cause = catalog.MissNoCache
		return miss, nil
	}
	was, since, err := b.before(ctx, now.build)
	if err != nil {
		return nil, err
	}
	if was == nil {
		miss.Cause = catalog.MissFirst
		return miss, nil
	}
	defer b.closeFiles(was)
	miss.Since = since
	args := changedArgs(was.options.Args, now.options.Args)
	if miss.BaseWas, miss.BaseIs, err = b.changedBase(ctx, was, now, at); err != nil {
		return nil, err
	}
	switch {
	case miss.BaseIs != "":
		miss.Cause = catalog.MissBase
		return miss, nil
	case !slices.ContainsFunc(was.instructions, func(other instruction) bool {
		return other.word == one.word && other.text == one.text && other.stage == one.stage
	}):
		miss.Cause = catalog.MissInstruction
		return miss, nil
	case len(one.sources) > 0:
		changed, err := b.changedFiles(ctx, was, now, one)
		if err != nil {
			return nil, err
		}
		if len(changed) > 0 {
			miss.Cause, miss.Changed, miss.Files = catalog.MissFiles, len(changed), changed[:min(len(changed), shownFiles)]
			miss.Advice = advise(one, now.missedAfter(at, missed), changed, now.has)
			return miss, nil
		}
	}
	if declared := now.declaredBefore(at, args); len(declared) > 0 {
		miss.Cause, miss.Args = catalog.MissArgs, declared
		if !slices.ContainsFunc(declared, func(name string) bool { return strings.Contains(one.text, name) }) {
			miss.Advice = catalog.Advice{Kind: catalog.AdviceArgLater, Line: one.line, Names: declared}
		}
		return miss, nil
	}
	miss.Cause = catalog.MissOther
	return miss, nil
}

// missedAfter returns the instructions behind one in its stage that missed, too.
func (e *examined) missedAfter(at int, missed []*catalog.Step) (after []instruction) {
	for i, one := range e.instructions {
		if i > at && one.stage == e.instructions[at].stage && missed[i] != nil {
			after = append(after, one)
		}
	}
	return after
}

// has reports whether a file is in the context.
func (e *examined) has(name string) bool {
	info, err := e.files.Lstat(path.Join(e.options.Context, name))
	return err == nil && !info.IsDir() && !e.ignores(name)
}

func (e *examined) ignores(name string) bool {
	if e.ignore == nil {
		return false
	}
	ignored, err := e.ignore.MatchesOrParentMatches(name)
	return ignored && err == nil
}

// before examines the newest version that was built before a build; nil: there is none.
func (b *Builder) before(ctx context.Context, build catalog.Build) (*examined, string, error) {
	const looked = 20
	versions, err := b.store.ListVersions(ctx, build.ImageID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: looked, Before: build.VersionID}})
	if err != nil {
		return nil, "", err
	}
	for _, v := range versions {
		last, err := catalog.NewestBuild(ctx, b.store, v)
		if err == nil && last.Commit != "" {
			var was *examined
			if was, err = b.examine(ctx, last); err == nil {
				return was, v.Name, nil
			}
		}
		if code := catalog.CodeOf(err); err != nil && code != catalog.NotFound && code != catalog.Invalid {
			return nil, "", err
		}
	}
	return nil, "", nil
}

// changedFiles returns the files that an instruction reads and that are not what they were, by name in the context.
func (b *Builder) changedFiles(ctx context.Context, was, now *examined, one instruction) (changed []string, err error) {
	if b.config.Differences == nil || was.build.Source != now.build.Source {
		return nil, nil
	}
	prefix := ""
	if dir := path.Clean(cmp.Or(now.options.Context, ".")); dir != "." {
		prefix = dir + "/"
	}
	_, err = b.config.Differences.Changed(ctx, now.build.Source, was.build.Commit, now.build.Commit, func(name string) bool {
		name, inContext := strings.CutPrefix(name, prefix)
		if inContext && one.reads(name) && !now.ignores(name) {
			changed = append(changed, name)
		}
		return len(changed) == countedFiles
	})
	slices.Sort(changed)
	return slices.Compact(changed), err // it may have been asked of one twice
}

// changedArgs returns the names of args that are not what they were.
func changedArgs(was, is map[string]string) (names []string) {
	all := maps.Clone(was)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, is)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, had := was[name]
		if now, has := is[name]; has != had || now != before {
			names = append(names, name)
		}
	}
	return names
}

// declaredBefore returns those of some args that an instruction's stage has by then.
func (d *dockerfile) declaredBefore(at int, args []string) (declared []string) {
	for _, one := range d.instructions[:at] {
		if one.stage != d.instructions[at].stage || one.word != "ARG" {
			continue
		}
		for _, arg := range one.args {
			if name, _, _ := strings.Cut(arg, "="); slices.Contains(args, name) {
				declared = append(declared, name)
			}
		}
	}
	return declared
}
