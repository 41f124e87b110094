package dockerfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/buildkit/solver/pb"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// No ordinary project comes near these. What a child holds is bounded by the kernel;
// what it hands to this process, by the sizes.
const (
	maxMemory   = 512 << 20 // bytes a child may have besides what it starts with
	maxTime     = 10 * time.Second
	maxFile     = 1 << 20  // bytes of a Dockerfile or an ignore file
	maxMessage  = 16 << 20 // bytes of a request, BuildKit's own bound
	maxPatterns = 5000     // names and patterns that choose from the build context
	maxPattern  = 64 << 10 // bytes of them all
	maxWarnings = 100      // each carries the whole Dockerfile to BuildKit
	maxCalls    = 64       // requests of a child at once
)

const (
	tooMuchMemory = "the Dockerfile takes more than 512 MiB of memory to interpret, before any step is run; " +
		"look for variables that are defined by themselves, or thousands of instructions, and shorten it"
	tooMuchTime = "the Dockerfile takes more than 10 s of processor time to interpret, before any step is run; " +
		"look for thousands of instructions or variables, and shorten it"
	crashed = "the Dockerfile can't be interpreted: BuildKit's Dockerfile frontend crashed on it (%s); " +
		"it would crash again, so change the Dockerfile, and tell the server's administrator; the server's log has the details"
)

// errTooLarge is what a child says of a request that BuildKit would not take.
var errTooLarge = fmt.Errorf("the Dockerfile makes a build definition larger than %d MiB; shorten it, or split it into several images", maxMessage>>20)

// checkSources refuses a definition that would have this process compile too many
// patterns: it matches the build context's files with them.
func checkSources(def *pb.Definition) error {
	for _, text := range def.GetDef() {
		var op pb.Op
		if err := op.Unmarshal(text); err != nil {
			return err
		}
		source := op.GetSource()
		if source == nil || !strings.HasPrefix(source.Identifier, "local://") {
			continue
		}
		for _, key := range []string{pb.AttrExcludePatterns, pb.AttrIncludePatterns, pb.AttrFollowPaths} {
			if err := checkPatterns(key, source.Attrs[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPatterns(key, list string) error {
	var patterns []string
	if list == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(list), &patterns); err != nil {
		return err
	}
	size := 0
	for _, pattern := range patterns {
		size += len(pattern)
	}
	if len(patterns) <= maxPatterns && size <= maxPattern {
		return nil
	}
	what := "the Dockerfile copies from"
	if key == pb.AttrExcludePatterns {
		what = "the ignore file has"
	}
	return userError("%s %d patterns of %d bytes; at most %d of %d KiB are allowed, so name directories instead of their files",
		what, len(patterns), size, maxPatterns, maxPattern>>10)
}

func userError(format string, args ...any) error {
	return &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: fmt.Sprintf(format, args...)}
}

func infrastructure(err error, format string, args ...any) error {
	return &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: fmt.Sprintf(format, args...), Err: err}
}

// isDecided reports whether an error says by itself whose fault it is.
func isDecided(err error) bool {
	var decided *builder.SolveError
	return errors.As(err, &decided)
}
