package builder_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestABuildIsPartOfTheTraceThatAskedForIt(t *testing.T) {
	h := newEnv(t)
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	began := time.Now().Add(time.Minute).Truncate(time.Microsecond)
	step := catalog.Step{Digest: "d", Name: "RUN make", StartedAt: began, EndedAt: began.Add(time.Second), Error: "exit code: 2"}
	b := h.builder(func(_ context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		progress(builder.Event{Step: &step})
		return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "make failed"}
	}, func(c *builder.Config) { c.Tracer = tracer })
	stop := h.run(b)
	ctx, push := tracer.Start(t.Context(), "push")
	queued, err := b.Submit(ctx, []catalog.NewBuild{h.newBuild(h.image("alice", "app"), "v1", commitA)})
	if err != nil {
		t.Fatal(err)
	}
	push.End()
	h.follow(b, queued[0].ID)
	stop()

	found := map[string]trace.ReadOnlySpan{}
	for _, span := range spans.Ended() {
		found[span.Name()] = span
	}
	for name, parent := range map[string]string{"build": "push", "queue": "build", "open tree": "build", "RUN make": "build"} {
		if found[name] == nil || found[name].Parent().SpanID() != found[parent].SpanContext().SpanID() {
			t.Errorf("span %q is not a child of %q: %v", name, parent, found[name])
		}
	}
	if made := found["RUN make"]; made != nil && (!made.StartTime().Equal(step.StartedAt) || !made.EndTime().Equal(step.EndedAt) || made.Status().Description != step.Error) {
		t.Errorf("the step's span is from %s to %s: %v", made.StartTime(), made.EndTime(), made.Status())
	}
	if status := found["build"].Status().Description; status != "make failed" {
		t.Errorf("the build's status is %q", status)
	}
}
