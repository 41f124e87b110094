package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestVersionPrefixes(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for text, want := range map[string][]VersionPrefix{
		"":                        nil,
		"abc123":                  nil,
		"sha256:abc123":           nil,
		"v1.2.30":                 nil,
		"abcdefg":                 nil,
		"sha1:abcdef0":            nil,
		"ABCDEF0 ":                {{Commit: "abcdef0"}, {Digest: "sha256:abcdef0"}},
		hex:                       {{Commit: hex}, {Digest: "sha256:" + hex}},
		hex + "0":                 nil,
		"sha256:" + hex:           {{Digest: "sha256:" + hex}},
		"sha512:" + hex + hex:     {{Digest: "sha512:" + hex + hex}},
		"app@sha256:" + hex:       nil,
		"%' OR 1=1 --abcdef0":     nil,
		"sha256:abcdef0\x00":      nil,
		"\u06f1\u06f2\u06f3abcd1": nil,
	} {
		if got := VersionPrefixes(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
