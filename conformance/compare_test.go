package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// allowed is everything in which a push may differ from `docker build`. Nothing
// else is ignored by the comparison.
var allowed = []struct{ what, why string }{
	{"mtime of every path; created of the image and of its history's entries", "the same commit gives the same digest on any machine, so the image's time is the commit's, and a file's follows from its content"},
	{"digests of the layers that the build made", "they hold those times"},
	{"labels org.opencontainers.image.revision and created, where the Dockerfile sets none of that name", "the image says of which commit it is, unless the repository or the installation leaves that out"},
	{"a COPY may become several layers, each with the instruction's entry in the history", "the next version stores and pulls only the parts that changed"},
}

// compare tells how ours differs from plain, one line a difference.
func compare(ours, plain *image) []string {
	if len(ours.images)+len(plain.images) > 0 {
		return compareIndexes(ours, plain)
	}
	return slices.Concat(
		compareTrees(ours.tree, plain.tree),
		compareValues("configuration", without(unlabelled(ours, plain), "created", "history", "rootfs"), without(plain.config, "created", "history", "rootfs")),
		compareValues("manifest", without(ours.manifest, "layers", "config"), without(plain.manifest, "layers", "config")),
		compareHistories(ours, plain),
		compareLayers(ours, plain),
	)
}

// compareIndexes wants the same platforms in the same order, and the same images for them.
func compareIndexes(ours, plain *image) []string {
	described := func(img *image) (list []any) {
		raw, _ := img.manifest["manifests"].([]any)
		for _, d := range raw {
			if m, ok := d.(map[string]any); ok {
				list = append(list, without(m, "digest", "size"))
			}
		}
		return list
	}
	diffs := slices.Concat(
		compareValues("index", without(ours.manifest, "manifests"), without(plain.manifest, "manifests")),
		compareValues("index.manifests", described(ours), described(plain)),
	)
	for i := range min(len(ours.images), len(plain.images)) {
		for _, d := range compare(ours.images[i], plain.images[i]) {
			diffs = append(diffs, fmt.Sprintf("image %d: %s", i, d))
		}
	}
	return diffs
}

func without(m map[string]any, keys ...string) map[string]any {
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

// unlabelled is our configuration without the labels that say of which commit it is. They stay where they say something
// else than they must, and what plain has of such a label is what a Dockerfile or a base image says.
func unlabelled(ours, plain *image) map[string]any {
	section := func(img *image) (config, labels map[string]any) {
		config, _ = img.config["config"].(map[string]any)
		labels, _ = config["Labels"].(map[string]any)
		return config, labels
	}
	config, labels := section(ours)
	_, theirs := section(plain)
	labels = maps.Clone(labels)
	for name, isTrue := range map[string]func(any) bool{
		"org.opencontainers.image.revision": func(v any) bool { text, _ := v.(string); return commitName.MatchString(text) },
		"org.opencontainers.image.created":  func(v any) bool { return v == ours.config["created"] },
	} {
		if value, ok := labels[name]; !ok || !isTrue(value) {
			continue
		}
		delete(labels, name)
		if value, ok := theirs[name]; ok {
			labels[name] = value
		}
	}
	config = without(config, "Labels")
	if len(labels) > 0 || theirs != nil {
		config["Labels"] = labels
	}
	all := maps.Clone(ours.config)
	if _, ok := plain.config["config"]; ok || len(config) > 0 {
		all["config"] = config
	} else {
		delete(all, "config")
	}
	return all
}

var commitName = regexp.MustCompile("^[0-9a-f]{40}$")

const shownPaths = 6

func compareTrees(ours, plain map[string]*node) (diffs []string) {
	paths := slices.Sorted(maps.Keys(ours))
	for p := range plain {
		if ours[p] == nil {
			paths = append(paths, p)
		}
	}
	sort.Strings(paths)
	for _, p := range paths {
		if d := compareNodes(ours[p], plain[p]); d != "" {
			diffs = append(diffs, fmt.Sprintf("%q: %s", p, d))
		}
	}
	if n := len(diffs); n > shownPaths {
		diffs = append(diffs[:shownPaths:shownPaths], fmt.Sprintf("… %d paths in all", n))
	}
	return diffs
}

func compareNodes(ours, plain *node) string {
	switch {
	case ours == nil:
		return "only plain has it"
	case plain == nil:
		return "only ours has it"
	}
	var faults []string
	differ := func(what string, ours, plain any) {
		if x, y := fmt.Sprint(ours), fmt.Sprint(plain); x != y {
			faults = append(faults, fmt.Sprintf("%s %.80q, plain %.80q", what, x, y))
		}
	}
	differ("kind", string(ours.kind), string(plain.kind))
	differ("mode", fmt.Sprintf("%o", ours.mode), fmt.Sprintf("%o", plain.mode))
	differ("owner", fmt.Sprintf("%d:%d", ours.uid, ours.gid), fmt.Sprintf("%d:%d", plain.uid, plain.gid))
	differ("link", ours.link, plain.link)
	differ("xattrs", ours.xattrs, plain.xattrs)
	differ("device", fmt.Sprintf("%d,%d", ours.major, ours.minor), fmt.Sprintf("%d,%d", plain.major, plain.minor))
	differ("size", ours.size, plain.size)
	differ("hard links", ours.names, plain.names)
	if ours.sum != plain.sum {
		faults = append(faults, "content: "+firstDifference(ours.text, plain.text))
	}
	return strings.Join(faults, "; ")
}

// firstDifference shows the first line that differs, and how many do.
func firstDifference(ours, plain string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(plain, "\n")
	count, first := 0, ""
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			if count++; count == 1 {
				first = fmt.Sprintf("line %d %.120q, plain %.120q", i+1, x, y)
			}
		}
	}
	return fmt.Sprintf("%d lines differ: %s", count, first)
}

// compareValues compares JSON values and names the place of each difference.
func compareValues(place string, ours, plain any) []string {
	a, isMap := ours.(map[string]any)
	b, isMapToo := plain.(map[string]any)
	if !isMap || !isMapToo {
		if reflect.DeepEqual(ours, plain) {
			return nil
		}
		return []string{fmt.Sprintf("%s: %s, plain %s", place, shown(ours), shown(plain))}
	}
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	var diffs []string
	for _, k := range keys {
		x, inOurs := a[k]
		y, inPlain := b[k]
		switch {
		case !inOurs:
			diffs = append(diffs, fmt.Sprintf("%s.%s is missing, plain %s", place, k, shown(y)))
		case !inPlain:
			diffs = append(diffs, fmt.Sprintf("%s.%s: %s, plain has none", place, k, shown(x)))
		default:
			diffs = append(diffs, compareValues(place+"."+k, x, y)...)
		}
	}
	return diffs
}

func shown(v any) string {
	text, _ := json.Marshal(v)
	return fmt.Sprintf("%.200s", text)
}

// entries are a history without its times.
func entries(config map[string]any) (list []map[string]any) {
	raw, _ := config["history"].([]any)
	for _, e := range raw {
		if m, ok := e.(map[string]any); ok {
			list = append(list, without(m, "created"))
		}
	}
	return list
}

func makesLayer(e map[string]any) bool { return e["empty_layer"] != true }

// compareHistories wants plain's entries in their order; ours may repeat one that
// makes a layer.
func compareHistories(ours, plain *image) []string {
	left, want := entries(ours.config), entries(plain.config)
	for i, e := range want {
		if len(left) == 0 || !reflect.DeepEqual(left[0], e) {
			return []string{fmt.Sprintf("history entry %d: %s, plain %s", i, shown(left[:min(1, len(left))]), shown(e))}
		}
		left = left[1:]
		for makesLayer(e) && len(left) > 0 && reflect.DeepEqual(left[0], e) && (i+1 == len(want) || !reflect.DeepEqual(want[i+1], e)) {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		return []string{"history has more entries than plain's: " + shown(left)}
	}
	if a, b := surplus(ours), surplus(plain); a != b {
		return []string{fmt.Sprintf("history speaks of %+d layers more than there are, plain's of %+d", a, b)}
	}
	return nil
}

// surplus is by how many layers the history has more than the image.
func surplus(img *image) int {
	n := 0
	for _, e := range entries(img.config) {
		if makesLayer(e) {
			n++
		}
	}
	return n - len(img.layers)
}

// compareLayers wants the layers of base images to be their own, and as many
// diffIDs as layers.
func compareLayers(ours, plain *image) (diffs []string) {
	for i, layer := range plain.layers {
		if !baseLayers[layer.Digest] {
			break
		}
		if i >= len(ours.layers) || ours.layers[i].Digest != layer.Digest || ours.layers[i].MediaType != layer.MediaType {
			diffs = append(diffs, fmt.Sprintf("layer %d of the base: %v, plain %v", i, ours.layers[min(i, len(ours.layers)-1)], layer))
		}
		if a, b := diffIDs(ours), diffIDs(plain); i < len(a) && a[i] != b[i] {
			diffs = append(diffs, fmt.Sprintf("diffID %d of the base: %v, plain %v", i, a[i], b[i]))
		}
	}
	if n := len(diffIDs(ours)); n != len(ours.layers) {
		diffs = append(diffs, fmt.Sprintf("%d diffIDs for %d layers", n, len(ours.layers)))
	}
	a, _ := ours.manifest["config"].(map[string]any)
	b, _ := plain.manifest["config"].(map[string]any)
	return append(diffs, compareValues("manifest.config", without(a, "digest", "size"), without(b, "digest", "size"))...)
}

func diffIDs(img *image) []any {
	rootfs, _ := img.config["rootfs"].(map[string]any)
	list, _ := rootfs["diff_ids"].([]any)
	return list
}

var (
	exitCode = regexp.MustCompile(`exit code: \d+`)
	place    = regexp.MustCompile(`(?m)^\S*:\d+$`) // Dockerfile:3
	finalErr = regexp.MustCompile(`(?m)^error: (?:failed to solve: )?(.*(?:\n.+)*)`)
	// references to temporary things differ between two runs of plain itself
	passing = regexp.MustCompile(`[a-z0-9]{25}(::[a-z0-9]{25})?|buildkit\d+|/\S*/(snapshots|cachemounts)/\S+`)
)

// reason is what a refusal must tell the user: the last part of plain's error, or
// how the step ended, and the line.
func reason(plain string) []string {
	var want []string
	if at := place.FindAllString(plain, -1); len(at) > 0 {
		want = append(want, at[len(at)-1])
	}
	all := finalErr.FindAllStringSubmatch(plain, -1)
	if len(all) == 0 {
		return append(want, "(plain gives no reason: "+plain+")")
	}
	message := all[len(all)-1][1]
	if code := exitCode.FindString(message); code != "" {
		return append(want, code)
	}
	for _, part := range slices.Backward(strings.Split(message, ": ")) {
		if len(strings.TrimSpace(passing.ReplaceAllString(part, ""))) > 3 {
			for _, words := range passing.Split(part, -1) {
				want = append(want, strings.TrimSpace(words))
			}
			return want
		}
	}
	return append(want, message)
}

// compareRefusals wants ours to be called the user's, and to tell the reason.
func compareRefusals(ours, plain result) (diffs []string) {
	if ours.outcome != "user_error" {
		diffs = append(diffs, fmt.Sprintf("refused as %q, not as the user's error", ours.outcome))
	}
	said := strings.ReplaceAll(ours.said, "remote: ", "")
	for _, want := range reason(plain.said) {
		if !strings.Contains(strings.ToLower(said), strings.ToLower(want)) {
			diffs = append(diffs, fmt.Sprintf("does not say %q, but: %s", want, lastLines(ours.said, 6)))
		}
	}
	return diffs
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		lines[i] = fmt.Sprintf("%.300s", strings.TrimSpace(l))
	}
	return strings.Join(lines, " | ")
}
