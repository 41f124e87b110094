package web_test

import (
	"context"
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

type fakeFiles struct{}

func (fakeFiles) ListFiles(_ context.Context, _ catalog.ImageRef, _, platform string, layer int, dir string) (catalog.FileList, error) {
	switch dir {
	case "/busy":
		return catalog.FileList{}, catalog.Errorf(catalog.Unavailable, "the layers of this image are being read; try again in a moment")
	case "/bomb":
		return catalog.FileList{}, catalog.Errorf(catalog.Invalid, "layer 1: %s", evil)
	case "/missing":
		return catalog.FileList{}, catalog.Errorf(catalog.NotFound, "there is no directory /missing")
	}
	list := catalog.FileList{Platform: "linux/amd64", Platforms: []string{"linux/amd64", evil}, Layers: 2, More: true, Dir: catalog.ImageFile{Name: dir, Kind: catalog.FileDirectory, Size: 5, Files: 2, Layer: -1}}
	for i, kind := range catalog.FileKinds() {
		list.Files = append(list.Files, catalog.ImageFile{Name: "/" + evil + "\xff" + string(kind), Kind: kind, Mode: 0o4755, Size: int64(i), Files: i, Link: evil, Layer: i - 1})
	}
	return list, nil
}

func (fakeFiles) CompareFiles(_ context.Context, _ catalog.ImageRef, _, _, platform string) (catalog.FileComparison, error) {
	if platform == "busy" {
		return catalog.FileComparison{}, catalog.Errorf(catalog.Unavailable, "the layers of this image are being read; try again in a moment")
	}
	file := &catalog.ImageFile{Name: "/" + evil, Kind: catalog.FileRegular, Mode: 0o644, Size: 1234, Link: evil}
	return catalog.FileComparison{Platform: evil, Added: 1, Removed: 1, Changed: 1, Bytes: -5, More: true, Changes: []catalog.FileChange{
		{Name: "/" + evil, Is: file}, {Name: "/" + evil + "\xff", Was: file}, {Name: "/" + evil, Was: file, Is: file},
	}}, nil
}

type fakeHistories struct{}

func (fakeHistories) CommitsSince(context.Context, catalog.ImageRef, string, string, int) ([]catalog.CommitInfo, bool, error) {
	return []catalog.CommitInfo{{ID: evil, Author: evil, Subject: evil}}, true, nil
}

// A version is shown against the one before it.
func TestVersionPage(t *testing.T) {
	e := newEnv(t)
	e.finish("v3", catalog.OutcomeBuilt)
	b := e.signedIn("ann")
	page := html.UnescapeString(b.get("/images/ann/app/v3").body)
	for _, want := range []string{
		"docker pull registry.test:8080/ann/app:v3", "docker pull registry.test:8080/ann/app@sha256:1111", `class="layer kept"`, "kept: 1 B", "Commits since version", "Dockerfile as it was built",
		`"RepoTags": [`, `"Os": "linux"`, `/images/ann/app/v3/files?layer=1"`, `<td class="quiet">2</td><td><code># ` + evil,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if first := b.get("/images/ann/app/v1").body; strings.Contains(first, "Compare with") || strings.Contains(first, "Commits since") {
		t.Error("the first version is compared with one before it")
	}
	for path, want := range map[string]int{
		"v1/files?path=/missing": http.StatusNotFound, "v1/files?layer=x": http.StatusBadRequest, "v1/files?layer=-1": http.StatusBadRequest, "v2/files": http.StatusConflict,
		"v2/changes": http.StatusConflict, "v3/changes?since=v2": http.StatusConflict, "v3/changes?since=v9": http.StatusNotFound, "v3/changes": http.StatusOK,
	} {
		if got := b.get("/images/ann/app/" + path); got.StatusCode != want {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	if busy := b.get("/images/ann/app/v1/files?path=/busy"); busy.Header.Get("Refresh") != "3" || !strings.Contains(busy.body, "being read") {
		t.Errorf("while layers are read: %v", busy.Header)
	}
	if changes := b.get("/images/ann/app/v3/changes").body; !strings.Contains(changes, "Changed files <code") || !strings.Contains(changes, "Added: 1. Removed: 1. Changed: 1.") {
		t.Errorf("the changes since the version before: %s", changes)
	}
}
