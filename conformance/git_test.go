package conformance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gitCase is a script that stock git runs twice: against the daemon, and against git's own
// receive-pack and upload-pack. What it prints, how it ends, and what is in the repository
// afterwards must be the same.
type gitCase struct {
	name   string
	script string
	sample bool // also in a short run
}

// gitPrelude makes a working tree with one commit in the current directory. c commits a text, try says
// whether a command succeeds, and state what a clone has.
const gitPrelude = `set -eu
c() { echo "$1" >f; git add -A; git commit -q -m "$1"; }
try() { if "$@" >../out 2>&1; then echo ok; else echo failed; fi; }
state() { git -C "$1" for-each-ref --format='%(refname) %(objectname)' | grep -v refs/remotes/origin/HEAD; git -C "$1" rev-parse --is-shallow-repository; git -C "$1" rev-list --all | wc -l; git -C "$1" fsck --full 2>&1 | grep -v '^dangling' || true; }
refs() { git ls-remote "$REMOTE" | grep -v HEAD; }
git init -q -b main work
cd work
git remote add origin "$REMOTE"
printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
c 1
`

var gitCases = []gitCase{
	// pushes
	{name: "push: new branch", script: "git push -q origin main; refs", sample: true},
	{name: "push: fast-forward", script: "git push -q origin main; c 2; git push -q origin main; refs"},
	{name: "push: not a fast-forward", script: "git push -q origin main; git commit -q --amend -m x; try git push origin main; refs"},
	{name: "push: forced", script: "git push -q origin main; git commit -q --amend -m x; git push -q -f origin main; refs"},
	{name: "push: force-with-lease, fresh and stale", script: "git push -q origin main; git commit -q --amend -m x; git push -q --force-with-lease origin main; git push -q origin +main:other; git update-ref refs/remotes/origin/other HEAD; git commit -q --amend -m y; git push -q -f \"$REMOTE\" HEAD:other; git commit -q --amend -m z; try git push --force-with-lease=other origin HEAD:other; refs"},
	{name: "push: tags", script: "git tag v1; git tag -a -m t v2; git push -q origin main v1 v2; refs", sample: true},
	{name: "push: all tags at once", script: "git tag v1; c 2; git tag -a -m t v2; c 3; git tag v3; git push -q origin --tags; refs"},
	{name: "push: follow-tags", script: "git tag -a -m t v1; git tag light; git push -q --follow-tags origin main; refs"},
	{name: "push: the same again", script: "git push -q origin main; git push -q origin main; refs"},
	{name: "push: delete a branch", script: "git push -q origin main main:other; git push -q origin :other; refs"},
	{name: "push: delete the default branch", script: "git push -q origin main main:other; try git push origin :main; refs"},
	{name: "push: delete what is not there", script: "git push -q origin main; try git push origin :none; refs"},
	{name: "push: atomic, one refused", script: "git push -q origin main; git commit -q --amend -m x; try git push --atomic origin main main:new; refs"},
	{name: "push: one refused, the other not", script: "git push -q origin main; git commit -q --amend -m x; try git push origin main main:new; refs"},
	{name: "push: atomic, all well", script: "git push -q --atomic origin main main:a main:b; refs"},
	{name: "push: thin", script: "head -c 300000 /dev/urandom | base64 >large; c 1; git push -q origin main; sed -i '100s/./x/' large; c 2; git push -q --thin origin main; refs >/dev/null; echo done", sample: true},
	{name: "push: not thin", script: "seq 20000 >large; c 1; git push -q origin main; sed -i 100s/./x/ large; c 2; git push -q --no-thin origin main; refs"},
	{name: "push: from a shallow clone", script: "c 2; c 3; cd ..; git clone -q --depth 1 file://$PWD/work s; cd s; git push -q \"$REMOTE\" main; git ls-remote \"$REMOTE\" main; cd ../work; c 4; git push -q origin main; refs"},
	{name: "push: push options", script: "git push -q -o a=b origin main 2>&1 | grep -c nothing || true; git push -q origin main; refs"},
	{name: "push: names in Persian, with dots and slashes", script: "git push -q origin main:سلام main:a/b.c/d-e main:x@y; refs"},
	{name: "push: a/b beside a", script: "git push -q origin main:a; try git push origin main:a/b; refs"},
	{name: "push: a beside a/b", script: "git push -q origin main:a/b; try git push origin main:a; refs"},
	{name: "push: a/b in place of a", script: "git push -q origin main main:a; git push -q origin :a; git push -q origin main:a/b; refs"},
	{name: "push: tag of a tag", script: "git tag -a -m t n1; git tag -a -m t n2 n1 2>/dev/null; git push -q origin main n2; refs"},
	{name: "push: branch that is no commit", script: "git push -q origin main; try git push origin HEAD^{tree}:refs/heads/tree; refs"},
	{name: "push: a submodule's link", script: "git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,sub; git commit -q -m sub; git push -q origin main; refs"},
	{name: "push: links, executables, names with blanks", script: "ln -s ../x l; printf x >'a b'; printf '#!' >e; chmod +x e; mkdir d; ln -s / d/root; c 2; git push -q origin main; refs"},
	{name: "push: old modes in a tree", script: "b=$(git hash-object -w f); t=$(perl -e 'print \"100664 f\\0\", pack(\"H*\", $ARGV[0])' $b | git hash-object -t tree -w --stdin --literally); git push -q origin $(git commit-tree -m m $t):refs/heads/old; refs"},
	{name: "push: an empty directory's tree", script: "t=$(git mktree </dev/null); r=$(printf '040000 tree %s\\td\\n' $t | git mktree); git push -q origin $(git commit-tree -m m $r):refs/heads/empty; refs"},
	{name: "push: many branches", script: "git push -q origin $(seq -f main:b%g 200); refs | wc -l", sample: true},
	{name: "push: many commits", script: "for i in $(seq 2 150); do echo $i >f; git commit -q -a -m $i; done; git push -q origin main; refs"},
	{name: "push: merges", script: "git checkout -q -b side; c s; git checkout -q main; printf y >g; git add g; git commit -q -m g; git merge -q -m m side; git push -q origin main side; refs"},
	{name: "push: unrelated histories", script: "git push -q origin main; git checkout -q --orphan o; c o; git push -q origin o; refs"},
	{name: "push: large file", script: "head -c 20000000 /dev/zero >zero; c 2; git push -q origin main; refs"},
	{name: "push: nothing", script: "try git push origin; git push -q origin main; try git push origin; refs"},
	{name: "push: a branch called HEAD", script: "git push -q origin main; try git push origin main:refs/heads/HEAD; refs"},
	{name: "push: signed if asked, by who has no key", script: "try git push -q --signed=if-asked origin main; git push -q --signed=no origin main; refs"},

	// fetches
	{name: "fetch: clone", script: "c 2; git tag -a -m t v1; git push -q origin main v1; git clone -q \"$REMOTE\" ../d; state ../d", sample: true},
	{name: "fetch: clone, bare and mirror", script: "c 2; git push -q origin main main:other; git clone -q --bare \"$REMOTE\" ../d; state ../d; git clone -q --mirror \"$REMOTE\" ../m; state ../m"},
	{name: "fetch: single branch", script: "git push -q origin main; c 2; git push -q origin main:other; git clone -q --single-branch -b other \"$REMOTE\" ../d; state ../d"},
	{name: "fetch: no tags", script: "git tag v1; git push -q origin main v1; git clone -q --no-tags \"$REMOTE\" ../d; state ../d"},
	{name: "fetch: depth", script: "c 2; c 3; git push -q origin main; git clone -q --depth 1 \"$REMOTE\" ../d; state ../d; git -C ../d fetch -q --depth 2; state ../d", sample: true},
	{name: "fetch: unshallow", script: "c 2; c 3; git push -q origin main; git clone -q --depth 1 \"$REMOTE\" ../d; git -C ../d fetch -q --unshallow; state ../d"},
	{name: "fetch: unshallow after a forced push", script: "c 2; c 3; git push -q origin main; git clone -q --depth 1 \"$REMOTE\" ../d; git commit -q --amend -m x; git push -q -f origin main; git -C ../d fetch -q --unshallow; state ../d"},
	{name: "fetch: what is new", script: "git push -q origin main; git clone -q \"$REMOTE\" ../d; c 2; c 3; git push -q origin main; git -C ../d fetch -q; state ../d"},
	{name: "fetch: after a forced push", script: "c 2; git push -q origin main; git clone -q \"$REMOTE\" ../d; git commit -q --amend -m x; git push -q -f origin main; git -C ../d fetch -q; state ../d"},
	{name: "fetch: nothing new", script: "git push -q origin main; git clone -q \"$REMOTE\" ../d; git -C ../d fetch -q; state ../d"},
	{name: "fetch: by commit", script: "c 2; c 3; git push -q origin main; git init -q ../d; git -C ../d fetch -q --depth 1 \"$REMOTE\" $(git rev-parse HEAD~1); git -C ../d rev-parse FETCH_HEAD; try git -C ../d fetch \"$REMOTE\" 1111111111111111111111111111111111111111"},
	{name: "fetch: prune", script: "git push -q origin main main:other; git clone -q \"$REMOTE\" ../d; git push -q origin :other; git -C ../d fetch -q --prune; state ../d"},
	{name: "fetch: tags alone", script: "git tag v1; git push -q origin main; git clone -q \"$REMOTE\" ../d; git push -q origin v1; git -C ../d fetch -q --tags; state ../d"},
	{name: "fetch: history of which the client has a part", script: "for i in 2 3 4 5; do c $i; done; git push -q origin main; git clone -q \"$REMOTE\" ../d; git checkout -q -b side HEAD~2; for i in 6 7; do c $i; done; git push -q origin side; git -C ../d fetch -q; state ../d"},
	{name: "fetch: from a client with commits of its own", script: "git push -q origin main; git clone -q \"$REMOTE\" ../d; for i in 1 2 3; do git -C ../d commit -q --allow-empty -m own$i; done; c 2; git push -q origin main; git -C ../d fetch -q; state ../d"},
	{name: "fetch: protocol 1 and 2 asked for", script: "git push -q origin main; git -c protocol.version=2 clone -q \"$REMOTE\" ../d; state ../d; git -c protocol.version=1 clone -q \"$REMOTE\" ../e; state ../e"},
	{name: "fetch: ls-remote with patterns", script: "git tag -a -m t v1; git push -q origin main main:a/b v1; git ls-remote \"$REMOTE\" 'refs/heads/a/*' v1; git ls-remote --heads \"$REMOTE\"; git ls-remote --tags \"$REMOTE\"; try git ls-remote --exit-code \"$REMOTE\" none"},
	{name: "fetch: ls-remote --symref", script: "git push -q origin main; git ls-remote --symref \"$REMOTE\" HEAD"},
	{name: "fetch: a submodule at depth 1", script: "c 2; c 3; git push -q origin main; git init -q -b main ../super; cd ../super; git -c protocol.file.allow=always submodule --quiet add \"$REMOTE\" sub; git -C sub checkout -q HEAD~1; git add -A; git commit -q -m s; git clone -q . ../top; cd ../top; git -c protocol.file.allow=always submodule --quiet update --init --depth 1; git -C sub rev-parse HEAD"},
	{name: "fetch: bundle of a clone", script: "c 2; git push -q origin main; git clone -q \"$REMOTE\" ../d; git -C ../d bundle create -q ../b --all; git bundle verify -q ../b && echo good"},
	{name: "fetch: blobless clone", script: "c 2; git push -q origin main; git clone -q --filter=blob:none \"$REMOTE\" ../d 2>/dev/null; git -C ../d show HEAD~1:f"},
}

func TestGit(t *testing.T) {
	w := theEnv(t)
	for i, c := range gitCases {
		if !everything && !c.sample {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report(t, gitGroup, c.name, func() []string { return w.runGit(t.Context(), fmt.Sprintf("git%d", i), c) })
		})
	}
}

// runGit runs a case on both sides and returns what differs.
func (e *env) runGit(ctx context.Context, name string, c gitCase) (diffs []string) {
	dir, err := e.subdir("git")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // goes with the env
	bare := filepath.Join(dir, "theirs.git")
	setup := "git init -q --bare -b main " + bare
	for _, setting := range []string{"uploadpack.allowReachableSHA1InWant", "receive.advertisePushOptions", "receive.shallowUpdate", "uploadpack.allowFilter"} {
		setup += fmt.Sprintf(" && git -C %s config %s true", bare, setting)
	}
	setup += fmt.Sprintf(" && git -C %s config receive.certNonceSeed seed", bare) // signed pushes are taken
	if out, err := exec.CommandContext(ctx, "sh", "-c", setup).CombinedOutput(); err != nil {
		return []string{fmt.Sprintf("set up: %v: %s", err, out)}
	}
	ours := e.gitSide(ctx, filepath.Join(dir, "ours"), "ssh://git@"+e.daemon.SSH+"/"+user+"/"+name, c)
	theirs := e.gitSide(ctx, filepath.Join(dir, "theirs"), "file://"+bare, c)
	if ours != theirs {
		diffs = append(diffs, fmt.Sprintf("with Fandogh:\n%s\nwith git itself:\n%s", ours, theirs))
	}
	if strings.Contains(c.script, "urandom") { // not the same objects twice
		return diffs
	}
	in := repositoryState(ctx, filepath.Join(e.daemon.Data, "repos", user, name+".git"))
	if want := repositoryState(ctx, bare); in != want {
		diffs = append(diffs, fmt.Sprintf("in Fandogh's repository:\n%s\nin git's:\n%s", in, want))
	}
	return diffs
}

// gitSide runs a case's script and returns what it printed and how it ended.
func (e *env) gitSide(ctx context.Context, dir, remote string, c gitCase) string {
	text := runScript(ctx, dir, gitPrelude+c.script, slices.Concat(e.gitEnv, []string{"REMOTE=" + remote}))
	return strings.ReplaceAll(text, remote, "REMOTE")
}

// runScript runs a shell script in a new directory, and returns what it printed, and when it failed how.
func runScript(ctx context.Context, dir, script string, env []string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err.Error()
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...), "LC_ALL=C")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	text := string(out)
	if err != nil {
		text += fmt.Sprintf("%s%v\n%s", endedBadly, err, said.String())
	}
	return text
}

// endedBadly stands before how a script failed.
const endedBadly = "ended: "

const noRepository = "nothing"

// repositoryState is a bare repository's refs, a sum of its reachable objects, and what fsck says.
func repositoryState(ctx context.Context, dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return noRepository // nothing was taken, so nothing was made
	}
	git := func(arguments ...string) string {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*", "-C", dir}, arguments...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s%v", out, err)
		}
		return string(out)
	}
	refs := git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
	objects := git("rev-list", "--objects", "--no-object-names", "--branches", "--tags")
	check := ""
	for line := range strings.Lines(git("fsck", "--full", "--no-dangling", "--no-progress")) {
		if !strings.HasPrefix(line, "notice: ") { // that there is no branch main, or no ref at all
			check += line
		}
	}
	if refs == "" && objects == "" && check == "" {
		return noRepository
	}
	names := strings.Fields(objects)
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return fmt.Sprintf("%sobjects %x\nfsck: %s", refs, sum[:8], strings.TrimSpace(check))
}
