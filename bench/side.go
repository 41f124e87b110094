package main

import (
	"context"
	"fmt"
	"net/http"
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
