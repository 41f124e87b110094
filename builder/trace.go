package builder

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxAskers is how many of the newest builds have their trace remembered.
const maxAskers = 1000

// askedBy remembers the span that asked for a build, so that the build is part
// of its trace. After a restart a build is a trace of its own.
func (b *Builder) askedBy(ctx context.Context, queued []catalog.QueuedBuild) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return
	}
	for _, q := range queued {
		if !q.Attached {
			b.askers.Add(q.Build.ID, span)
		}
	}
}

// traced returns a context with the attempt's span, which begins with the wait
// in the queue, and what ends it.
func (j *job) traced(ctx context.Context) (context.Context, func(error)) {
	begin := j.build.StartedAt
	if j.build.Attempts <= 1 {
		begin = j.build.QueuedAt
	}
	if asker, ok := j.askers.Get(j.build.ID); ok {
		ctx = trace.ContextWithSpanContext(ctx, asker)
	}
	ctx, span := j.config.Tracer.Start(ctx, "build", trace.WithTimestamp(begin), trace.WithAttributes(
		attribute.String("fandogh.image", j.build.Image.String()), attribute.String("fandogh.version", j.build.Version),
		attribute.Int64("fandogh.build", j.build.ID), attribute.Int("fandogh.attempt", j.build.Attempts),
		attribute.String("fandogh.trigger", string(j.build.Trigger)), attribute.String("fandogh.commit", j.build.Commit),
	))
	_, queue := j.config.Tracer.Start(ctx, "queue", trace.WithTimestamp(begin))
	queue.End(trace.WithTimestamp(j.build.StartedAt))
	return ctx, func(err error) {
		for _, step := range j.steps.list() {
			j.traceStep(ctx, step)
		}
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// traceStep makes a span of a step that has ended, the transfer of the context
// and the export among them.
func (j *job) traceStep(ctx context.Context, step catalog.Step) {
	if step.StartedAt.IsZero() || step.EndedAt.IsZero() {
		return
	}
	_, span := j.config.Tracer.Start(ctx, step.Name, trace.WithTimestamp(step.StartedAt), trace.WithAttributes(attribute.Bool("fandogh.cached", step.Cached)))
	if step.Error != "" {
		span.SetStatus(codes.Error, step.Error)
	}
	span.End(trace.WithTimestamp(step.EndedAt))
}
