package fandogh_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// picture is a Mermaid flowchart of packages. An arrow from or to a group stands for some of its packages, one between
// two boxes for all that they name.
type picture struct {
	boxes  map[string][]string // the packages of each
	groups map[string][]string // the boxes of each
	arrows [][2]string         // between boxes and groups
}

func (p *picture) isGroup(name string) bool { return p.groups[name] != nil }

// packages are those of a box or a group.
func (p *picture) packages(name string) []string {
	if !p.isGroup(name) {
		return p.boxes[name]
	}
	var all []string
	for _, box := range p.groups[name] {
		all = append(all, p.boxes[box]...)
	}
	return all
}

// next returns the packages that arrows lead to from one.
func (p *picture) next(from string) []string {
	var all []string
	for _, arrow := range p.arrows {
		if slices.Contains(p.packages(arrow[0]), from) {
			all = append(all, p.packages(arrow[1])...)
		}
	}
	return all
}

// below returns the packages that some way along the arrows leads to from one.
func (p *picture) below(from string) map[string]bool {
	found := map[string]bool{}
	for wait := p.next(from); len(wait) > 0; wait = wait[1:] {
		if !found[wait[0]] {
			found[wait[0]] = true
			wait = append(wait, p.next(wait[0])...)
		}
	}
	return found
}

// box matches a box: a name, and a label with the packages where the name is not the package's own.
var box = regexp.MustCompile(`^([a-z]+)(?:\["([^"]+)"\])?$`)

func readPicture(t *testing.T, text string) *picture {
	t.Helper()
	p := &picture{boxes: map[string][]string{}, groups: map[string][]string{}}
	group := ""
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "subgraph "); ok {
			group, _, _ = strings.Cut(name, "[")
			p.groups[group] = []string{}
			continue
		}
		if line == "end" {
			group = ""
			continue
		}
		var before []string
		for column := range strings.SplitSeq(line, " --> ") {
			var names []string
			for part := range strings.SplitSeq(column, " & ") {
				m := box.FindStringSubmatch(part)
				if m == nil {
					t.Fatalf("the picture has %q, which this test can't read", part)
				}
				names = append(names, m[1])
				if p.boxes[m[1]] != nil || p.isGroup(m[1]) {
					continue
				}
				label, _, _ := strings.Cut(m[2], ":")
				if p.boxes[m[1]] = strings.Split(label, ", "); label == "" {
					p.boxes[m[1]] = []string{m[1]}
				}
				if group != "" {
					p.groups[group] = append(p.groups[group], m[1])
				}
			}
			for _, from := range before {
				for _, to := range names {
					p.arrows = append(p.arrows, [2]string{from, to})
				}
			}
			before = names
		}
	}
	return p
}

// TestPictureOfLayers compares the picture of the packages with what they import: every arrow is an import, every
// import goes along arrows, none leads back, and no package is left out.
func TestPictureOfLayers(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, flowchart, found := strings.Cut(string(text), "```mermaid\nflowchart TB\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no flowchart")
	}
	flowchart, _, _ = strings.Cut(flowchart, "\n```")
	p := readPicture(t, flowchart)
	drawn := map[string]bool{}
	for _, packages := range p.boxes {
		for _, name := range packages {
			drawn[name] = true
		}
	}
	imports := map[string][]string{}
	for _, l := range packages(t) {
		name := strings.TrimPrefix(l.ImportPath, module)
		imports[name] = []string{}
		for _, imported := range l.Imports {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				imports[name] = append(imports[name], ours)
			}
		}
		if !drawn[name] && !beside(name) {
			t.Errorf("the picture lacks %s", name)
		}
	}
	for name := range drawn {
		if imports[name] == nil {
			t.Errorf("the picture has %s, which does not exist", name)
			continue
		}
		below := p.below(name)
		if below[name] {
			t.Errorf("arrows lead from %s back to it", name)
		}
		for _, imported := range imports[name] {
			if drawn[imported] && !below[imported] {
				t.Errorf("%s imports %s, and no arrows lead there", name, imported)
			}
		}
	}
	for _, arrow := range p.arrows {
		some := p.isGroup(arrow[0]) || p.isGroup(arrow[1])
		any := false
		for _, from := range p.packages(arrow[0]) {
			for _, to := range p.packages(arrow[1]) {
				is := slices.Contains(imports[from], to)
				if any = any || is; !is && !some {
					t.Errorf("an arrow leads from %s to %s, which it does not import", from, to)
				}
			}
		}
		if some && !any {
			t.Errorf("an arrow leads from %s to %s, and nothing imports along it", arrow[0], arrow[1])
		}
	}
}

// beside reports whether a package is none of the layers: it serves tests or benchmarks, or any package.
func beside(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top == "bench" || top == "conformance" || top == "deploy" || top == "internal" || strings.HasSuffix(name, "test")
}
