package dockerfile

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/solver/pb"
)

// FuzzFrontend holds that of all images that a "# syntax=" line can name, those of the operator's list are
// taken, and for the frontend that is built in Docker's own of a version that it has.
func FuzzFrontend(f *testing.F) {
	for _, image := range []string{"docker/dockerfile:1", "docker/dockerfile:1.999", "docker/dockerfile-upstream:master", "team/frontend", "team/frontend:2", "evil.example/team/frontend:2", "team/frontend@sha256:x", "docker.io/docker/dockerfile:01.5"} {
		f.Add(image)
	}
	allowed := []string{"team/frontend:2", "registry.example/any"}
	f.Fuzz(func(t *testing.T, image string) {
		named, err := reference.ParseNormalizedNamed(image)
		if err != nil {
			if builtIn(image) || checkFrontend(image, allowed) == nil {
				t.Errorf("%q is taken", image)
			}
			return
		}
		tag := ""
		if tagged, ok := named.(reference.Tagged); ok {
			tag = tagged.Tag()
		}
		if builtIn(image) {
			ours := versionTag.FindStringSubmatch(ourVersion())
			numbers := versionTag.FindStringSubmatch(tag)
			isOurs := numbers != nil && number(numbers[1]) == number(ours[1]) && number(numbers[2]) <= number(ours[2])
			if of := reference.Path(named); of != "docker/dockerfile" && of != "docker/dockerfile-upstream" || !isOurs && !slices.Contains(newest, tag) {
				t.Errorf("%q is taken for the one that is built in", image)
			}
		}
		want := named.Name() == "registry.example/any" || named.Name() == "docker.io/team/frontend" && tag == "2"
		if err := checkFrontend(image, allowed); (err == nil) != want {
			t.Errorf("%q: %v, want it allowed %v", image, err, want)
		}
	})
}

// FuzzSources holds that what a child makes of an ignore file is bounded before anything is matched with it.
func FuzzSources(f *testing.F) {
	f.Add([]byte(`["*.o","!a"]`), "local://context", pb.AttrExcludePatterns)
	f.Add([]byte(`null`), "local://context", pb.AttrFollowPaths)
	f.Add([]byte(`{"a":1}`), "local://dockerfile", pb.AttrIncludePatterns)
	f.Add([]byte(`["\ud800"]`), "git://x", "other")
	f.Fuzz(func(t *testing.T, list []byte, identifier, key string) {
		for _, repeated := range []int{1, maxPatterns + 1} {
			value := string(list)
			if repeated > 1 { // the same, too many times
				var patterns []string
				if json.Unmarshal(list, &patterns) != nil || len(patterns) == 0 {
					return
				}
				text, err := json.Marshal(slices.Repeat(patterns, repeated))
				if err != nil {
					t.Fatal(err)
				}
				value = string(text)
			}
			op := &pb.Op{Op: &pb.Op_Source{Source: &pb.SourceOp{Identifier: identifier, Attrs: map[string]string{key: value}}}}
			raw, err := op.Marshal()
			if err != nil {
				return // no UTF-8
			}
			err = checkSources(&pb.Definition{Def: [][]byte{raw}})
			counts := slices.Contains([]string{pb.AttrExcludePatterns, pb.AttrIncludePatterns, pb.AttrFollowPaths}, key) && len(identifier) > 8 && identifier[:8] == "local://"
			var patterns []string
			size := 0
			readable := value == "" || json.Unmarshal([]byte(value), &patterns) == nil
			for _, p := range patterns {
				size += len(p)
			}
			fits := readable && len(patterns) <= maxPatterns && size <= maxPattern
			if counts && (err == nil) != fits {
				t.Errorf("%d patterns of %d bytes under %q: %v", len(patterns), size, key, err)
			}
			if !counts && err != nil && identifier != "local://" {
				t.Errorf("%q of %q: %v", key, identifier, err)
			}
		}
	})
}
