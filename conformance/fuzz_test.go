package conformance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// randomBuilds is how many random Dockerfiles a full run builds.
const randomBuilds = 60

// inputTime is a little less than the fuzzer gives an input before it ends the
// process: what takes longer is passed over, and left to a full run.
const inputTime = 9 * time.Second

func isFuzzing() bool {
	worker := flag.Lookup("test.fuzzworker")
	return worker != nil && worker.Value.String() == "true"
}

// FuzzBuild builds a random Dockerfile on both sides. The input is the seed of all
// that is random in it.
func FuzzBuild(f *testing.F) {
	w := theEnv(f)
	n := uint64(2)
	if everything {
		n = randomBuilds
	}
	for seed := range n {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		t.Parallel()
		c := randomExample(seed)
		ctx := t.Context()
		if isFuzzing() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, inputTime)
			defer cancel()
		}
		report(t, "random", fmt.Sprint(seed), func() []string {
			diffs := w.tryRandom(ctx, fmt.Sprintf("random-%d-%d", seed, w.serial.Add(1)), c)
			if ctx.Err() != nil {
				return nil
			}
			if len(diffs) > 0 {
				diffs = append(diffs, c.dockerfile)
			}
			return diffs
		})
	})
}

// tryRandom does not ask for the reason of a refusal: where two steps fail, either
// may come first.
func (e *env) tryRandom(ctx context.Context, repository string, c example) []string {
	r, err := e.newRepository(ctx, repository)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	if err := r.commit(ctx, "v1", e.tree(c)); err != nil {
		return []string{err.Error()}
	}
	ours, plain, err := r.both(ctx, "v1", c.options)
	switch {
	case err != nil:
		return []string{err.Error()}
	case ours.image == nil && plain.image == nil && ours.outcome == "user_error":
		return nil
	}
	return differences(ours, plain)
}

// generator writes Dockerfiles that are mostly valid.
type generator struct {
	*rand.Rand
	strings.Builder
	stages int
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) maybe(s string) string { return pick(g, "", "", s) }

func (g *generator) line(format string, args ...any) { fmt.Fprintf(g, format+"\n", args...) }

func randomExample(seed uint64) example {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
	c := example{files: project.with(files{".dockerignore": text(pick(g, "", "docs\n", "*.txt\n!a.txt\n", "**/*.h\n", "src/lib\n!src/lib/util.c\n"))})}
	if g.IntN(4) == 0 {
		c.files = c.files.with(pick(g, bulkMany, bulkBig, wide)(pick(g, "src", "docs", "src/lib")))
	}
	if g.IntN(6) == 0 {
		c.files = c.files.with(oddNames())
	}
	g.WriteString(pick(g, "", "# escape=\\\n", "# check=skip=all\n"))
	g.WriteString(g.maybe("ARG GLOBAL=g\n"))
	for range 1 + g.IntN(3) {
		g.stage()
	}
	c.dockerfile = g.String()
	return c
}

func (g *generator) stage() {
	from := pick(g, "@base", "@base", "@odd", "@full", "@raw", "@unknown", "@nohistory")
	if g.stages > 0 && g.IntN(3) == 0 {
		from = fmt.Sprintf("s%d", g.IntN(g.stages))
	}
	g.line("FROM %s AS s%d", from, g.stages)
	if from == "@full" {
		g.line("USER root")
	}
	for range 2 + g.IntN(7) {
		pick(g, (*generator).config, (*generator).variable, (*generator).copy, (*generator).copy, (*generator).run, (*generator).run, (*generator).place)(g)
	}
	g.stages++
}

func (g *generator) config() {
	g.line("%s", pick(g,
		`LABEL a=$A b="two words" `+pick(g, "c=d", "a.b=$PWD"), "EXPOSE 80 $PORT 9000-9002/udp", "VOLUME /v $D/v", `CMD ["a", "$b"]`, "CMD echo $A/$D | cat", `ENTRYPOINT ["/bin/sh"]`,
		"ENTRYPOINT exec $D/run $@", "HEALTHCHECK --interval=3s --start-interval=1s CMD x", "HEALTHCHECK NONE", "STOPSIGNAL SIGINT", "ONBUILD RUN echo $A/$B", `SHELL ["/bin/sh", "-ec"]`,
	))
}

func (g *generator) variable() {
	name := pick(g, "A", "B", "C", "D", "PORT")
	value := pick(g, "/opt", "x", "$A", "${B:-/d}", "${C}/$D", "\"$A $B\"", "'$A'", "${A#/}", "${D%/*}", "${A/o/0}", "\\$A", "", "a/b", "${C:+set}")
	g.line("%s %s=%s", pick(g, "ENV", "ENV", "ARG"), name, value)
}

func (g *generator) place() {
	g.line("%s", pick(g, "WORKDIR /w", "WORKDIR sub", "WORKDIR $D/x", "WORKDIR /data/rel/y", "WORKDIR ../z", "USER root", "WORKDIR /tmp/t", "USER node\nRUN id >/tmp/id || true\nUSER root"))
}

// destination is a path that a COPY goes to.
func (g *generator) destination() string {
	return pick(g, "/x/", ".", "./y/", "/w/sub/", "/data/abs/", "/data/rel/new/", "/lnk/", "/data/owned/", "/data/secret/d/", "/tmp/", "/full/", "$D/", "/home/app/", "/new/deep/er/", "/")
}

func (g *generator) copy() {
	flags := g.maybe("--chown="+pick(g, "node", "1:2", "app:staff", ":50")+" ") + g.maybe("--chmod="+pick(g, "600", "755", "u=rwX,go=", "2770")+" ") + g.maybe("--link ")
	switch g.IntN(8) {
	case 0:
		if g.stages > 0 {
			g.line("COPY %s--from=s%d %s %s", flags, g.IntN(g.stages), pick(g, "/etc", "/bin/sh", "/home", "/tmp", "/etc/passwd /etc/group"), g.destination())
		}
	case 1:
		g.line("COPY %s--from=@odd %s %s", flags, pick(g, "/data/real", "/data/owned", "/full", "/data/h1 /data/h2", "/data/secret"), g.destination())
	case 2:
		g.line("COPY %s<<EOF %sf\nline $A ${B:-x}\nEOF", flags, g.destination())
	case 3:
		g.line("COPY %s--parents %s %s", flags, pick(g, "src/lib docs", "src/./lib/*.c", "**/*.md"), g.destination())
	case 4:
		g.line("COPY %s--exclude=%s %s %s", flags, pick(g, "lib", "**/*.c", "*", "bulk/d0*"), pick(g, "src", ".", "docs"), g.destination())
	default:
		g.line("%s %s%s %s", pick(g, "COPY", "COPY", "ADD"), flags, pick(g, ".", "src", "src/", "docs", "a.txt", "a.txt b.txt", "*.txt", "src/lib docs/deep", "src/to-dir", "run.sh", "empty", "s*"), g.destination())
	}
}

func (g *generator) run() {
	if g.IntN(4) == 0 {
		g.WriteString(listing)
		return
	}
	g.line("RUN %s%s", g.maybe(pick(g, "--mount=type=bind,target=/ctx ", "--mount=type=cache,target=/cache ", "--mount=type=tmpfs,target=/t ", "--mount=source=src,target=/s,rw ", "--network=none ")), pick(g,
		"echo $A/$B/$C/$D >/r; pwd >>/r", "mkdir -p /m/n && touch /m/n/o && chmod -R 750 /m", "rm -rf /x /data/real", "mv /x /moved || true", "ln -s /x /y2 || true; ln /etc/passwd /pw || true",
		"chown -R 5:6 /x /w 2>/dev/null || true", "find / -xdev -name '*.c' | sort >/cs", "find /x -type f 2>/dev/null | sort | head -5 | xargs -r gzip -9", "chmod 700 /tmp /x 2>/dev/null || true",
		"rm -rf /x && mkdir -m 700 /x", "for f in /x/* /w/*; do echo $f; done >/g", "cp -a /x /x2 2>/dev/null || true", "rm -f /x/a.txt /w/a.txt; echo new >/x/main.c 2>/dev/null || true",
		"<<EOF\nset -e\necho $A >/h\numask 077\nmkdir -p /h2/h3\nEOF", `["/bin/sh", "-c", "echo exec >/e"]`, "mkfifo /ff 2>/dev/null || true; mknod /nn c 1 3 2>/dev/null || true", "true", "ls -l /x /w 2>/dev/null | awk '{print $1, $2, $3, $4, $5, $9}' >/ll",
	))
}
