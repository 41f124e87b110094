//go:build torture || soak

package main

import (
	"archive/zip"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// uploader sends archives, some of which are cut off.
type uploader struct {
	load               *load
	name, dir, archive string
	next               int
}

func (t *load) newUploader(name string) *uploader {
	u := &uploader{load: t, name: name, dir: filepath.Join(t.dir, name), archive: filepath.Join(t.dir, name+".archive")}
	t.makeSources(u.dir)
	t.uploaders = append(t.uploaders, u)
	return u
}

func (u *uploader) act(_ context.Context, dice *rand.Rand) {
	u.next++
	e := u.load.ledger.add(entry{image: u.name, tag: fmt.Sprintf("u%d", u.next)})
	is := unanswered
	defer func() { u.load.ledger.put(e, is) }()
	_, _ = u.load.ask("POST", "images", map[string]string{"name": e.image}, nil) // it may be there
	e.content = fmt.Sprintf("upload %s %x\n", e.tag, dice.Uint64())
	kind := []string{"tar", "tar.gz", "zip"}[dice.IntN(3)]
	if err := u.pack(kind, e.content, dice); err != nil {
		if u.load.ctx.Err() == nil {
			u.load.Error(err)
		}
		return
	}
	switch dice.IntN(4) {
	case 0:
		is = deleted // it never was
		u.load.count("uploads of half an archive")
		info, err := os.Stat(u.archive)
		if err == nil {
			err = os.Truncate(u.archive, info.Size()/2)
		}
		if err != nil {
			u.load.Error(err)
		} else if status := u.send(e); status == http.StatusOK {
			u.load.Errorf("%s: half a %s was taken", e.name(), kind)
		}
	case 1:
		is = deleted
		u.load.count("uploads cut off")
		if status := u.send(e, "--limit-rate", "400K", "--max-time", "0.7"); status == http.StatusOK {
			u.load.Errorf("%s: the first 0.7 s of a %s were taken", e.name(), kind)
		}
	default:
		u.load.count("uploads by " + kind)
		if status := u.send(e); status == http.StatusOK {
			is = kept
		} else {
			u.load.cut("uploads refused or cut short by a kill", fmt.Errorf("%s: status %d", e.name(), status))
		}
	}
}

func (u *uploader) pack(kind, content string, dice *rand.Rand) error {
	if err := u.load.writeSources(u.dir, content, false, dice); err != nil {
		return err
	}
	switch kind {
	case "zip":
		file, err := os.Create(u.archive)
		if err != nil {
			return err
		}
		z := zip.NewWriter(file)
		if err := z.AddFS(os.DirFS(u.dir)); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		return file.Close()
	case "tar":
		_, err := u.load.run("tar", "-C", u.dir, "-cf", u.archive, ".")
		return err
	}
	_, err := u.load.run("tar", "-C", u.dir, "-czf", u.archive, ".")
	return err
}

// send returns the answer's status, 0 if there was none.
func (u *uploader) send(e *entry, flags ...string) int {
	out, _ := u.load.run("curl", append(flags, "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: JWT "+u.load.env["TOKEN"], "-H", "Active-Namespace: tor",
		"-F", "version="+e.tag, "-F", "source=@"+u.archive, "http://"+u.load.env["HTTP"]+"/api/images/"+e.image+"/versions")...)
	status, _ := strconv.Atoi(out)
	return status
}
