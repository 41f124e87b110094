// Package imagediff says what two images do not have in common, by file and by field. Layers may be anything: they are read side by side
// within limits, and nothing of them is unpacked.
package imagediff

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// maxValue bounds how much of a value is shown, in bytes.
const maxValue = 120

// Difference is one thing that is not the same.
type Difference struct {
	Name string // of a file, from "/", or of a field
	What string // "content", "mode 0644, was 0755", "added"
}

// entry is what is compared of a file: everything but its content as it is, and of that a hash.
type entry struct {
	kind, mode, owner, time, link, device, attributes string
	content                                           [sha256.Size]byte
}

func entryOf(h *tar.Header) entry {
	e := entry{
		kind: kinds[h.Typeflag], mode: fmt.Sprintf("%04o", h.Mode&0o7777), owner: fmt.Sprintf("%d:%d", h.Uid, h.Gid), time: h.ModTime.UTC().Format(time.RFC3339Nano), link: h.Linkname,
	}
	if e.kind == "" {
		e.kind = fmt.Sprintf("of type %q", h.Typeflag)
	}
	if h.Uname != "" || h.Gname != "" {
		e.owner += fmt.Sprintf(" (%s:%s)", h.Uname, h.Gname)
	}
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		e.device = fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor)
	}
	var attributes []string
	for _, name := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if short, ok := strings.CutPrefix(name, "SCHILY.xattr."); ok {
			attributes = append(attributes, fmt.Sprintf("%s=%q", short, h.PAXRecords[name]))
		}
	}
	e.attributes = strings.Join(attributes, " ")
	if base := path.Base(h.Name); base == opaqueWhiteout {
		e.kind = "an opaque whiteout"
	} else if strings.HasPrefix(base, whiteout) {
		e.kind = "a whiteout"
	}
	return e
}

// A layer says by names that a file of the layers below is gone, or all that was in a directory.
const (
	whiteout       = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
)

var kinds = map[byte]string{
	tar.TypeReg: "a file", tar.TypeDir: "a directory", tar.TypeSymlink: "a symbolic link", tar.TypeLink: "a hard link",
	tar.TypeChar: "a device", tar.TypeBlock: "a device", tar.TypeFifo: "a pipe",
}

// differs says what is other than it was; empty: nothing. A file of another content has another time, too, which is not said.
func (e entry) differs(was entry) string {
	if e.content != was.content {
		e.time = was.time
	}
	var all []string
	for _, one := range []struct{ what, is, was string }{
		{"", e.kind, was.kind}, {"mode ", e.mode, was.mode}, {"owner ", e.owner, was.owner}, {"time ", e.time, was.time}, {"link to ", e.link, was.link},
		{"device ", e.device, was.device}, {"extended attributes ", e.attributes, was.attributes},
	} {
		if one.is != one.was {
			all = append(all, fmt.Sprintf("%s%s, was %s", one.what, shown(one.is), shown(one.was)))
		}
	}
	if e.content != was.content {
		all = append([]string{"content"}, all...)
	}
	return strings.Join(all, "; ")
}

// shown cuts a long value.
func shown(value string) string {
	if value == "" {
		return "none"
	}
	if len(value) > maxValue {
		return strings.ToValidUTF8(value[:maxValue], "") + "…"
	}
	return value
}

// Configs compares two configurations of images, but for what tells of their layers. Errors: either is no JSON.
func Configs(was, is []byte) ([]Difference, error) {
	var before, now map[string]any
	if err := errors.Join(json.Unmarshal(was, &before), json.Unmarshal(is, &now)); err != nil {
		return nil, err
	}
	delete(before, "rootfs")
	delete(now, "rootfs")
	return fields("", before, now), nil
}

// fields compares values of JSON by their parts.
func fields(name string, was, is any) []Difference {
	switch before := was.(type) {
	case map[string]any:
		if now, ok := is.(map[string]any); ok {
			var all []Difference
			names := maps.Clone(before)
			maps.Copy(names, now)
			for _, part := range slices.Sorted(maps.Keys(names)) {
				all = append(all, fields(strings.TrimPrefix(name+"."+part, "."), before[part], now[part])...)
			}
			return all
		}
	case []any:
		if now, ok := is.([]any); ok && len(now) == len(before) {
			var all []Difference
			for i := range now {
				all = append(all, fields(fmt.Sprintf("%s[%d]", name, i), before[i], now[i])...)
			}
			return all
		}
	}
	before, after := text(was), text(is)
	if before == after {
		return nil
	}
	return []Difference{{name, fmt.Sprintf("%s, was %s", shown(after), shown(before))}}
}

func text(value any) string {
	if value == nil {
		return ""
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // of what was decoded
	return strings.TrimSpace(out.String())
}
