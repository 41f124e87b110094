package web_test

import (
	"context"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/web"
)

// fakeWebhooks keeps webhooks in the store, and has two deliveries of each.
type fakeWebhooks struct {
	store       *sqlite.Store
	redelivered []int64
}

func (f *fakeWebhooks) Create(ctx context.Context, w catalog.Webhook, secret string) (catalog.Webhook, string, error) {
	if w.URL == "" {
		return w, "", catalog.FieldErrorf("url", "%q is not a URL", w.URL)
	}
	w.Sealed = []byte("x")
	w, err := f.store.CreateWebhook(ctx, w)
	if secret == "" {
		secret = "made-secret" + evil
	}
	return w, secret, err
}

func (f *fakeWebhooks) List(ctx context.Context, namespace string, imageID int64) ([]catalog.Webhook, error) {
	return f.store.ListWebhooks(ctx, namespace, imageID)
}

func (f *fakeWebhooks) check(ctx context.Context, id int64) error {
	_, err := f.store.Webhook(ctx, id)
	return err
}

func (f *fakeWebhooks) Delete(ctx context.Context, _ string, _, id int64) error {
	return f.store.DeleteWebhook(ctx, id)
}

func (f *fakeWebhooks) Deliveries(ctx context.Context, _ string, _, id int64, _ catalog.Page) ([]catalog.Job, error) {
	if err := f.check(ctx, id); err != nil {
		return nil, err
	}
	return []catalog.Job{
		{ID: 2, Key: "1-2", State: catalog.JobFailed, Attempts: 6, CreatedAt: time.Now(), Answer: "500 " + evil, Payload: []byte(`{"event":"build.finished","message":"</pre><script>"}`)},
		{ID: 1, Key: evil, State: catalog.JobRunning, Attempts: 1, CreatedAt: time.Now(), Payload: []byte(evil)},
	}, nil
}

func (f *fakeWebhooks) Redeliver(ctx context.Context, _ string, _, id, delivery int64) error {
	if err := f.check(ctx, id); err != nil {
		return err
	}
	f.redelivered = append(f.redelivered, delivery)
	return nil
}

// fakeGitHub has one connection at most, of any image.
type fakeGitHub struct {
	status *catalog.GitHubStatus
	asked  catalog.GitHubSettings // last
}

func (f *fakeGitHub) Connect(_ context.Context, _ catalog.Image, _ int64, s catalog.GitHubSettings) (catalog.GitHubStatus, error) {
	if s.Repository == "refused" {
		return catalog.GitHubStatus{}, catalog.FieldErrorf("repository", "%q is not a repository", s.Repository)
	}
	f.asked = s
	f.status = &catalog.GitHubStatus{
		Connection: catalog.Connection{Repository: s.Repository, Former: evil, Tags: *s.Tags, Branches: *s.Branches, Paths: *s.Paths, Context: *s.Context},
		WebhookURL: "https://fandogh.test/webhooks/github", Access: evil,
		Refs:       []catalog.SourceRef{{Name: evil, Commit: evil, Version: "v1", Note: evil, At: time.Now()}, {Name: "refs/tags/x"}},
		Deliveries: []catalog.Job{{Key: evil, State: catalog.JobDone, Answer: evil, CreatedAt: time.Now()}},
	}
	made := *f.status
	made.Secret = "made-secret" + evil
	return made, nil
}

func (f *fakeGitHub) Disconnect(context.Context, catalog.Image) error {
	if f.status == nil {
		return catalog.Errorf(catalog.NotFound, "the image is not connected")
	}
	f.status = nil
	return nil
}

func (f *fakeGitHub) Status(context.Context, catalog.Image) (catalog.GitHubStatus, error) {
	if f.status == nil {
		return catalog.GitHubStatus{}, catalog.Errorf(catalog.NotFound, "the image is not connected")
	}
	return *f.status, nil
}

func (f *fakeGitHub) Sync(context.Context, catalog.Image) error {
	if f.status == nil {
		return catalog.Errorf(catalog.NotFound, "the image is not connected")
	}
	return nil
}

// fakeRetention has the rules of the store, and keeps one version.
type fakeRetention struct{ store *sqlite.Store }

func (f fakeRetention) Rules(ctx context.Context, scope catalog.RetentionScope) ([]catalog.RuleInForce, error) {
	rules, err := f.store.ListRetentionRules(ctx, scope)
	return catalog.RulesInForce(rules, nil), err
}

func (f fakeRetention) Preview(ctx context.Context, image catalog.Image, _ *catalog.ScopedRule) ([]catalog.RetentionDecision, error) {
	versions, err := f.store.ListRetained(ctx, image.ID)
	var decisions []catalog.RetentionDecision
	for i, v := range versions {
		decisions = append(decisions, catalog.RetentionDecision{RetainedVersion: v, Keeps: i == 0, Reason: evil})
	}
	return decisions, err
}

type fakeUsage struct{}

func (fakeUsage) Usage(_ context.Context, namespace string) (catalog.NamespaceUsage, error) {
	return catalog.NamespaceUsage{Namespace: namespace, Layers: 5e9, Git: 2e6, Versions: 3, Builds: 12, Quota: catalog.Quota{Bytes: 10e9, Builds: -1},
		Images: []catalog.ImageUsage{{Image: catalog.ImageRef{Namespace: namespace, Name: "app"}, Versions: 3, Own: 5e9, Git: 2e6}}}, nil
}

// fakeOperator finds something, and has collected.
type fakeOperator struct{ collected web.Collection }

func (*fakeOperator) Findings(context.Context) []web.Finding {
	return []web.Finding{{Check: evil, Level: web.Fine, What: evil}, {Check: "disk", Level: web.Note, What: evil, Try: []string{evil}}, {Check: "data", Level: web.Fault, What: "no"}}
}

func (*fakeOperator) Disk(context.Context) (web.Disk, error) {
	return web.Disk{Free: 1e9, Size: 5e10, Short: evil, Parts: []web.DiskPart{{Name: "registry", Bytes: 3e10}, {Name: "other", Bytes: 5}}}, nil
}

func (f *fakeOperator) Collect(by string, dryRun bool) error {
	if f.collected.By != "" {
		return catalog.Errorf(catalog.Conflict, "it is at it")
	}
	f.collected = web.Collection{By: by, DryRun: dryRun, Began: time.Now(), Ended: time.Now(), Freed: web.Amount{Blobs: 3, Bytes: 5000}, Failed: evil}
	return nil
}

func (f *fakeOperator) Collected() web.Collection { return f.collected }

type fakeRemover struct{ asked int }

func (f *fakeRemover) Remove(context.Context) { f.asked++ }
