package web_test

import (
	"context"

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
