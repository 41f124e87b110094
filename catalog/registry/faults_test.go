package registry_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever clients call the bytes of an upload, they are taken.
func TestUploadOfAnyContentType(t *testing.T) {
	w := newEnv(t)
	for _, contentType := range []string{"", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"} {
		if a := w.send(http.MethodPatch, w.begin("alice/app"), contentType, []byte("abc")); a.status != http.StatusAccepted {
			t.Errorf("as %q: %d", contentType, a.status)
		}
	}
}

// What is wrong with the storage is for the log: users are told no paths of the server.
func TestFaultsOfTheStorage(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "app")
	repository := filepath.Join(w.dir, "registry", "docker", "registry", "v2", "repositories", "alice", "app")
	w.must(os.MkdirAll(filepath.Dir(repository), 0o700))
	w.must(os.WriteFile(repository, nil, 0o600)) // in a directory's place
	for _, request := range [][2]string{
		{"POST", "blobs/uploads/"}, {"GET", "manifests/" + digestOf(nil)}, {"GET", "blobs/" + digestOf(nil)}, {"HEAD", "blobs/" + digestOf(nil)}, {"GET", "tags/list"}, {"DELETE", "manifests/" + digestOf(nil)},
	} {
		a := w.request(request[0], "/v2/alice/app/"+request[1], alice)
		if strings.Contains(string(a.body), "registry/v2/repositories") || a.status < http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", request[0], request[1], a.status, a.body)
		}
	}
	if !strings.Contains(w.log.String(), "not a directory") {
		t.Error("the log does not say what is wrong")
	}
}
