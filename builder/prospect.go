package builder

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// skips is what people write into the message of a commit that is not to be built, as elsewhere.
var skips = regexp.MustCompile(`(?i)\[(skip ci|ci skip)\]`)

// Prospect tells what would be built of a commit with the options of a push. It reads no more of the commit than
// its configuration and the directories where the Dockerfile may be. Errors: NotFound, Invalid (the configuration).
func (b *Builder) Prospect(ctx context.Context, ref catalog.ImageRef, commit string, options catalog.BuildOptions) (catalog.Prospect, error) {
	files, err := b.config.Sources.Peek(ctx, ref, commit)
	if err != nil {
		return catalog.Prospect{}, err
	}
	defer func() {
		if err := files.Close(); err != nil {
			b.logger.Warn("failed to close a commit", "image", ref, "commit", commit, "error", err)
		}
	}()
	prospect := catalog.Prospect{Skips: skips.MatchString(files.Message())}
	own, err := readRepositoryConfig(files)
	if err != nil {
		return prospect, err
	}
	prospect.Branches, prospect.Images = own.branches, own.entries()
	wanted := []catalog.BuildOptions{own.options}
	for i, image := range own.images {
		wanted = append(wanted[:i], image.options.WithDefaults(own.options))
	}
	missing := make([]string, len(wanted))
	for i, o := range wanted {
		names := options.WithDefaults(o).Dockerfiles()
		for _, name := range names {
			if found, err := mayBe(files, name); found || err != nil {
				return prospect, err
			}
		}
		missing[i] = names[0]
	}
	prospect.Missing = "this commit contains no file " + strings.Join(missing, ", ")
	return prospect, nil
}

// mayBe reports whether a build might find a file: there is something of its name, or a link on the way.
func mayBe(files configFiles, name string) (bool, error) {
	for ; name != "."; name = path.Dir(name) {
		info, err := files.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		case catalog.CodeOf(err) == catalog.Invalid: // a submodule
			return true, nil
		case err != nil:
			return false, err
		default:
			return !info.IsDir(), nil
		}
	}
	return false, nil
}
