package conformance

import (
	"archive/tar"
	"context"
	"fmt"
	"maps"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
)

// tools are stand-ins for the programs of languages. fetch makes a file of every
// line of a list, as installing dependencies does; compile joins sources; and
// incremental compiles only what is newer than its result, as make does.
func tools() []tar.Header {
	list := []tar.Header{}
	for name, program := range map[string]string{
		"fetch":   `mkdir -p "$2"; grep -v '^ *[{}#]' "$1" | while read -r name rest; do name=$(echo "$name" | tr -dc 'a-z0-9.-'); mkdir -p "$2/$name"; echo "$name $rest" >"$2/$name/package"; done`,
		"compile": `find "$1" -type f | LC_ALL=C sort | xargs cat | sha256sum >"$2"; find "$1" -name '*.txt' -prune -o -type f -print | LC_ALL=C sort | xargs cat >>"$2"; chmod 755 "$2"`,
		"incremental": `mkdir -p "$2"; : >/rebuilt
for f in $(find "$1" -name '*.src' | LC_ALL=C sort); do o=$2/$(echo "$f" | tr / _).o
[ -e "$o" ] && ! [ "$f" -nt "$o" ] || { cat "$f" >"$o"; echo "$f" >>/rebuilt; }; done
cat "$2"/*.o >"$3"`,
		"npm":      `case $1 in ci|install) fetch package-lock.json node_modules ;; run) mkdir -p dist && compile src dist/app.js && ls node_modules >dist/deps ;; esac`,
		"pip":      `for last; do :; done; fetch "$last" /usr/lib/python/site-packages`,
		"go":       `case $1 in mod) fetch go.sum /go/pkg/mod ;; build) compile . /bin/app; ls /go/pkg/mod >>/bin/app ;; esac`,
		"mvn":      `case $* in *go-offline*) fetch pom.xml /root/.m2 ;; *) mkdir -p target; compile src target/app.jar; ls /root/.m2 >>target/app.jar ;; esac`,
		"cargo":    `fetch Cargo.lock /usr/local/cargo/registry; incremental src /target/objects /target/app`,
		"composer": `fetch composer.lock vendor`,
		"bundle":   `fetch Gemfile.lock /usr/local/bundle`,
		"hugo":     `mkdir -p public; for f in content/*; do tr a-z A-Z <"$f" >"public/$(basename "$f").html"; done`,
	} {
		list = append(list, file("usr/local/bin/"+name, "#!/bin/sh\nset -e\n"+program+"\n", 0o755))
	}
	return list
}

// a project is built at three commits: the first, one with a changed source, and
// one with a changed dependency.
type versioned struct {
	name       string
	dockerfile string
	files      files
	changes    []files
	large      string
}

func projects() []versioned {
	lock := "left 1.0\nright 2.0\ncentre 3.1\n"
	newer := text("left 1.1\nright 2.0\ncentre 3.1\n")
	node := files{"package.json": text("{\n \"name\": \"x\"\n}\n"), "package-lock.json": text(lock), "src/index.js": text("one\n"), "src/lib.js": text("lib\n"), ".dockerignore": text("node_modules\n.git\n"), "README.md": text("r\n")}
	cached := files{"src/a.src": text("a1\n"), "src/b.src": text("b1\n"), "src/sub/c.src": text("c1\n"), "Makefile": text("all:\n")}
	return []versioned{
		{name: "node", large: "src", files: node, changes: []files{{"src/index.js": text("two\n")}, {"package-lock.json": newer}},
			dockerfile: "FROM @tools\nENV PROJECT=node\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\nEXPOSE 3000\nUSER node\nCMD [\"node\", \"dist/app.js\"]\n"},
		{name: "node in two stages", large: "src", files: node.with(files{"package.json": text("{\n \"name\": \"two stages\"\n}\n")}), changes: []files{{"src/lib.js": text("new\n")}, {"package-lock.json": newer}},
			dockerfile: "FROM @tools AS deps\nENV PROJECT=node2\nWORKDIR /app\nCOPY package*.json ./\nRUN --mount=type=cache,target=/root/.npm npm ci\nFROM deps AS build\nCOPY . .\nRUN npm run build\nFROM @base\nENV PROJECT=node2\nWORKDIR /srv/www\nCOPY --from=deps /app/node_modules ./node_modules\nCOPY --from=build --chown=node:node /app/dist ./dist\n"},
		{name: "python", large: "app", files: files{"requirements.txt": text(lock), "app/main.py": text("print(1)\n"), "app/util.py": text("x = 1\n"), "setup.cfg": text("[x]\n")},
			changes:    []files{{"app/main.py": text("print(2)\n")}, {"requirements.txt": newer}},
			dockerfile: "FROM @tools\nARG PROJECT=python\nENV PYTHONUNBUFFERED=1 PATH=$HOME/.local/bin:$PATH\nRUN set -eux; echo $PROJECT >/etc/project; mkdir -p /usr/lib/python\nWORKDIR /usr/src/app\nCOPY requirements.txt .\nRUN --mount=type=cache,target=/root/.cache/pip pip install --no-cache-dir -r requirements.txt\nCOPY . .\nRUN find . -name '*.py' | sort >/modules\nCMD [\"python\", \"-m\", \"app.main\"]\n"},
		{name: "go", large: "internal", files: files{"go.mod": text("module x\n"), "go.sum": text(lock), "main.go": text("package main\n"), "internal/x/x.go": text("package x\n")},
			changes:    []files{{"internal/x/x.go": text("package y\n")}, {"go.sum": newer}},
			dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS build\nARG TARGETOS TARGETARCH\nWORKDIR /src\nRUN echo go >/project\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\nRUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /bin/app ./cmd\nFROM scratch\nCOPY --from=build /bin/app /app\nENTRYPOINT [\"/app\"]\n"},
		{name: "java", large: "src/main", files: files{"pom.xml": text(lock), "src/main/App.java": text("class App {}\n"), "src/main/B.java": text("class B {}\n")},
			changes:    []files{{"src/main/App.java": text("class Apq {}\n")}, {"pom.xml": newer}},
			dockerfile: "FROM @tools AS build\nENV PROJECT=java\nWORKDIR /build\nCOPY pom.xml .\nRUN mvn -B dependency:go-offline\nCOPY src ./src\nRUN mvn -B package\nFROM @base\nENV PROJECT=java JAVA_OPTS=\nRUN addgroup -S spring && adduser -S spring -G spring\nUSER spring:spring\nCOPY --from=build /build/target/*.jar /app.jar\nENTRYPOINT exec java $JAVA_OPTS -jar /app.jar\n"},
		{name: "rust with cache mounts", large: "src", files: files{"Cargo.toml": text("[package]\n"), "Cargo.lock": text(lock), "src/main.src": text("fn main 1\n"), "src/lib.src": text("fn lib 1\n")},
			changes:    []files{{"src/main.src": text("fn main 2\n")}, {"Cargo.lock": newer}},
			dockerfile: "FROM @tools AS build\nENV PROJECT=rust\nWORKDIR /app\nCOPY . .\nRUN --mount=type=cache,target=/target --mount=type=cache,target=/usr/local/cargo/registry cargo build --release && cp /target/app /usr/local/bin/app\nFROM @base\nCOPY --from=build /usr/local/bin/app /rebuilt /\nCMD [\"/app\"]\n"},
		{name: "php", large: "public", files: files{"composer.json": text("{\n}\n"), "composer.lock": text(lock), "public/index.php": text("<?php 1;\n"), "config/x.ini": text("a=b\n")},
			changes:    []files{{"public/index.php": text("<?php 2;\n")}, {"composer.lock": newer}},
			dockerfile: "FROM @tools\nENV PROJECT=php APACHE_DOCUMENT_ROOT=/var/www/html/public\nRUN sed -ri -e 's!/bin/false!/bin/sh!g;s/x$/y/' /etc/passwd\nWORKDIR /var/www/html\nCOPY composer.json composer.lock ./\nRUN composer install --no-dev --no-scripts\nCOPY --chown=www-data:www-data . .\nRUN mkdir -p storage/logs && chown -R www-data storage && chmod -R ug+rwx storage\nVOLUME /var/www/html/storage\n"},
		{name: "ruby", large: "app", files: files{"Gemfile": text("source\n"), "Gemfile.lock": text(lock), "app/models/a.rb": text("class A\n"), "config.ru": text("run\n")},
			changes:    []files{{"app/models/a.rb": text("class B\n")}, {"Gemfile.lock": newer}},
			dockerfile: "FROM @tools\nENV PROJECT=ruby LANG=C.UTF-8 BUNDLE_PATH=/usr/local/bundle\nENV PATH=$BUNDLE_PATH/bin:/rails/bin:$PATH\nWORKDIR /rails\nADD Gemfile Gemfile.lock ./\nRUN bundle install && rm -rf $BUNDLE_PATH/cache $BUNDLE_PATH/*/.git\nADD . .\nRUN mkdir -p tmp/pids log && find app -type f | sort >tmp/files\nHEALTHCHECK --interval=5s CMD wget -q -O- http://localhost:3000/up || exit 1\n"},
		{name: "static site", large: "content", files: files{"content/a.md": text("a\n"), "content/b.md": text("b\n"), "nginx.conf": text("server {}\n"), "theme/x.css": text("c\n")},
			changes:    []files{{"content/a.md": text("c\n")}, {"nginx.conf": text("server { }\n")}},
			dockerfile: "FROM @tools AS site\nENV PROJECT=static\nWORKDIR /site\nCOPY . .\nRUN hugo --minify && find public -type f -exec gzip -9k {} +\nFROM @base\nCOPY nginx.conf /etc/nginx/conf.d/default.conf\nCOPY --from=site /site/public /usr/share/nginx/html\n"},
		{name: "make with a cache mount", large: "data", files: cached, changes: []files{{"src/a.src": text("a2\n")}, {"src/b.src": text("b2\n"), "src/sub/c.src": text("c2\n")}, {"Makefile": text("all: x\n")}, {"src/a.src": text("a1\n")}, {"src/b.src": removed, "src/d.src": text("d1\n")}},
			dockerfile: "FROM @tools\nENV PROJECT=make\nWORKDIR /w\nCOPY . .\nRUN --mount=type=cache,target=/cache incremental src /cache /program\n"},
		{name: "make over a bind mount", files: cached, changes: []files{{"src/a.src": text("a2\n")}, {"src/sub/c.src": text("c2\n")}, {"src/sub/c.src": text("c1\n")}},
			dockerfile: "FROM @tools\nENV PROJECT=bindmake\nRUN --mount=type=bind,target=/src --mount=type=cache,target=/cache incremental /src/src /cache /program\n"},

		{name: "one byte of the same length", large: "src", files: project, changes: []files{{"src/main.c": text("int mein;\n")}, {"src/main.c": text("int main;\n")}, {"a.txt": text("b\n"), "b.txt": text("a\n")}},
			dockerfile: "FROM @base\nENV PROJECT=samelength\nWORKDIR /w\nCOPY src src\nRUN cat src/main.c >out\nCOPY a.txt b.txt ./\nRUN cat a.txt b.txt >out2\n"},
		{name: "modes and links change", large: "src", files: project, changes: []files{{"src/main.c": entry{text: "int main;\n", exec: true}}, {"src/to-file": linkTo("build.sh")}, {"src/to-file": text("a file\n")}, {"src/lib/util.c": removed, "src/lib/util.h": removed, "src/lib": linkTo("..")}},
			dockerfile: "FROM @base\nENV PROJECT=modes\nWORKDIR /w\nCOPY src src\n" + listing},
		{name: "files come and go", large: "src", files: project, changes: []files{{"src/new/x.c": text("x\n")}, {"src/main.c": removed}, {"src/new/x.c": removed, "src/niam.c": text("int main;\n")}, {"src/lib/util.c": removed, "src/lib/util.h": removed, "src/lib": text("a file now\n")}},
			dockerfile: "FROM @base\nENV PROJECT=comego\nWORKDIR /w\nCOPY . .\n" + listing},
		{name: "only what is ignored changes", large: "src", files: project.with(files{".dockerignore": text("docs\n")}), changes: []files{{"docs/readme.md": text("# other\n")}, {"docs/deep/x.md": removed}},
			dockerfile: "FROM @base\nENV PROJECT=ignored\nWORKDIR /w\nCOPY . .\nRUN find . | sort >/list\n"},
		{name: "only the dockerfile's end changes", large: "src", files: project.with(files{"Dockerfile": text("FROM @base\nENV PROJECT=end\nWORKDIR /w\nCOPY src .\nRUN cat main.c >out\nLABEL v=1\n")}), changes: []files{
			{"Dockerfile": text("FROM @base\nENV PROJECT=end\nWORKDIR /w\nCOPY src .\nRUN cat main.c >out\nLABEL v=2\n")}, {"Dockerfile": text("FROM @base\nENV PROJECT=end\nWORKDIR /w\nCOPY src .\nRUN cat main.c >out\nRUN echo more >more\n")}}},
		{name: "every instruction", files: project, changes: []files{{"docs/readme.md": text("# new\n")}},
			dockerfile: "FROM @base AS one\nENV PROJECT=every\nWORKDIR /a\nADD a.txt .\nRUN echo 1 >1\nWORKDIR b\nUSER node\nWORKDIR /home/node/c\nCOPY --link b.txt /l/\nRUN id >id\nUSER root\nCOPY <<EOF /h\nheredoc\nEOF\nVOLUME /v\nLABEL a=b\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN --mount=type=bind,source=src,target=/s ls /s >/ls\nFROM @base\nENV PROJECT=every\nWORKDIR /z\nCOPY --from=one --chown=node /a .\nCOPY --parents src/lib /p/\nRUN --mount=type=tmpfs,target=/t ls >ls\nCOPY docs /docs\nRUN echo last >last\n"},
	}
}

var fromBase = regexp.MustCompile(`(?m)^FROM .*@.*$`)

func TestVersions(t *testing.T) {
	w := theEnv(t)
	for i, p := range projects() {
		for size, bulk := range map[string]func(string) files{"": nil, ", many files": bulkMany} {
			sample := p.name == "node" || p.name == "make with a cache mount"
			if bulk != nil && p.large == "" || !everything && (!sample || bulk != nil) {
				continue
			}
			large := p
			if bulk != nil {
				large.files = large.files.with(bulk(p.large))
				// Plain takes copies of equal files onto equal images from another image's build.
				large.dockerfile = fromBase.ReplaceAllString(p.dockerfile, "$0\nRUN echo many files >/variant")
			}
			t.Run(p.name+size, func(t *testing.T) {
				t.Parallel()
				report(t, "versions", p.name+size, func() []string { return w.follow(t.Context(), fmt.Sprintf("versions-%d-%d", i, len(size)), large) })
			})
		}
	}
}

// follow builds a project's commits one after the other on both sides.
func (e *env) follow(ctx context.Context, repository string, p versioned) (diffs []string) {
	r, err := e.newRepository(ctx, repository)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	state := p.files
	for i, change := range append([]files{nil}, p.changes...) {
		state = state.with(change)
		tag := fmt.Sprintf("v%d", i+1)
		// The size is part of the project's name, so that large variants share no step.
		c := example{dockerfile: strings.Replace(p.dockerfile, "PROJECT=", "PROJECT="+repository, 1), files: state}
		awaitSecond(time.Now()) // the tools compare seconds, and plain BuildKit sees those of the checkout
		if err := r.commit(ctx, tag, e.tree(c)); err != nil {
			return []string{err.Error()}
		}
		ours, plain, err := r.both(ctx, tag, options{})
		if err != nil {
			return []string{err.Error()}
		}
		found := differences(ours, plain)
		if i > 0 && ours.image != nil && plain.image != nil {
			found = append(found, compareCached(ours.steps, plain.steps)...)
		}
		for _, d := range found {
			diffs = append(diffs, tag+": "+d)
		}
	}
	return diffs
}

// awaitSecond returns in a later second.
func awaitSecond(now time.Time) {
	<-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now))
}

// compareCached wants the steps that ran on one side to have run on the other; what did
// not was cached, or lies below what was.
func compareCached(ours, plain []step) (diffs []string) {
	ran, expected := map[string]bool{}, map[string]bool{}
	for _, s := range ours {
		ran[instruction(s.name)] = ran[instruction(s.name)] || s.ran
	}
	for _, s := range plain {
		expected[instruction(s.name)] = expected[instruction(s.name)] || s.ran
	}
	for name := range maps.Keys(union(ran, expected)) {
		if name != "" && ran[name] != expected[name] {
			diffs = append(diffs, fmt.Sprintf("ran is %v, by plain %v: %s", ran[name], expected[name], name))
		}
	}
	sort.Strings(diffs)
	return diffs
}

func union(a, b map[string]bool) map[string]bool {
	sum := maps.Clone(a)
	maps.Copy(sum, b)
	return sum
}

// instruction is a step's name if it is one of the Dockerfile's that does something:
// FROM and the LINK of a COPY --link only name what is there.
func instruction(name string) string {
	where, command, found := strings.Cut(name, "] ")
	if !found || where == "[internal" || where == "[auth" || strings.HasPrefix(command, "FROM ") || strings.HasPrefix(command, "LINK ") {
		return ""
	}
	return name[:min(len(name), shownName)] // the catalog bounds names
}

const shownName = 120
