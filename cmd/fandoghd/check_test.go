package main

import (
	"database/sql"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checked is a data directory with one of everything.
type checked struct {
	t      *testing.T
	data   string
	backup string            // of it
	digest map[string]string // by version: of manifests, their configurations and layers
}

// plantedFault is something that is planted in a data directory, and what `fandoghd admin check` has to say of it.
type plantedFault struct {
	name  string
	plant func(c checked)
	says  string // a pattern
	// mended is a pattern of what --repair did; "": it does nothing without a backup.
	mended string
}

func (c checked) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c checked) path(name string) string { return filepath.Join(c.data, filepath.FromSlash(name)) }

func (c checked) blob(of string) string {
	hex := strings.TrimPrefix(c.digest[of], "sha256:")
	return c.path("registry/docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data")
}

// tag is the file of cosign's tag of v1's signature or provenance.
func (c checked) tag(suffix string) string {
	return c.path("registry/docker/registry/v2/repositories/ali/app/_manifests/tags/" + strings.Replace(c.digest["v1"], ":", "-", 1) + "." + suffix + "/current/link")
}

func (c checked) link(kind, of string) string {
	return c.path("registry/docker/registry/v2/repositories/ali/app/" + kind + "/sha256/" + strings.TrimPrefix(c.digest[of], "sha256:") + "/link")
}

// pack returns the largest pack's file with a suffix.
func (c checked) pack(suffix string) string {
	found := c.files("repos/ali/app.git/objects/pack", suffix)
	slices.SortFunc(found, func(a, b string) int { return int(c.size(b) - c.size(a)) })
	return found[0]
}

// files returns the files below a directory whose names end with a suffix.
func (c checked) files(dir, suffix string) (found []string) {
	c.must(filepath.WalkDir(c.path(dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	}))
	if len(found) == 0 {
		c.t.Fatalf("%s has no %s", dir, suffix)
	}
	return found
}

func (c checked) size(path string) int64 {
	info, err := os.Stat(path)
	c.must(err)
	return info.Size()
}

func (c checked) remove(path string) { c.must(os.Remove(path)) }

// flip changes one byte in the middle of a file.
func (c checked) flip(path string) {
	data, err := os.ReadFile(path)
	c.must(err)
	data[len(data)/2] ^= 0x20
	c.must(os.Chmod(path, 0o600))
	c.must(os.WriteFile(path, data, 0o600))
}

// edit replaces a part of a file.
func (c checked) edit(path, old, by string) {
	data, err := os.ReadFile(path)
	c.must(err)
	if !strings.Contains(string(data), old) {
		c.t.Fatalf("%s has no %q:\n%s", path, old, data)
	}
	c.must(os.WriteFile(path, []byte(strings.Replace(string(data), old, by, 1)), 0o600))
}

func (c checked) truncate(path string, by int64) {
	c.must(os.Chmod(path, 0o600))
	c.must(os.Truncate(path, c.size(path)-by))
}

func (c checked) execute(statement string) {
	db, err := sql.Open("sqlite3", databasePath(c.data)+"?_foreign_keys=0")
	c.must(err)
	_, err = db.Exec(statement)
	c.must(err)
	c.must(db.Close())
}

func (c checked) commit(version string) string {
	db, err := sql.Open("sqlite3", databasePath(c.data))
	c.must(err)
	defer db.Close() //nolint:errcheck // it was only read
	var commit string
	c.must(db.QueryRow(`SELECT commit_id FROM versions WHERE tag = ?`, version).Scan(&commit))
	return commit
}

var faults = []plantedFault{
	{"a byte of a layer", func(c checked) { c.flip(c.blob("layer")) }, `ali/app:v1: blob sha256:\w+ is damaged`, ""},
	{"a byte of a manifest", func(c checked) { c.flip(c.blob("v1")) }, `ali/app:v1: manifest sha256:\w+ is damaged`, ""},
	{"a byte of a configuration", func(c checked) { c.flip(c.blob("config")) }, `ali/app:v1: blob sha256:\w+ is damaged`, ""},
	{"a truncated layer", func(c checked) { c.truncate(c.blob("layer"), 1) }, `ali/app:v1: blob sha256:\w+ is damaged`, ""},
	{"an empty manifest", func(c checked) { c.must(os.Truncate(c.blob("v1"), 0)) }, `ali/app:v1: manifest sha256:\w+ is damaged`, ""},
	{"no layer", func(c checked) { c.remove(c.blob("layer")) }, `ali/app:v1: blob sha256:\w+ is missing`, ""},
	{"no configuration", func(c checked) { c.remove(c.blob("config")) }, `ali/app:v1: blob sha256:\w+ is missing`, ""},
	{"no manifest", func(c checked) { c.remove(c.blob("v1")) }, `ali/app:v1: manifest sha256:\w+ is missing`, ""},
	{"a layer in the trash", func(c checked) {
		c.must(os.MkdirAll(c.path("registry/trash"), 0o700))
		c.must(os.Rename(c.blob("layer"), c.path("registry/trash/"+c.digest["layer"])))
	}, `blob sha256:\w+ is in registry/trash`, `brought back from registry/trash`},
	{"no link to a manifest", func(c checked) { c.remove(c.link("_manifests/revisions", "v1")) }, `ali/app:v1: the repository's link to manifest sha256:\w+ is missing`, `the link was written again`},
	{"no link to a layer", func(c checked) { c.remove(c.link("_layers", "layer")) }, `ali/app:v1: the repository's link to blob sha256:\w+ is missing`, `the link was written again`},
	{"a link to something else", func(c checked) { c.edit(c.link("_layers", "layer"), "sha256:", "sha257:") }, `link to blob sha256:\w+ is damaged`, `the link was written again`},
	{"no manifest of a signature", func(c checked) { c.remove(c.blob("signature")) }, `ali/app:v1: manifest sha256:\w+ is missing`, ""},
	{"no manifest under a signature's tag", func(c checked) { c.remove(c.blob("sig")) }, `ali/app:sha256-\w+\.sig: manifest sha256:\w+ is missing`, ""},
	{"a byte of a provenance", func(c checked) { c.flip(c.blob("provenance")) }, `ali/app:\S+: blob sha256:\w+ is damaged`, ""},
	{"an empty tag of a signature", func(c checked) {
		c.must(os.Truncate(c.tag("sig"), 0))
	}, `ali/app: tag sha256-\w+\.sig names no manifest`, ""},
	{"a signature that is not among what refers to its image", func(c checked) {
		c.remove(c.files("registry/referrers/ali/app", strings.TrimPrefix(c.digest["signature"], "sha256:"))[0])
	}, `ali/app:v1: sha256:\w+ refers to it, and is not listed`, `written again from the manifest`},
	{"a damaged referrer", func(c checked) {
		c.must(os.WriteFile(c.files("registry/referrers/ali/app", "")[0], []byte("{"), 0o600))
	}, `ali/app:v\d: what refers to it, \w+, can't be read`, `written again from the manifest`},
	{"no content of a Git LFS object", func(c checked) { c.remove(c.blob("lfs")) }, `ali/app: the content of Git LFS object sha256:\w+ is missing`, ""},
	{"a byte of a Git LFS object", func(c checked) { c.flip(c.blob("lfs")) }, `ali/app: the content of Git LFS object sha256:\w+ is damaged`, ""},
	{"a byte of what nothing needs", func(c checked) { c.flip(c.blob("unneeded")) }, `blob sha256:\w+, which no version needs, is damaged`, `moved to \S+\.damaged`},
	{"no pack", func(c checked) { c.remove(c.pack(".pack")) }, `ali/app: pack-\w+ can't be read`, ""},
	{"no index", func(c checked) { c.remove(c.pack(".idx")) }, `ali/app: object \w+, to which refs/\S+ leads, is missing`, `its index was made anew`},
	{"neither of them", func(c checked) { pack := c.pack(".pack"); c.remove(c.pack(".idx")); c.remove(pack) }, `ali/app: commit \w+ of version v1 is missing`, ""},
	{"a byte of a pack", func(c checked) { c.flip(c.pack(".pack")) }, `ali/app: pack-\w+ is damaged`, ""},
	{"a byte of an index", func(c checked) { c.flip(c.pack(".idx")) }, `ali/app: the index of pack-\w+ is damaged`, `its index was made anew`},
	{"a truncated pack", func(c checked) { c.truncate(c.pack(".pack"), 30) }, `ali/app: pack-\w+ is damaged`, ""},
	{"truncated refs", func(c checked) { c.truncate(c.path("repos/ali/app.git/packed-refs"), 60) }, `ali/app: (its refs can't be read|version v\d is built and has no tag)`, `the tag was set`},
	{"no refs", func(c checked) { c.remove(c.path("repos/ali/app.git/packed-refs")) }, `ali/app: version v1 is built and has no tag`, `the tag was set to the version`},
	{"a tag of another commit", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("v1")+" refs/tags/v1", c.commit("v2")+" refs/tags/v1")
	}, `ali/app: tag v1 points to \w+, and version v1 was built from \w+`, `the tag was set to the version`},
	{"a ref to nothing", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("v1")+" refs/tags/v1", strings.Repeat("ab", 20)+" refs/tags/v1")
	}, `ali/app: object (ab){20}, to which refs/tags/v1 leads, is missing`, `the tag was set to the version`},
	{"a tag without a version", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("v1")+" refs/tags/v1\n", c.commit("v1")+" refs/tags/v1\n"+c.commit("v1")+" refs/tags/v100\n")
	}, `ali/app: tag v100 has no version`, ""},
	{"no HEAD", func(c checked) { c.remove(c.path("repos/ali/app.git/HEAD")) }, `ali/app: the git repository's HEAD can't be read`, `HEAD was made anew and names refs/heads/main`},
	{"no repository", func(c checked) { c.must(os.RemoveAll(c.path("repos/ali/app.git"))) }, `ali/app: there is no git repository, and version v1 has commit`, ""},
	{"a repository of no image", func(c checked) { c.must(os.Rename(c.path("repos/ali/app.git"), c.path("repos/ali/other.git"))) }, `ali/other: there is a git repository, and no such image`, ""},
	{"a version with another digest", func(c checked) {
		c.execute(`UPDATE versions SET digest = 'sha256:` + strings.Repeat("cd", 32) + `' WHERE tag = 'v1'`)
	}, `ali/app:v1: manifest sha256:(cd){32} is missing`, ""},
	{"a version without a build", func(c checked) {
		c.execute(`DELETE FROM builds WHERE version_id = (SELECT id FROM versions WHERE tag = 'v1')`)
	}, `database: .*ali/app:v1: the version is BUILT and its newest build missing`, `a record of the build was made`},
	{"a version of no image", func(c checked) { c.execute(`UPDATE versions SET image_id = 4711 WHERE tag = 'v1'`) }, `database: row \d+ of versions names one of images that is not there`, ""},
	{"a version without a tag", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("v1")+" refs/tags/v1\n", "")
		c.execute(`UPDATE versions SET name = 'v7', tag = 'v7' WHERE tag = 'v1'`)
	}, `ali/app: version v7 is built and has no tag`, `the tag was set`},
	{"a version of another image without a tag", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("side-v1")+" refs/tags/side-v1\n", "")
		c.execute(`UPDATE versions SET tag = 'side-v7' WHERE tag = 'side-v1'`)
	}, `ali/app: version v1 of ali/side is built and has no tag`, `the tag was set`},
	{"no key of the secrets", func(c checked) { c.remove(c.path("secrets.key")) }, `secrets.key: no such file`, ""},
	{"no host key", func(c checked) { c.remove(c.path("ssh_host_ed25519_key")) }, `ssh_host_ed25519_key: no such file`, ""},
	{"a build that nothing begins", func(c checked) {
		c.execute(`UPDATE versions SET state = 'PENDING', digest = '' WHERE tag = 'v1'`)
		c.execute(`UPDATE builds SET state = 'PENDING' WHERE version_id = (SELECT id FROM versions WHERE tag = 'v1')`)
	}, `database: ali/app:v1: build 1 is PENDING, and not in the queue`, `it waits in the queue again`},
	{"a build that ended in the queue", func(c checked) {
		c.execute(`INSERT INTO queue (build_id, version_id, namespace_id) SELECT builds.id, versions.id, images.namespace_id
			FROM builds JOIN versions ON versions.id = version_id JOIN images ON images.id = image_id WHERE tag = 'v1'`)
	}, `database: ali/app:v1: build 1 is BUILT, and still in the queue`, `it was taken out of the queue`},
	{"a version that does not know how its build ended", func(c checked) {
		c.execute(`UPDATE versions SET state = 'BUILDING' WHERE tag = 'v1'`)
	}, `database: ali/app:v1: the version is BUILDING and its newest build BUILT`, `the version has the state of its build again`},
	{"a lock of no image", func(c checked) {
		c.execute(`INSERT INTO lfs_locks (image_id, path, owner_id, locked_at) VALUES (4711, 'a', 1, 1)`)
	}, `database: row \d+ of lfs_locks names one of images that is not there`, `such rows were deleted, as they would have been`},
	{"a build of a user that is gone", func(c checked) { c.execute(`UPDATE builds SET user_id = 4711`) }, `database: row \d+ of builds names one of users that is not there`, `no row of them names one that is not there`},
	{"refs with a line that can't be read", func(c checked) {
		c.edit(c.path("repos/ali/app.git/packed-refs"), c.commit("v1")+" refs/tags/v1", "nonsense")
	}, `ali/app: its refs can't be read`, `the refs that can be read stay, 1 can't be; what there was is in \S+packed-refs.damaged-`},
	{"a key for all to read", func(c checked) { c.must(os.Chmod(c.path("secrets.key"), 0o644)) }, `secrets.key has mode 0644`, `its mode is 0600 now`},
}

// What is planted is found by a check, and by a restore of a backup that has it.
func TestCheckFindsFaults(t *testing.T) {
	c := newChecked(t)
	out, err := exec.Command("fandoghd", "admin", "--data", c.data, "check").CombinedOutput()
	if err != nil {
		t.Fatalf("of what is whole it says: %v\n%s", err, out)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			damaged := checked{t: t, data: filepath.Join(dir, "data"), backup: c.backup, digest: c.digest}
			if out, err := exec.Command("cp", "-a", c.data, damaged.data).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			f.plant(damaged)
			cmd := exec.Command("fandoghd", "admin", "--data", damaged.data, "check")
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 1 || !regexp.MustCompile(f.says).Match(out) {
				t.Errorf("exit status %d, want 1 and %s:\n%s", code, f.says, out)
			}
			again := exec.Command("fandoghd", "admin", "--data", damaged.data, "check")
			if second, _ := again.CombinedOutput(); string(second) != string(out) {
				t.Errorf("a second check says\n%s\nand the first\n%s", second, out)
			}
			damaged.repair(f)
			_ = os.RemoveAll(damaged.data)
		})
	}
}

// lost are faults that no copy of a file mends: the database says otherwise.
var lost = []string{"a version with another digest", "a version of no image"}

// leftToDaemon are faults that its next start mends.
var leftToDaemon = []string{"a tag without a version"}

// repair mends what can be, the rest from a backup, and wants a check to find nothing afterwards.
func (c checked) repair(f plantedFault) {
	c.t.Helper()
	repair := func(want string, code int, more ...string) {
		c.t.Helper()
		cmd := exec.Command("fandoghd", append([]string{"admin", "--data", c.data, "check", "--repair"}, more...)...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code || !regexp.MustCompile(want).Match(out) {
			c.t.Errorf("--repair %v: exit status %d, want %d and %s:\n%s", more, got, code, want, out)
		}
	}
	switch {
	case f.mended != "":
		repair("  mended: .*"+f.mended, 0)
	case slices.Contains(leftToDaemon, f.name):
		repair("  not mended: start the daemon, which has it built", 1)
		return
	case slices.Contains(lost, f.name):
		repair("  not mended: .*restore ", 1, "--from", c.backup)
		return
	default:
		repair("  not mended: .*restore ", 1)
		repair("  mended: it was taken from "+c.backup, 0, "--from", c.backup)
	}
	if out, err := exec.Command("fandoghd", "admin", "--data", c.data, "check").CombinedOutput(); err != nil {
		c.t.Errorf("after --repair, check says: %v\n%s", err, out)
	}
}

// newChecked makes a data directory by a daemon, which has ended.
func newChecked(t *testing.T) checked {
	t.Helper()
	toolsOnPath(t)
	dir := t.TempDir()
	daemon := newChild(filepath.Join(dir, "made"))
	if err := daemon.start(); err != nil {
		t.Fatal(err)
	}
	c := checked{t: t, data: filepath.Join(dir, "data"), backup: filepath.Join(dir, "backup"), digest: map[string]string{}}
	env := environment{"HOME": dir, "DOCKER_CONFIG": dir}
	use(env, daemon)
	c.must(become(env, daemon, "ali"))
	c.must(os.WriteFile(filepath.Join(dir, ".gitconfig"), []byte(gitConfig), 0o600))
	script := exec.Command("sh", "-ec", makeChecked)
	script.Dir, script.Env = dir, env.list()
	out, err := script.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if name, digest, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
			c.digest[name] = digest
		}
	}
	if err := daemon.terminate(); err != nil || t.Failed() {
		t.Fatalf("%v\n%s", err, daemon.logTail())
	}
	// Without the caches.
	if _, err := daemon.admin("", "backup", c.backup); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("fandoghd", "admin", "restore", c.backup, "--data", c.data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"v1", "v2", "config", "layer", "signature", "sig", "provenance", "lfs", "unneeded"} {
		if c.digest[name] == "" {
			t.Fatalf("the script does not tell the digest of %s:\n%s", name, out)
		}
	}
	return c
}

const makeChecked = `
git lfs install
git config --global lfs.ssh.automultiplex false
git init -q app
cd app
printf 'FROM scratch\nCOPY . /\n' >Dockerfile
git lfs track '*.bin'
head -c 50000 /dev/urandom >big.bin
head -c 90000 /dev/urandom >file
git add -A
git commit -q -m first
git tag v1
git push -q "$GIT/ali/app" main v1
echo more >more
git add -A
git commit -q -m second
git tag -a -m second v2
git push -q "$GIT/ali/app" main v2
mkdir .fandogh
printf 'images: [{name: app}, {name: side, tag_prefix: side-}]\n' >.fandogh/config.yml
git add -A
git commit -q -m 'another image'
git tag side-v1
git push -q "$GIT/ali/app" main side-v1
crane auth login -u ali -p "$TOKEN" "$HTTP"
image="$HTTP/ali/app"
echo "v1 = $(crane digest "$image:v1")"
echo "v2 = $(crane digest "$image:v2")"
crane manifest "$image:v1" >manifest
echo "config = $(sed 's/.*"config":{[^}]*"digest":"\(sha256:[0-9a-f]*\)".*/\1/' manifest | tr -d '\n')"
echo "layer = $(grep -o 'sha256:[0-9a-f]*' manifest | tail -n 1)"
signed() { crane manifest "$image:$(crane digest "$image:v1" | tr : -).$1"; }
tries=0
until signed sig >sig && signed att >att; do
	tries=$((tries + 1))
	test $tries -lt 300
	sleep 0.1
done
echo "sig = sha256:$(sha256sum <sig | cut -d' ' -f1)"
echo "provenance = $(grep -o 'sha256:[0-9a-f]*' att | tail -n 1)"
echo "lfs = sha256:$(git lfs ls-files --long | cut -d' ' -f1)"
api() { curl -fsS -u "ali:$TOKEN" "$@"; }
upload() {
	where=$(api -o /dev/null -D - -X POST "http://$image_api/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
	case "$where" in /*) where="http://$HTTP$where" ;; esac
	case "$where" in *\?*) where="$where&" ;; *) where="$where?" ;; esac
	api -X PUT -H 'Content-Type: application/octet-stream' --data-binary @"$1" "${where}digest=sha256:$(sha256sum <"$1" | cut -d' ' -f1)"
}
image_api="$HTTP/v2/ali/app"
printf '{}' >empty
upload empty
printf 'nothing needs this' >unneeded
upload unneeded
echo "unneeded = sha256:$(sha256sum <unneeded | cut -d' ' -f1)"
size=$(wc -c <manifest)
empty="{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2,\"digest\":\"sha256:$(sha256sum <empty | cut -d' ' -f1)\"}"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"text/signature","config":%s,"layers":[%s],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%s,"digest":"%s"}}' "$empty" "$empty" "$size" "$(crane digest "$image:v1")" >signature
digest="sha256:$(sha256sum <signature | cut -d' ' -f1)"
api -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @signature "http://$image_api/manifests/$digest"
echo "signature = $digest"
`
