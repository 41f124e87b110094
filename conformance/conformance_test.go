package conformance

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"strings"
	"testing"
)

// example is a case: a commit, and how it is built.
type example struct {
	name       string
	dockerfile string // FROM @base names a base image
	files      files  // beside the Dockerfile; nil: those of project
	options    options
	large      string // directory that the large variant fills; empty: there is none
	refused    bool   // plain refuses it
	says       string // what ours tells instead of plain's last words, which tell a user nothing
	sample     bool   // part of the short run
	sampled    bool   // its large variant is, too
}

var everything = os.Getenv("CONFORMANCE") == "all"

func TestConformance(t *testing.T) {
	w := theEnv(t)
	for _, g := range tables() {
		t.Run(g.name, func(t *testing.T) {
			for i, c := range g.all() {
				if !everything && !c.sample {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					report(t, g.name, c.name, func() []string { return w.try(t.Context(), fmt.Sprintf("%s-%d", g.name, i), c) })
				})
			}
		})
	}
}

// table is a group of cases.
type table struct {
	name  string
	cases []example
}

func tables() []table {
	return []table{
		{"instructions", instructions()}, {"commands", commands()}, {"bases", baseImages()}, {"variables", variables()}, {"syntax", syntax()}, {"stages", stages()}, {"copies", copies()},
		{"destinations", destinations()}, {"names", names()}, {"ignores", ignores()}, {"steps", steps()}, {"platforms", severalPlatforms()},
	}
}

// all are the cases with their large variants.
func (t table) all() (list []example) {
	for _, c := range t.cases {
		list = append(list, c)
		if c.large != "" {
			list = append(list, c.enlarged())
		}
	}
	return list
}

// enlarged is the case with so much more in its context that a COPY is split: by
// turns many files and much text.
func (e example) enlarged() example {
	h := fnv.New32()
	_, _ = h.Write([]byte(e.name))
	bulk, size := bulkMany, "many files"
	if h.Sum32()%2 == 0 {
		bulk, size = bulkBig, "large files"
	}
	e.files = e.context().with(bulk(e.large))
	e.sample = e.sampled
	e.name += ", " + size
	return e
}

func (e example) context() files {
	if e.files == nil {
		return project
	}
	return e.files
}

var baseName = regexp.MustCompile(`@(base|hollow|tools|odd|raw|docker|full|unknown|onbuild|oldhistory|nohistory)\b`)

// tree is the commit's files, with the base images' names filled in.
func (e *env) tree(c example) files {
	fill := func(s string) string {
		return baseName.ReplaceAllStringFunc(s, func(name string) string { return e.reference(name[1:], "1") })
	}
	sum := c.context().with(nil)
	if c.dockerfile != "" {
		sum["Dockerfile"] = text(c.dockerfile)
	}
	for name, entry := range sum {
		if strings.Contains(strings.ToLower(name), "dockerfile") {
			entry.text = fill(entry.text)
			sum[name] = entry
		}
	}
	return sum
}

// try builds the case on both sides and tells how they differ.
func (e *env) try(ctx context.Context, repository string, c example) []string {
	r, err := e.newRepository(ctx, repository)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	if err := r.commit(ctx, "v1", e.tree(c)); err != nil {
		return []string{err.Error()}
	}
	ours, plain, err := r.both(ctx, "v1", c.options)
	if err != nil {
		return []string{err.Error()}
	}
	if c.refused != (plain.image == nil) {
		return []string{fmt.Sprintf("the case is wrong: plain's refusal is %v: %s", plain.image == nil, lastLines(plain.said, 8))}
	}
	if c.says != "" {
		plain.said = "error: " + c.says
	}
	return differences(ours, plain)
}

func (r *repository) both(ctx context.Context, tag string, o options) (ours, plain result, err error) {
	if ours, err = r.push(ctx, tag, o); err != nil {
		return ours, plain, fmt.Errorf("ours: %w", err)
	}
	if plain, err = r.build(ctx, tag, o); err != nil {
		return ours, plain, fmt.Errorf("plain: %w", err)
	}
	return ours, plain, nil
}

func differences(ours, plain result) []string {
	switch {
	case ours.image == nil && plain.image == nil:
		return compareRefusals(ours, plain)
	case ours.image == nil:
		return []string{fmt.Sprintf("refused (%s), plain builds it: %s", ours.outcome, lastLines(ours.said, 8))}
	case plain.image == nil:
		return []string{"built, plain refuses it: " + lastLines(plain.said, 8)}
	}
	return compare(ours.image, plain.image)
}
