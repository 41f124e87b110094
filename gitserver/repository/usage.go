package repository

import (
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// Used returns the bytes that an image's repository takes on disk, with what was fetched of its submodules.
func (r *Repositories) Used(ref catalog.ImageRef) int64 {
	return diskspace.Used(r.path(ref)) + diskspace.Used(r.modules.path(ref))
}
