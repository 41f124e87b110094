package builder

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// instruction is one of a Dockerfile, as far as it says which step it makes and what that reads of the context. A build never
// follows from it: BuildKit reads Dockerfiles for that.
type instruction struct {
	line    int    // where it begins, from 1
	stage   int    // from 0
	word    string // in upper case
	text    string // what follows, on one line
	flags   []string
	args    []string // without flags; empty of the shell's form
	index   int      // of its step in the stage, from 1, as BuildKit counts; 0: it has none
	base    int      // of FROM: the stage that it is on; -1: an image
	sources []string // patterns of what it reads of the context; "." is all
	from    string   // of COPY --from
}

// stage is one of a Dockerfile.
type stage struct {
	name  string
	steps int
}

// dockerfile is a Dockerfile with its instructions in order.
type dockerfile struct {
	lines        []string
	stages       []stage
	instructions []instruction
}

var (
	escapeDirective = regexp.MustCompile("(?i)^#\\s*escape\\s*=\\s*([\\\\`])\\s*$")
	heredoc         = regexp.MustCompile(`<<-?\s*["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)
	bindMount       = regexp.MustCompile(`^--mount=(\S*)`)
)

// scanDockerfile finds the instructions of a Dockerfile. What is no Dockerfile has none, or odd ones.
func scanDockerfile(text string) dockerfile {
	d := dockerfile{lines: strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")}
	escape := `\`
	for i := 0; i < len(d.lines) && strings.HasPrefix(d.lines[i], "#"); i++ {
		if found := escapeDirective.FindStringSubmatch(d.lines[i]); found != nil {
			escape = found[1]
		}
	}
	for at := 0; at < len(d.lines); {
		first := at
		var parts []string
		for more := true; more && at < len(d.lines); at++ {
			line := strings.TrimSpace(d.lines[at])
			if line == "" || strings.HasPrefix(line, "#") {
				more = len(parts) > 0 // between lines of one instruction
				continue
			}
			line, more = strings.CutSuffix(line, escape)
			parts = append(parts, strings.TrimSpace(line))
		}
		if len(parts) == 0 {
			continue
		}
		word, rest, _ := strings.Cut(strings.Join(parts, " "), " ")
		word = strings.ToUpper(word)
		if word == "RUN" || word == "COPY" || word == "ADD" {
			at = d.skipHeredocs(at, rest)
		}
		d.add(instruction{line: first + 1, word: word, text: strings.TrimSpace(rest), base: -1})
	}
	return d
}

// skipHeredocs returns where the lines end that an instruction has behind it.
func (d *dockerfile) skipHeredocs(at int, text string) int {
	const most = 20
	for _, found := range heredoc.FindAllStringSubmatch(text, most) {
		end := slices.IndexFunc(d.lines[at:], func(line string) bool { return strings.TrimLeft(line, "\t") == found[1] })
		if end < 0 {
			return at // it is none
		}
		at += end + 1
	}
	return at
}

// add takes in an instruction.
func (d *dockerfile) add(i instruction) {
	fields := strings.Fields(i.text)
	for len(fields) > 0 && strings.HasPrefix(fields[0], "--") {
		i.flags, fields = append(i.flags, fields[0]), fields[1:]
	}
	i.args = fields
	if err := json.Unmarshal([]byte(strings.Join(fields, " ")), &i.args); err != nil {
		i.args = fields
	}
	if i.word == "FROM" {
		d.begin(&i)
	} else if len(d.stages) == 0 {
		return // ARG
	}
	i.stage = len(d.stages) - 1
	switch i.word {
	case "COPY", "ADD":
		i.readCopy()
	case "RUN":
		i.readMounts()
	case "WORKDIR":
	case "FROM":
		if i.base >= 0 || len(i.args) == 0 || i.args[0] == "scratch" {
			d.instructions = append(d.instructions, i)
			return
		}
	default:
		d.instructions = append(d.instructions, i)
		return
	}
	d.stages[i.stage].steps++
	i.index = d.stages[i.stage].steps
	d.instructions = append(d.instructions, i)
}

// begin opens the stage of a FROM.
func (d *dockerfile) begin(i *instruction) {
	s := stage{name: fmt.Sprintf("stage-%d", len(d.stages))}
	if len(i.args) == 3 && strings.EqualFold(i.args[1], "as") {
		s.name = strings.ToLower(i.args[2])
	}
	if len(i.args) > 0 {
		i.base = d.stageOf(i.args[0])
	}
	d.stages = append(d.stages, s)
}

// stageOf finds a stage by its name or number; -1: there is none.
func (d *dockerfile) stageOf(name string) int {
	for i := len(d.stages) - 1; i >= 0; i-- {
		if d.stages[i].name == strings.ToLower(name) || fmt.Sprint(i) == name {
			return i
		}
	}
	return -1
}

// readCopy finds out what a COPY or ADD reads.
func (i *instruction) readCopy() {
	for _, flag := range i.flags {
		if from, ok := strings.CutPrefix(flag, "--from="); ok {
			i.from = from
			return
		}
	}
	for _, source := range i.args[:max(0, len(i.args)-1)] {
		switch {
		case strings.HasPrefix(source, "<<"), strings.Contains(source, "://"), strings.HasPrefix(source, "git@"):
		case strings.Contains(source, "$"): // of a value that is not known here
			i.sources = append(i.sources, ".")
		default:
			i.sources = append(i.sources, path.Clean(strings.TrimLeft(source, "/")))
		}
	}
}

// readMounts finds out what a RUN reads of the context without a COPY.
func (i *instruction) readMounts() {
	for _, flag := range i.flags {
		found := bindMount.FindStringSubmatch(flag)
		if found == nil {
			continue
		}
		source, isBind := ".", true
		for part := range strings.SplitSeq(found[1], ",") {
			name, value, _ := strings.Cut(part, "=")
			switch name {
			case "type":
				isBind = value == "bind"
			case "from":
				isBind = false
			case "source", "src":
				source = path.Clean(strings.TrimLeft(value, "/"))
			}
			if !isBind {
				break
			}
		}
		if isBind {
			i.sources = append(i.sources, source)
		}
	}
}

// reads reports whether an instruction reads a file of the context.
func (i *instruction) reads(name string) bool {
	return slices.ContainsFunc(i.sources, func(source string) bool { return isBelow(name, source) })
}

// isBelow reports whether a path, or one that it is in, matches a pattern.
func isBelow(name, pattern string) bool {
	if pattern == "." || pattern == name {
		return true
	}
	for ; name != "." && name != "/"; name = path.Dir(name) {
		if matches, err := path.Match(pattern, name); matches && err == nil || name == pattern {
			return true
		}
	}
	return false
}

// oneLine is an instruction as it may be said.
func (i *instruction) oneLine() string { return shorten(i.word + " " + i.text) }

// stepName is how BuildKit names the step of an instruction: "[linux/arm64 build 2/5] RUN make".
var stepName = regexp.MustCompile(`^\[(?:(\S+/\S+) )?(?:(\S+) )?\s*(\d+)/(\d+)\] (.*)$`)

// instructionOf finds the instruction that a step is of; -1: of none that is known.
func (d *dockerfile) instructionOf(name string) int {
	found := stepName.FindStringSubmatch(name)
	if found == nil {
		return -1
	}
	at := len(d.stages) - 1 // of one stage the name is left out
	if found[2] != "" {
		at = d.stageOf(found[2])
	} else if len(d.stages) != 1 {
		return -1
	}
	if at < 0 {
		return -1
	}
	return slices.IndexFunc(d.instructions, func(i instruction) bool {
		if i.stage != at || i.index == 0 || !strings.HasPrefix(found[5], i.word+" ") {
			return false
		}
		// Where ONBUILD has added steps, the numbers are others.
		return fmt.Sprint(d.stages[at].steps) == found[4] && fmt.Sprint(i.index) == found[3] || fmt.Sprint(d.stages[at].steps) != found[4] && found[5] == i.word+" "+i.text
	})
}
