package web

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// comparedVersions is how many versions are offered to compare with.
const comparedVersions = 50

// unavailable is what a page of an image's files says where there are none to show.
type unavailable struct {
	Busy   bool   // they are being read
	Reason string // a sentence in English: they can't be
}

// cannotShow takes in why the files can't be listed; an error that it returns is another's.
func (c *call) cannotShow(err error) (u unavailable, _ error) {
	switch catalog.CodeOf(err) {
	case catalog.Unavailable:
		c.w.Header().Set("Refresh", "3")
		return unavailable{Busy: true}, nil
	case catalog.Invalid:
		return unavailable{Reason: catalog.MessageOf(err)}, nil
	}
	return u, err
}

// filesData is what the page of a version's files shows.
type filesData struct {
	unavailable
	Image   catalog.Image
	Version catalog.Version
	List    catalog.FileList
	Path    []fileLink // of the directory, from the root on
	Files   []fileRow
	Layers  []fileLink // the image as it is, and each of its layers
	Layer   int        // from 1; 0: the image as it is
	Others  []fileLink // other platforms
}

type fileLink struct {
	Text string
	Link string
	Here bool
}

// fileRow is a file of an image as it is listed.
type fileRow struct {
	catalog.ImageFile
	Base   string
	Target string // where a link leads
	Link   string // of a directory: its page
	Bits   string // "drwxr-xr-x"
	From   int    // number of its layer; 0: no layer has it by itself
}

// builtVersion returns the version of the path, which must be built. Errors: NotFound, Conflict.
func (c *call) builtVersion() (catalog.Image, catalog.Version, error) {
	image, version, err := c.version()
	if err == nil && version.State != catalog.Built {
		err = catalog.Errorf(catalog.Conflict, "version %s is not built", version.Name)
	}
	return image, version, err
}

func (c *call) filesPage() error {
	image, version, err := c.builtVersion()
	if err != nil {
		return err
	}
	query := c.r.URL.Query()
	data := filesData{Image: image, Version: version}
	if text := query.Get("layer"); text != "" {
		if data.Layer, err = strconv.Atoi(text); err != nil || data.Layer < 0 {
			return catalog.FieldErrorf("layer", "layer must be the number of a layer")
		}
	}
	dir, platform := path.Clean("/"+query.Get("path")), query.Get("platform")
	data.List, err = c.server.config.Files.ListFiles(c.r.Context(), image.Ref, version.Digest, platform, data.Layer-1, dir)
	if err != nil {
		if data.unavailable, err = c.cannotShow(err); err != nil {
			return err
		}
	}
	here := pathOf(image.Ref.Namespace, image.Ref.Name, version.Name, "files")
	to := func(dir string, layer int, platform string) string {
		values := url.Values{"path": {dir}}
		if layer > 0 {
			values.Set("layer", strconv.Itoa(layer))
		}
		if platform != "" {
			values.Set("platform", platform)
		}
		return here + "?" + values.Encode()
	}
	data.Path = []fileLink{{"/", to("/", data.Layer, platform), dir == "/"}}
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if part != "" {
			at = path.Join(at, part)
			data.Path = append(data.Path, fileLink{part, to(at, data.Layer, platform), at == dir})
		}
	}
	for i := range data.List.Layers + 1 {
		data.Layers = append(data.Layers, fileLink{strconv.Itoa(i), to("/", i, platform), i == data.Layer})
	}
	for _, other := range data.List.Platforms {
		data.Others = append(data.Others, fileLink{other, to(dir, 0, other), other == data.List.Platform})
	}
	for _, f := range data.List.Files {
		row := newFileRow(f)
		if f.Kind == catalog.FileDirectory {
			row.Link = to(f.Name, data.Layer, platform)
		}
		data.Files = append(data.Files, row)
	}
	return c.show(http.StatusOK, "files", "", data)
}

func newFileRow(f catalog.ImageFile) fileRow {
	row := fileRow{ImageFile: f, Base: legible(path.Base(f.Name)), Target: legible(f.Link), From: f.Layer + 1}
	if f.Kind != catalog.FileGone && row.From > 0 {
		row.Bits = modeBits(f)
	}
	return row
}

// kindLetters are what ls writes before the mode of a file.
var kindLetters = map[catalog.FileKind]string{catalog.FileDirectory: "d", catalog.FileSymlink: "l", catalog.FileDevice: "c", catalog.FilePipe: "p"}

// modeBits writes kind and mode of a file as ls does: "drwxr-xr-x".
func modeBits(f catalog.ImageFile) string {
	bits := []byte(cmp.Or(kindLetters[f.Kind], "-") + "rwxrwxrwx")
	for i := range 9 {
		if f.Mode&(1<<(8-i)) == 0 {
			bits[1+i] = '-'
		}
	}
	for i, letter := range []byte("sst") { // set user, set group, sticky: in the place of x
		at := 3 + 3*i
		switch {
		case f.Mode&(0o4000>>i) == 0:
		case bits[at] == 'x':
			bits[at] = letter
		default:
			bits[at] = letter - 'a' + 'A'
		}
	}
	return string(bits)
}

// isTrick reports whether a character is for a terminal, ends a line, or turns text around.
func isTrick(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// legible writes whatever bytes a name has on one line.
func legible(name string) string {
	return strings.Map(func(r rune) rune {
		if isTrick(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}

// changesData is what the page of two versions' differences shows.
type changesData struct {
	unavailable
	Image      catalog.Image
	Version    catalog.Version
	Since      string // empty: there is none to compare with
	Versions   []catalog.Version
	Comparison catalog.FileComparison
	Rows       []changeRow
}

// changeRow is a file that two versions do not have alike.
type changeRow struct {
	Name    string
	Was, Is *fileRow
	Bytes   int64
	What    string // "added", "removed", "changed"
}

func (c *call) changesPage() error {
	image, version, err := c.builtVersion()
	if err != nil {
		return err
	}
	ctx, store := c.r.Context(), c.server.config.Store
	data := changesData{Image: image, Version: version, Since: c.r.URL.Query().Get("since")}
	data.Versions, err = store.ListVersions(ctx, image.ID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: comparedVersions}})
	if err != nil {
		return err
	}
	var since catalog.Version
	if data.Since != "" {
		since, err = store.Version(ctx, image.ID, data.Since)
		if err == nil && since.State != catalog.Built {
			err = catalog.Errorf(catalog.Conflict, "version %s is not built", since.Name)
		}
	} else {
		since, err = c.builtBefore(image, version.ID)
		data.Since = since.Name
	}
	if err != nil {
		return err
	}
	if data.Since != "" {
		data.Comparison, err = c.server.config.Files.CompareFiles(ctx, image.Ref, since.Digest, version.Digest, c.r.URL.Query().Get("platform"))
		if err != nil {
			if data.unavailable, err = c.cannotShow(err); err != nil {
				return err
			}
		}
	}
	for _, change := range data.Comparison.Changes {
		row := changeRow{Name: legible(change.Name), Bytes: change.Bytes(), What: "changed"}
		if change.Was != nil {
			was := newFileRow(*change.Was)
			row.Was = &was
		} else {
			row.What = "added"
		}
		if change.Is != nil {
			is := newFileRow(*change.Is)
			row.Is = &is
		} else {
			row.What = "removed"
		}
		data.Rows = append(data.Rows, row)
	}
	return c.show(http.StatusOK, "changes", "", data)
}

// builtBefore returns the newest built version before the one of an ID, of all for 0. Its name is empty where there is none.
func (c *call) builtBefore(image catalog.Image, id int64) (catalog.Version, error) {
	older, err := c.server.config.Store.ListVersions(c.r.Context(), image.ID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: 1, Before: id}})
	if err != nil || len(older) == 0 {
		return catalog.Version{}, err
	}
	return older[0], nil
}
