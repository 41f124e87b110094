package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the reference's storage
	"github.com/sirupsen/logrus"
)

// registryGroup is the group of what registry clients do.
const registryGroup = "registry"

// registryPrelude is before each script. R is the namespace N of a registry H, for which the clients have a
// credential; R3 the same of its HTTP interface. archive makes an image as docker saves it, gone deletes an
// image with all its versions, try says whether a command succeeds, ask prints the status of a bare request and
// the code of what was refused.
const registryPrelude = `set -eu
try() { set +e; (set -e; "$@") >../out 2>&1; case $? in 0) echo ok ;; *) echo failed ;; esac; set -e; }
ask() { curl -s -o body -w '%{http_code}' -u "$CREDENTIAL" "$@"; echo; sed -n 's/.*"code":"\([A-Z_]*\)".*/\1/p' body; }
layer() { mkdir -p "$1"; printf "$2" >"$1/file"; tar -C "$1" --mtime=@0 --sort=name --owner=0 --group=0 --numeric-owner -cf "$1.tar" file; }
image() { layer "$1" "$2"; crane append --oci-empty-base -f "$1.tar" -t "$R/$3" --insecure; }
archive() { layer held "$1"; crane append --oci-empty-base -f held.tar -t $N:1 -o image.tar 2>/dev/null; }
tags() { crane ls --insecure $R/$1; }
gone() { if [ -n "$API" ]; then curl -s -f -o /dev/null -H "Authorization: Bearer ${CREDENTIAL#*:}" -X DELETE "$API/images/$1"; else for t in $(tags $1); do curl -s -f -o /dev/null -X DELETE "http://$R3/$1/manifests/$(crane digest --insecure $R/$1:$t)"; done; fi; }
sk() { command skopeo --insecure-policy "$@"; }
blob() { at=$(curl -s -D - -o /dev/null -u "$CREDENTIAL" -X POST "http://$R2/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p'); case $at in /*) at=http://$H$at ;; esac; d=sha256:$(printf "$1" | sha256sum | cut -d' ' -f1); case $at in *\?*) at="$at&digest=$d" ;; *) at="$at?digest=$d" ;; esac; printf "$1" | curl -s -o /dev/null -w '%{http_code}\n' -u "$CREDENTIAL" -X PUT -H 'Content-Type: application/octet-stream' --data-binary @- "$at"; }
`

// reference is the distribution project's registry, in this process.
var reference struct {
	once sync.Once
	host string
}

func (e *env) theReference(t *testing.T) string {
	t.Helper()
	reference.once.Do(func() {
		config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": filepath.Join(e.dir, "reference")}, "delete": {"enabled": true}}}
		config.HTTP.Secret = "a test needs no secret"
		config.Catalog.MaxEntries = 1000
		logrus.SetLevel(logrus.PanicLevel)
		reference.host = strings.TrimPrefix(httptest.NewServer(handlers.NewApp(context.Background(), config)).URL, "http://") // ends with the process
	})
	return reference.host
}

func TestRegistry(t *testing.T) {
	w := theEnv(t)
	peer := w.theReference(t)
	for i, c := range append(everyClient(), registryCases...) {
		if !everything && !c.sample {
			continue
		}
		t.Run(c.client+" "+c.name, func(t *testing.T) {
			t.Parallel()
			who := clientOf(c)
			version, err := who.ready(t.Context(), w)
			if err != nil {
				reportNotRun(who.name, err.Error())
				t.Skip(err)
			}
			reportBy(t, who.name+" "+version, c.decided.why, registryGroup, c.client+": "+c.name, func() []string {
				return w.runRegistry(t, peer, fmt.Sprintf("reg%d", i), who, c)
			})
		})
	}
}

// runRegistry runs a case on both sides and returns what differs.
func (e *env) runRegistry(t *testing.T, peer, name string, who client, c registryCase) []string {
	if out, err := e.daemon.Admin(t.Context(), "a-long-password", "user", "add", name, "--password-stdin"); err != nil {
		return []string{out + err.Error()}
	}
	token, err := e.daemon.Admin(t.Context(), "", "token", "create", name)
	if err != nil {
		return []string{err.Error()}
	}
	side := registrySide{env: e, who: who, namespace: name, token: token, script: c.script}
	ours := side.run(t.Context(), t.TempDir(), e.daemon.HTTP, "http://"+e.daemon.HTTP+"/api")
	theirs := side.run(t.Context(), t.TempDir(), peer, "")
	switch {
	case strings.Contains(theirs, endedBadly):
		return []string{"the case is wrong: with distribution:\n" + theirs}
	case c.decided.why == "" && ours == theirs, c.decided.why != "" && ours == c.decided.ours && ours != theirs:
		return nil
	}
	return []string{fmt.Sprintf("with Fandogh:\n%s\nwith distribution:\n%s", ours, theirs)}
}

// registrySide runs a client's script with one of the registries.
type registrySide struct {
	env                      *env
	who                      client
	namespace, token, script string
}

// run returns what was printed; api is the address of the REST interface, where there is one.
func (s registrySide) run(ctx context.Context, dir, host, api string) string {
	credential := s.namespace + ":" + s.token
	auth := map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(credential))}
	config, err := json.Marshal(map[string]any{"auths": map[string]any{host: auth}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600)
	}
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "containers"), filepath.Join(dir, "run"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "storage.conf"), []byte(storage), 0o600)
	}
	if err != nil {
		return err.Error()
	}
	env := []string{
		"H=" + host, "N=" + s.namespace, "R=" + host + "/" + s.namespace, "R3=" + host + "/v2/" + s.namespace, "CREDENTIAL=" + credential, "API=" + api, "SIDE=" + strings.ReplaceAll(host, ":", "-"),
		"PATH=" + s.env.tools + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "XDG_RUNTIME_DIR=" + dir,
		"DOCKER_CONFIG=" + dir, "REGISTRY_AUTH_FILE=" + filepath.Join(dir, "config.json"), "HELM_REGISTRY_CONFIG=" + filepath.Join(dir, "config.json"), "CONTAINERS_STORAGE_CONF=" + filepath.Join(dir, "storage.conf"),
	}
	if s.who.engine != nil {
		env = append(env, "ENGINE="+s.who.engine.dir(s.env))
	}
	out := runScript(ctx, filepath.Join(dir, "work"), registryPrelude+s.who.prelude+s.script, env)
	return strings.ReplaceAll(out, host, "HOST")
}
