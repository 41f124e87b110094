package backup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncAll puts what was written on a directory's file system on disk for good.
func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
