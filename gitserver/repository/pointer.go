package repository

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// pointer is what a file of git-lfs says in the place of another.
type pointer struct {
	oid      string // hex SHA-256 of what it stands for
	size     int64
	extended bool // programs of the user's made what is stored of the file
}

// maxPointer is from how many bytes on a file is none.
const maxPointer = 1024

// pointerVersions are what the first line may say.
var pointerVersions = []string{"http://git-media.io/v/2", "https://hawser.github.com/spec/v1", "https://git-lfs.github.com/spec/v1"}

var (
	pointerKeys       = []string{"version", "oid", "size"}
	pointerExtension  = regexp.MustCompile(`\Aext-\d-\w+`)
	extensionPriority = regexp.MustCompile(`\Aext-(\d)-`)
)

// parsePointer reads a pointer by the rule of git-lfs, for which anything else is a file like others.
func parsePointer(text []byte) (p pointer, ok bool) {
	if len(text) >= maxPointer {
		return p, false
	}
	values, extensions := map[string]string{}, map[string]string{}
	for line := range bytes.Lines(bytes.TrimSpace(text)) {
		// As bufio.ScanLines has it: LF, with one CR before it.
		line := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if line == "" {
			continue
		}
		key, value, hasValue := strings.Cut(line, " ")
		if !hasValue || len(values) == len(pointerKeys) {
			return p, false
		}
		switch {
		case key == pointerKeys[len(values)]:
			values[key] = value
		case pointerExtension.MatchString(key):
			extensions[key] = value
		default:
			return p, false
		}
	}
	if len(values) < len(pointerKeys) || !slices.Contains(pointerVersions, values["version"]) || !extensionsAreValid(extensions) {
		return p, false
	}
	var sizeErr error
	p.oid, ok = parseOID(values["oid"])
	p.size, sizeErr = strconv.ParseInt(values["size"], 10, 64)
	p.extended = len(extensions) > 0
	return p, ok && sizeErr == nil && p.size >= 0
}

func parseOID(text string) (oid string, ok bool) {
	oid, ok = strings.CutPrefix(text, "sha256:")
	return oid, ok && catalog.ValidateOID(oid) == nil
}

func extensionsAreValid(extensions map[string]string) bool {
	priorities := map[string]bool{}
	for key, value := range extensions {
		priority := extensionPriority.FindStringSubmatch(key)
		if _, ok := parseOID(value); !ok || priority == nil || priorities[priority[1]] {
			return false
		}
		priorities[priority[1]] = true
	}
	return true
}
