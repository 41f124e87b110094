package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc/codes"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// An error of BuildKit has what it had, after it went to the child and back.
func TestErrorsKeepTheirDetails(t *testing.T) {
	fake := dockerfile("FROM scratch\nCOPY . /\n")
	calls := 0
	fake.solve = func(r gateway.SolveRequest) (*gateway.Result, error) {
		if calls++; calls == 1 {
			result := gateway.NewResult()
			result.SetRef(&fakeRef{files: fake.files})
			return result, nil
		}
		err := error(&pb.ExitError{ExitCode: 7, Err: errors.New("it failed")})
		err = errdefs.WrapVertex(err, digest.Digest("sha256:"+strings.Repeat("b", 64)))
		err = errdefs.WithSource(err, &errdefs.Source{})
		return nil, grpcerrors.WrapCode(err, codes.Unavailable)
	}
	_, err := newInterpreter(t, Config{}).interpret(t.Context(), fake)
	var exit *pb.ExitError
	var vertex *errdefs.VertexError
	var mistake *MistakeError
	if !errors.As(err, &exit) || exit.ExitCode != 7 || !errors.As(err, &vertex) || len(errdefs.Sources(err)) != 1 || grpcerrors.Code(err) != codes.Unavailable {
		t.Errorf("got %#v: %v", err, err)
	}
	if errors.As(err, &mistake) {
		t.Error("BuildKit's error is taken for a mistake")
	}
}

// What the child can't hide: the frontend takes an ignore file that it can't read for
// one that is not there.
func TestLargeIgnoreFileIsNotOverlooked(t *testing.T) {
	fake := dockerfile("FROM scratch\nCOPY . /\n")
	fake.files["Dockerfile.dockerignore"] = strings.Repeat("x\n", maxFile)
	_, err := newInterpreter(t, Config{}).interpret(t.Context(), fake)
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "Dockerfile.dockerignore is larger") {
		t.Errorf("got %v", err)
	}
}

// What rewrites the build's graph runs in the bridge's goroutines.
func TestPanicOfTheClientEndsItsBuildAlone(t *testing.T) {
	fake := dockerfile("FROM scratch\n")
	fake.solve = func(gateway.SolveRequest) (*gateway.Result, error) { panic("as the test wants it") }
	_, err := newInterpreter(t, Config{}).interpret(t.Context(), fake)
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeInfrastructure {
		t.Errorf("got %v", err)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	fake := dockerfile("FROM scratch\n" + strings.Repeat("MAINTAINER x\n", 3*maxWarnings))
	if _, err := newInterpreter(t, Config{}).interpret(t.Context(), fake); err != nil {
		t.Fatal(err)
	}
	if n := len(fake.warned); n < 1 || n > maxWarnings {
		t.Errorf("got %d warnings", n)
	}
}

func TestDefinitionBeyondAMessage(t *testing.T) {
	var text strings.Builder
	text.WriteString("FROM scratch\n")
	for n := range 230 {
		fmt.Fprintf(&text, "ENV A%d=%s\nRUN true\n", n, strings.Repeat("x", 1000))
	}
	_, err := newInterpreter(t, Config{}).interpret(t.Context(), dockerfile(text.String()))
	var mistake *MistakeError
	if !errors.As(err, &mistake) || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestSeveralPlatformsHaveSeveralResults(t *testing.T) {
	fake := dockerfile("FROM scratch\nCOPY . /\n")
	fake.options["platform"] = "linux/amd64,linux/arm64"
	result, err := newInterpreter(t, Config{}).interpret(context.Background(), fake)
	if err != nil || len(result.Refs) != 2 {
		t.Errorf("got %v, %v", result, err)
	}
}
