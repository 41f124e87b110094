package attestation

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git names objects by it
	"encoding/hex"
	"fmt"
)

// GitHash returns the name that git gives an object of a kind, such as "commit".
func GitHash(kind string, content []byte) string {
	sum := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(sum, "%s %d\x00", kind, len(content))
	sum.Write(content)
	return hex.EncodeToString(sum.Sum(nil))
}

// TargetOf returns what a tag object names, hex.
func TargetOf(tag []byte) string { return headerOf(tag, "object") }

// TreeOf returns the root directory that a commit object names, hex.
func TreeOf(commit []byte) string { return headerOf(commit, "tree") }

// headerOf returns what the first line of an object of git says, if it has that word.
func headerOf(object []byte, word string) string {
	line, _, _ := bytes.Cut(object, []byte("\n"))
	value, ok := bytes.CutPrefix(line, []byte(word+" "))
	if !ok {
		return ""
	}
	return string(value)
}
