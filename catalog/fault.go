package catalog

import "context"

// Fault is something wrong with what is kept, as a check found it.
type Fault struct {
	What string // a sentence without its stop
	// Mend puts it right where nothing is lost by that, and says what it did, a sentence without its stop. nil: it can't be
	// mended. It is called when the check has ended, while no daemon runs; what it is based on may have been mended by others.
	Mend func(ctx context.Context) (did string, err error)
	// File is what is missing or damaged, where a backup's copy of it can take its place: a file, or a directory of which files are
	// missing. Whole says of a copy of the file whether it is what it has to be.
	File  string
	Whole func(path string) error
	// Place puts a backup's copy of it, or of a file of the directory, in its place, and reports whether it did; nil, and what it did not: it is
	// copied as it is. Files are placed in the order of their names, each whole or not at all.
	Place func(ctx context.Context, from, to string) (done bool, err error)
	// Advice is what to do, a sentence without its stop, where Mend is nil or fails.
	Advice string
}
