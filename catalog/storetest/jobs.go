package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const kindA, kindB = catalog.JobKind("a"), catalog.JobKind("b")

func putJob(t *testing.T, s catalog.Store, kind catalog.JobKind, key, payload string) catalog.PutJob {
	t.Helper()
	return must(s.PutJobs(t.Context(), []catalog.NewJob{{Kind: kind, Key: key, Subject: 7, Payload: []byte(payload), NotBefore: base}}, base))(t)[0]
}

func claimJob(s catalog.Store, t *testing.T, now time.Time, kinds ...catalog.JobKind) (catalog.Job, error) {
	return s.ClaimJob(t.Context(), kinds, worker, math.MaxInt, now, now.Add(time.Minute))
}

func testJobs(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	first := putJob(t, s, kindA, "1", "one")
	putJob(t, s, kindB, "1", "other kind")
	wantEqual(t, "known", first.Known, false)
	wantEqual(t, "state", first.State, catalog.JobWaiting)
	again := putJob(t, s, kindA, "1", "changed")
	wantEqual(t, "known again", again.Known, true)
	wantEqual(t, "payload kept", string(again.Payload), "one")

	_, err := claimJob(s, t, base, "none")
	wantCode(t, err, catalog.NotFound)
	_, err = claimJob(s, t, base)
	wantCode(t, err, catalog.NotFound)
	_, err = claimJob(s, t, base.Add(-time.Second), kindA)
	wantCode(t, err, catalog.NotFound)
	at, ok, err := s.NextJob(ctx, []catalog.JobKind{kindA})
	noError(t, err)
	wantEqual(t, "next", at, base)
	wantEqual(t, "is a next", ok, true)

	job := must(claimJob(s, t, base, kindA, kindA))(t)
	wantEqual(t, "claimed", job.ID, first.ID)
	wantEqual(t, "attempts", job.Attempts, 1)
	_, ok, err = s.NextJob(ctx, []catalog.JobKind{kindA})
	noError(t, err)
	wantEqual(t, "nothing next", ok, false)
	noError(t, s.RetryJob(ctx, job.ID, worker, base.Add(time.Hour), "no luck", false))
	wantCode(t, s.RetryJob(ctx, job.ID, worker, base, "", false), catalog.Conflict)
	_, err = claimJob(s, t, base, kindA)
	wantCode(t, err, catalog.NotFound)
	job = must(claimJob(s, t, base.Add(time.Hour), kindA))(t)
	wantEqual(t, "attempts", job.Attempts, 2)
	wantEqual(t, "answer kept", job.Answer, "no luck")
	wantCode(t, s.EndJob(ctx, job.ID, "another worker", catalog.JobDone, "", base), catalog.Conflict)
	noError(t, s.EndJob(ctx, job.ID, worker, catalog.JobFailed, "gave up", base))

	retried := putJob(t, s, kindA, "1", "new")
	wantEqual(t, "a failed one is known", retried.Known, false)
	wantEqual(t, "same job", retried.ID, first.ID)
	job = must(claimJob(s, t, base, kindA))(t)
	wantEqual(t, "payload", string(job.Payload), "new")
	wantEqual(t, "attempts begin anew", job.Attempts, 1)
	noError(t, s.EndJob(ctx, job.ID, worker, catalog.JobDone, "built", base))
	wantEqual(t, "a done one is known", putJob(t, s, kindA, "1", "").Known, true)
	listed := must(s.ListJobs(ctx, kindA, 7, catalog.Page{}))(t)
	wantEqual(t, "listed", names(listed, func(j catalog.Job) string { return string(j.State) + " " + j.Answer }), "[done built]")
	wantEqual(t, "of another subject", len(must(s.ListJobs(ctx, kindA, 8, catalog.Page{}))(t)), 0)
}

func testJobOrder(t *testing.T, s catalog.Store) {
	put := func(kind catalog.JobKind, key string, at time.Time) {
		t.Helper()
		must(s.PutJobs(t.Context(), []catalog.NewJob{{Kind: kind, Key: key, NotBefore: at}}, base))(t)
	}
	put(kindA, "late", base.Add(2*time.Second))
	put(kindB, "early", base)
	put(kindA, "middle", base.Add(time.Second))
	put(kindA, "middle too", base.Add(time.Second))
	var got []string
	for range 4 {
		got = append(got, must(claimJob(s, t, base.Add(time.Hour), kindA, kindB))(t).Key)
	}
	wantEqual(t, "order", names(got, func(k string) string { return k }), "[early middle middle too late]")
}

// testJobsAreFair has one namespace ask for much more than another.
func testJobsAreFair(t *testing.T, s catalog.Store) {
	put := func(namespace int64, key string) {
		t.Helper()
		must(s.PutJobs(t.Context(), []catalog.NewJob{{Kind: kindA, Key: key, NamespaceID: namespace, NotBefore: base}}, base))(t)
	}
	for _, key := range []string{"1", "2", "3", "4"} {
		put(1, "ann "+key)
	}
	put(2, "bob 1")
	take := func(busiest int, want string) {
		t.Helper()
		job, err := s.ClaimJob(t.Context(), []catalog.JobKind{kindA}, worker, busiest, base, base.Add(time.Minute))
		if want == "" {
			wantCode(t, err, catalog.NotFound)
			return
		}
		noError(t, err)
		wantEqual(t, "claimed", job.Key, want)
	}
	take(1, "ann 1")
	take(1, "bob 1") // though ann's wait longer
	take(1, "ann 2")
	take(1, "") // two of ann's run
	put(2, "bob 2")
	take(1, "bob 2")
	take(2, "ann 3")
}

func testReclaimJobs(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	putJob(t, s, kindA, "1", "")
	job := must(claimJob(s, t, base, kindA))(t)
	kinds := []catalog.JobKind{kindA}
	noError(t, s.ReclaimJobs(ctx, kinds, worker, base.Add(time.Minute)))
	_, err := claimJob(s, t, base, kindA)
	wantCode(t, err, catalog.NotFound)
	noError(t, s.ReclaimJobs(ctx, []catalog.JobKind{kindB}, worker, base.Add(time.Hour)))
	_, err = claimJob(s, t, base, kindA)
	wantCode(t, err, catalog.NotFound)
	noError(t, s.ReclaimJobs(ctx, kinds, worker, base.Add(time.Minute+time.Second)))
	must(claimJob(s, t, base, kindA))(t)
	noError(t, s.ReclaimJobs(ctx, kinds, "the next process", base))
	wantCode(t, s.EndJob(ctx, job.ID, worker, catalog.JobDone, "", base), catalog.Conflict)
	job = must(claimJob(s, t, base, kindA))(t)
	wantEqual(t, "attempts", job.Attempts, 3)
	noError(t, s.RetryJob(ctx, job.ID, worker, base, "", true))
	job = must(claimJob(s, t, base, kindA))(t)
	wantEqual(t, "attempts with a refund", job.Attempts, 3)
	noError(t, s.RetryJob(ctx, job.ID, worker, base.Add(catalog.LongestPause), "", true))
	noError(t, s.ReclaimJobs(ctx, kinds, worker, base))
	_, err = claimJob(s, t, base, kindA)
	wantCode(t, err, catalog.NotFound)
	noError(t, s.ReclaimJobs(ctx, kinds, worker, base.Add(-time.Second)))
	must(claimJob(s, t, base, kindA))(t)
}

func testPruneJobs(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	for _, key := range []string{"old", "new", "waiting"} {
		putJob(t, s, kindA, key, "")
	}
	noError(t, s.EndJob(ctx, must(claimJob(s, t, base, kindA))(t).ID, worker, catalog.JobDone, "", base))
	noError(t, s.EndJob(ctx, must(claimJob(s, t, base, kindA))(t).ID, worker, catalog.JobFailed, "", base.Add(time.Hour)))
	noError(t, s.PruneJobs(ctx, base.Add(time.Minute)))
	wantEqual(t, "left", names(must(s.ListJobs(ctx, kindA, 7, catalog.Page{}))(t), func(j catalog.Job) string { return j.Key }), "[waiting new]")
}

func testRepeatJob(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	put := putJob(t, s, kindA, "1", "one")
	later := base.Add(time.Hour)
	wantCode(t, s.RepeatJob(ctx, kindA, 7, put.ID, later), catalog.Conflict) // it waits
	job := must(claimJob(s, t, base, kindA))(t)
	wantCode(t, s.RepeatJob(ctx, kindA, 7, job.ID, later), catalog.Conflict) // it runs
	noError(t, s.EndJob(ctx, job.ID, worker, catalog.JobDone, "200 OK", base))
	wantCode(t, s.RepeatJob(ctx, kindA, 8, job.ID, later), catalog.NotFound)
	wantCode(t, s.RepeatJob(ctx, kindB, 7, job.ID, later), catalog.NotFound)
	noError(t, s.RepeatJob(ctx, kindA, 7, job.ID, later))
	again := must(claimJob(s, t, later, kindA))(t)
	wantEqual(t, "the job", again.Key+" "+string(again.Payload), "1 one")
	wantEqual(t, "attempts", again.Attempts, 1)
}
