package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
)

// side is one of the two that are compared.
type side interface {
	name() string
	env() []string                                 // for git
	prepare(ctx context.Context, app string) error // a repository that can be pushed to
	remote(app string) string                      // its URL
	image(app, tag string) string                  // the reference of what is built
	credentials() (name, password string)          // for the registry; empty: none
}

func makeKey(ctx context.Context, dir string) (string, error) {
	key := filepath.Join(dir, "key")
	_, err := command(ctx, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", key)
	return key, err
}

func sshFlags(key string) string {
	return "-F /dev/null -i " + key + " -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
}

func gitEnv(flags string) []string {
	return []string{
		"GIT_SSH_COMMAND=ssh " + flags, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=bench@localhost", "GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=bench@localhost",
	}
}

// pullable fetches an image's manifest as a client would begin a pull.
func pullable(ctx context.Context, s side, app, tag string) error {
	host, rest, _ := strings.Cut(s.image(app, tag), "/")
	repository, _, _ := strings.Cut(rest, ":")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	if name, password := s.credentials(); name != "" {
		request.SetBasicAuth(name, password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: the manifest of %s:%s: %s", s.name(), app, tag, response.Status)
	}
	return nil
}
