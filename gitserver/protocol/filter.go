package protocol

import (
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// objectFilter is what a partial clone leaves out: blobs of maxBlob bytes and more,
// and what lies maxDepth directories deep or deeper, a commit's tree being at 0.
type objectFilter struct {
	maxBlob  int64
	maxDepth int
}

const unfiltered = 1 << 40

var noFilter = objectFilter{maxBlob: unfiltered, maxDepth: unfiltered}

func (f objectFilter) active() bool { return f != noFilter }

// add narrows the filter by one of git's filter specifications. Errors: Invalid.
func (f *objectFilter) add(spec string) error {
	kind, value, _ := strings.Cut(spec, ":")
	switch kind {
	case "combine":
		for part := range strings.SplitSeq(value, "+") {
			if err := f.add(strings.ReplaceAll(part, "%3A", ":")); err != nil {
				return err
			}
		}
		return nil
	case "blob":
		limit, sized := strings.CutPrefix(value, "limit=")
		n, ok := parseSize(limit)
		if value == "none" || sized && ok {
			f.maxBlob = min(f.maxBlob, n)
			return nil
		}
	case "tree":
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			f.maxDepth = min(f.maxDepth, int(n)) //nolint:gosec // 31 bits
			return nil
		}
	}
	return catalog.Errorf(catalog.Invalid, "the filter %q is not supported; use blob:none, blob:limit=SIZE or tree:DEPTH", spec)
}

// parseSize reads a number with git's units. What is none is 0.
func parseSize(text string) (int64, bool) {
	shift := 0
	if text != "" {
		if shift = 10 * (1 + strings.IndexByte("kmg", text[len(text)-1]|0x20)); shift > 0 {
			text = text[:len(text)-1]
		}
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int64(n) << shift, err == nil //nolint:gosec // 31 bits
}
