package builder

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxRequestSpans is how many of the newest builds have their trace remembered.
const maxRequestSpans = 1000

// rememberRequest remembers the span that asked for a build, so that the build is part
// of its trace. After a restart a build is a trace of its own.
func (b *Builder) rememberRequest(ctx context.Context, queued []catalog.QueuedBuild) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return
	}
	for _, q := range queued {
		if !q.Attached {
			b.requestSpans.Add(q.Build.ID, span)
		}
	}
}

// traced returns a context with the attempt's span, which begins with the wait
// in the queue, and what ends it.
func (a *attempt) traced(ctx context.Context) (context.Context, func(error)) {
	begin := a.build.StartedAt
	if a.build.Attempts <= 1 {
		begin = a.build.QueuedAt
	}
	if request, ok := a.builder.requestSpans.Get(a.build.ID); ok {
		ctx = trace.ContextWithSpanContext(ctx, request)
	}
	ctx, span := a.builder.config.Tracer.Start(ctx, "build", trace.WithTimestamp(begin), trace.WithAttributes(
		attribute.String("fandogh.image", a.build.Image.String()), attribute.String("fandogh.version", a.build.Version),
		attribute.Int64("fandogh.build", a.build.ID), attribute.Int("fandogh.attempt", a.build.Attempts),
		attribute.String("fandogh.trigger", string(a.build.Trigger)), attribute.String("fandogh.commit", a.build.Commit),
	))
	_, queue := a.builder.config.Tracer.Start(ctx, "queue", trace.WithTimestamp(begin))
	queue.End(trace.WithTimestamp(a.build.StartedAt))
	return ctx, func(err error) {
		for _, step := range a.steps.list() {
			a.traceStep(ctx, step)
		}
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// traceStep makes a span of a step that has ended, the transfer of the context
// and the export among them.
func (a *attempt) traceStep(ctx context.Context, step catalog.Step) {
	if step.StartedAt.IsZero() || step.EndedAt.IsZero() {
		return
	}
	_, span := a.builder.config.Tracer.Start(ctx, step.Name, trace.WithTimestamp(step.StartedAt), trace.WithAttributes(attribute.Bool("fandogh.cached", step.Cached)))
	if step.Error != "" {
		span.SetStatus(codes.Error, step.Error)
	}
	span.End(trace.WithTimestamp(step.EndedAt))
}
