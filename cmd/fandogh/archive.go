package main

import (
	"archive/zip"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/internal/language"
)

// writeZip writes the workspace as a zip while it reads it, and counts the
// bytes read into read. Equal workspaces give equal bytes: times are left out.
func (w *workspace) writeZip(ctx context.Context, to io.Writer, read io.Writer) error {
	archive := zip.NewWriter(to)
	for _, file := range w.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.writeEntry(archive, file, read); err != nil {
			return language.Errorf("send %s: %w", file.name, err)
		}
	}
	return archive.Close()
}

func (w *workspace) writeEntry(archive *zip.Writer, file workspaceFile, read io.Writer) (err error) {
	header := &zip.FileHeader{Name: file.name, Method: zip.Deflate}
	header.SetMode(file.mode)
	source := filepath.Join(w.dir, filepath.FromSlash(file.name))
	if file.mode.Type() == fs.ModeSymlink {
		target, err := os.Readlink(source)
		if err != nil {
			return err
		}
		header.Method = zip.Store
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = io.WriteString(entry, filepath.ToSlash(target))
		return err
	}
	content, err := os.Open(source)
	if err != nil {
		return err
	}
	defer joinClose(&err, content)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, io.TeeReader(content, read))
	return err
}
