//go:build linux

package buildkit

import (
	"archive/tar"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const secretValue = "hunter2-correct-horse/battery+staple"

func given(kind catalog.SecretKind, name, value, alias string) catalog.OpenSecret {
	return catalog.OpenSecret{
		Secret: catalog.Secret{Kind: kind, Name: name, SetAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Value:  []byte(value), Alias: alias + strings.Repeat("0", 32),
	}
}

// newSSHKey returns a private key, and its public line without a comment.
func newSSHKey(t *testing.T) (private, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// addProgram adds a program of this machine, with the libraries that it needs.
func addProgram(t *testing.T, tree *buildkittest.Tree, program string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := exec.CommandContext(t.Context(), "ldd", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1), path) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree.Add("root"+file, string(content), 0o755)
	}
}

// secretSteps report into /report what RUN steps see of their mounts.
const secretSteps = `COPY root /
RUN mkdir /report
RUN --mount=type=secret,id=token (ls -ln /run/secrets; ls -ldn /run/secrets; sha256sum < /run/secrets/token; touch /run/secrets/token; mount | grep /run/secrets | cut -d' ' -f3,5) > /report/default 2>&1
RUN --mount=type=secret,id=token,target=/etc/app/x,mode=0644,uid=1,gid=2,required (ls -ln /etc/app; sha256sum < /etc/app/x) > /report/target 2>&1
RUN --mount=type=secret,target=/etc/token (ls -ln /etc/token) > /report/by-target 2>&1
RUN --mount=type=secret,source=token (ls -ln /run/secrets/token) > /report/by-source 2>&1
RUN --mount=type=secret,id=token,env=TOKEN (ls /run/secrets; printf '%s' "$TOKEN" | sha256sum) > /report/env 2>&1
RUN --mount=type=secret,id=token,env=TOKEN,target=/t (ls -ln /t; printf '%s' "$TOKEN" | sha256sum) > /report/both 2>&1
RUN --mount=type=secret,id=binary (sha256sum < /run/secrets/binary) > /report/binary 2>&1
RUN --mount=type=secret,id=none (ls -l /run/secrets) > /report/none 2>&1 || true
RUN --mount=type=secret,id=none,env=NONE (echo "${NONE-unset}") > /report/none-env 2>&1
RUN --mount=type=ssh (echo $SSH_AUTH_SOCK; ls -ln $SSH_AUTH_SOCK; /usr/bin/ssh-add -L) > /report/ssh 2>&1
RUN --mount=type=ssh,id=other,target=/agent,mode=0666,uid=1,gid=2,required=true (echo $SSH_AUTH_SOCK; ls -ln $SSH_AUTH_SOCK; /usr/bin/ssh-add -L) > /report/ssh-other 2>&1
RUN --mount=type=ssh,id=none (echo "${SSH_AUTH_SOCK-unset}"; ls /run/buildkit) > /report/ssh-none 2>&1 || true
RUN find / -xdev -name '*secret*' -o -xdev -name '*token*' -o -xdev -name '*ssh_agent*' > /report/left 2>&1
`

// What steps see is what they see of buildctl's --secret and --ssh.
func TestSecretsAreAsPlainBuildKitHasThem(t *testing.T) {
	key, public := newSSHKey(t)
	otherKey, otherPublic := newSSHKey(t)
	values := map[string]string{"token": secretValue + "\n", "binary": "\x00\xff\xfe\n"}
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + secretSteps}).WithBusybox()
	addProgram(t, tree, "ssh-add")
	tree.Add("root/etc/empty", "", 0o644)

	r := env.Request("ann", "secrets", "1.0", tree)
	r.Options.NoCache = true
	r.Secrets = []catalog.OpenSecret{
		given(catalog.SecretValue, "token", values["token"], "a1"), given(catalog.SecretValue, "binary", values["binary"], "a2"),
		given(catalog.SecretSSHKey, "default", key, "a3"), given(catalog.SecretSSHKey, "other", otherKey, "a4"),
	}
	_, log := env.Solve(t, r)
	if strings.Count(log, "secret token as set on 2026-01-02 03:04:05") != 1 || !strings.Contains(log, "SSH key other as set on ") {
		t.Errorf("the log does not say once what was used:\n%s", log)
	}
	got := reports(env.ImageFiles(t, r))

	dir := t.TempDir()
	work := filepath.Join(dir, "context")
	if err := os.CopyFS(work, tree); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--addr", env.manager.Address(), "build", "--frontend", "dockerfile.v0", "--no-cache", "--local", "context=" + work, "--local", "dockerfile=" + work,
		"--output", "type=tar,dest=" + filepath.Join(dir, "out.tar"),
	}
	for name, value := range map[string]string{"token": values["token"], "binary": values["binary"], "default": key, "other": otherKey} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, isValue := values[name]; isValue {
			args = append(args, "--secret", "id="+name+",src="+file)
		} else {
			args = append(args, "--ssh", name+"="+file)
		}
	}
	if out, err := exec.CommandContext(t.Context(), buildkittest.Tool("buildctl"), args...).CombinedOutput(); err != nil {
		t.Fatalf("buildctl: %v\n%s", err, out)
	}
	file, err := os.Open(filepath.Join(dir, "out.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	files := map[string]string{}
	for in := tar.NewReader(file); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := bounded.ReadAll(in, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
	want := reports(files)
	if len(want) != strings.Count(secretSteps, "> /report/") {
		t.Fatalf("the reference has %d reports: %v", len(want), want)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got[name], text)
		}
	}
	for name, line := range map[string]string{"ssh": public, "ssh-other": otherPublic} {
		if !strings.Contains(got[name], line) {
			t.Errorf("%s does not show the key %s:\n%s", name, line, got[name])
		}
	}
	holdsNothing(t, r, secretValue, key)
}

// whenListed is a time as ls writes it.
var whenListed = regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d`)

func reports(files map[string]string) map[string]string {
	found := map[string]string{}
	for name, content := range files {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "/"), "report/"); ok && rest != "" {
			found[rest] = whenListed.ReplaceAllString(content, "TIME")
		}
	}
	return found
}

// holdsNothing looks for values in a pushed image.
func holdsNothing(t *testing.T, r builder.SolveRequest, values ...string) {
	t.Helper()
	repository := r.Build.Image.Repository()
	manifest := env.Registry.Get(t, r.Build.Image.Namespace, repository+"/manifests/"+r.Build.Version)
	config := configOf(t, r)
	texts := map[string]string{"manifest": string(manifest), "config": config}
	for name, content := range env.ImageFiles(t, r) {
		texts[name] = content
	}
	for name, text := range texts {
		for _, value := range values {
			if strings.Contains(text, value) {
				t.Errorf("%s of the image contains a secret", name)
			}
		}
	}
}

func configOf(t *testing.T, r builder.SolveRequest) string {
	t.Helper()
	config, err := pushed(t, r).RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return string(config)
}

// fetchStep stands for a step that downloads with a secret: what it makes differs each time that it runs.
const fetchStep = "RUN --mount=type=secret,id=token cat /proc/sys/kernel/random/uuid > /fetched\n"

// What a step made with a secret is handed to no build that would not have got the secret.
func TestCacheOfStepsWithSecrets(t *testing.T) {
	image := 'a'
	fetched := func(namespace, step string, secrets ...catalog.OpenSecret) string {
		t.Helper()
		image++
		r := env.Request(namespace, "cachedsecret", string(image), buildkittest.NewTree(map[string]string{
			"Dockerfile": buildkittest.BusyboxImage + "RUN echo " + t.Name() + "\n" + step,
		}).WithBusybox())
		r.Secrets = secrets
		env.Solve(t, r)
		return env.ImageFile(t, r, "fetched")
	}
	own := given(catalog.SecretValue, "token", secretValue, "b1")
	first := fetched("ann", fetchStep, own)
	if again := fetched("ann", fetchStep, own); again != first {
		t.Error("the same step with the same secret ran again")
	}
	own.Value = []byte("another value")
	if again := fetched("ann", fetchStep, own); again != first {
		t.Error("a new value ran the step again, as it does not with plain BuildKit")
	}
	if other := fetched("bob", fetchStep, given(catalog.SecretValue, "token", secretValue, "b2")); other == first {
		t.Error("bob was handed what ann's secret made")
	}
	without := fetched("bob", fetchStep)
	if without == first {
		t.Error("bob without a secret was handed what ann's secret made")
	}
	if other := fetched("ann", fetchStep); other != without {
		t.Error("without a secret the step ran again")
	}
	byEnv := strings.Replace(fetchStep, "id=token", "id=token,env=T", 1)
	if a, b := fetched("ann", byEnv, own), fetched("bob", byEnv); a == b {
		t.Error("bob was handed what ann's secret made, by a variable")
	}
	key, _ := newSSHKey(t)
	bySSH := strings.Replace(fetchStep, "type=secret,id=token", "type=ssh", 1)
	if a, b := fetched("ann", bySSH, given(catalog.SecretSSHKey, "default", key, "b3")), fetched("bob", bySSH); a == b {
		t.Error("bob was handed what ann's key made")
	}
	// An alias that was guessed is a name like others.
	guessed := strings.Replace(fetchStep, "id=token", "id="+own.Alias+",target=/run/secrets/token", 1)
	if text := fetched("bob", guessed); text == first {
		t.Error("bob was handed what ann's secret made, by its alias")
	}
}

func TestMissingSecrets(t *testing.T) {
	for _, test := range []struct{ steps, want string }{
		{"RUN --mount=type=secret,id=npm_token,required true\n", `the secret "npm_token", which is not set`},
		{"RUN --mount=type=secret,id=npm_token,env=T,required=true true\n", `the secret "npm_token", which is not set`},
		{"RUN --mount=type=ssh,required true\n", `the SSH key "default", which is not set`},
		{"RUN --mount=type=ssh,id=b,required true\nRUN --mount=type=secret,id=a,required true\nRUN --mount=type=secret,id=here,required true\n", `the SSH key "b" and the secret "a", which are not set`},
	} {
		r := env.Request("ann", "missing", "1", buildkittest.NewTree(map[string]string{
			"Dockerfile": buildkittest.BusyboxImage + "RUN echo a step ran\n" + test.steps,
		}).WithBusybox())
		r.Options.NoCache = true
		r.Secrets = []catalog.OpenSecret{given(catalog.SecretValue, "here", "value", "c1")}
		failure, log := env.SolveError(t, r)
		if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, test.want) {
			t.Errorf("%q: %s: %s", test.steps, failure.Outcome, failure.Message)
		}
		if strings.Contains(log, "a step ran") {
			t.Errorf("%q: steps ran before:\n%s", test.steps, log)
		}
	}
	// A stage that is not built needs nothing.
	r := env.Request("ann", "missing", "2", buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "RUN --mount=type=secret,id=a,required true\nFROM scratch\nCOPY x /x\n", "x": "",
	}).WithBusybox())
	env.Solve(t, r)
}

func TestSecretsAreMaskedInLogs(t *testing.T) {
	r := env.Request("ann", "masked", "1", buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + `ARG COPIED
RUN --mount=type=secret,id=token,env=T printf '%s' "$T"; echo; printf '%s' "$T" | cut -c1-9; sleep 0; printf '%s\n' "$T" | cut -c10-
RUN --mount=type=secret,id=token fold -w 7 /run/secrets/token >&2; echo; base64 /run/secrets/token; (printf user:; cat /run/secrets/token) | base64; base64 /run/secrets/token | fold -w 5
RUN --mount=type=secret,id=token for c in $(fold -w 1 /run/secrets/token); do printf %s $c; done; echo; echo as-a-line "$(cat /run/secrets/token)" end
RUN echo hunter2-correct-horse/battery+staple
RUN --mount=type=secret,id=token cat /run/secrets/token; exit 3
`}).WithBusybox())
	r.Options.NoCache = true
	r.Options.Args = map[string]string{"COPIED": secretValue}
	r.Secrets = []catalog.OpenSecret{given(catalog.SecretValue, "token", secretValue, "d1")}
	rec := &buildkittest.Recorder{}
	_, err := env.Solver.Solve(t.Context(), r, rec.Event)
	failure, ok := err.(*builder.SolveError) //nolint:errorlint // as it is returned
	if !ok {
		t.Fatalf("solve: %v", err)
	}
	said := rec.Text() + "\n" + failure.Error() + "\n" + strings.Join(failure.Detail, "\n")
	for _, step := range rec.Steps {
		said += "\n" + step.Name + "\n" + step.Error
	}
	if !strings.Contains(said, "as-a-line *** end") {
		t.Errorf("a value is not masked in its line:\n%s", said)
	}
	joined := regexp.MustCompile(`\n(#\d+ \| )?`).ReplaceAllString(said, "")
	for _, part := range []string{secretValue, secretValue[:9], secretValue[9:], "aHVudGVyMi1jb3JyZWN0", "dXNlcjpodW50ZXIy", "aHVudGVy"} {
		if strings.Contains(joined, part) {
			t.Errorf("the log contains %q:\n%s", part, said)
		}
	}
}

const onDiskValue = "nowhere-but-in-memory"

// Nothing of a secret is on a disk, also while a step has it.
func TestNoSecretOnDisk(t *testing.T) {
	buildkittest.Outside(t)
	key, _ := newSSHKey(t)
	body := strings.Split(key, "\n")[2]
	var found []string
	looked := false
	host := env.ServeOutside(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { // while the step waits
		looked = true
		found = filesWith(t, onDiskValue, body)
	}))
	address, port, _ := strings.Cut(host, ":")
	r := env.Request("ann", "ondisk", "1", buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=T --mount=type=ssh test -n \"$T\" && cat /run/secrets/token > /dev/null && " +
			"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc " + address + " " + port + "\n",
	}).WithBusybox())
	r.Options.NoCache = true
	r.Secrets = []catalog.OpenSecret{given(catalog.SecretValue, "token", onDiskValue, "e1"), given(catalog.SecretSSHKey, "default", key, "e2")}
	env.Solve(t, r)
	if !looked || len(found) > 0 {
		t.Errorf("looked while a step had secrets: %t; found in %v", looked, found)
	}
	if found := filesWith(t, onDiskValue, body); len(found) > 0 {
		t.Errorf("found afterwards in %v", found)
	}
}

// filesWith returns the files of buildkitd that contain one of the texts, but logs of this test.
func filesWith(t *testing.T, texts ...string) []string {
	t.Helper()
	args := []string{"-rlaF", "--devices=skip"}
	for _, text := range texts {
		args = append(args, "-e", text)
	}
	out, err := exec.CommandContext(t.Context(), "grep", append(args, "--", env.dir)...).Output()
	var none *exec.ExitError
	if err != nil && (!errors.As(err, &none) || none.ExitCode() > 2) {
		t.Error(err)
	}
	return strings.Fields(string(out))
}
