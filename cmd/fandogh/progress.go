package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// plainProgress is how often the upload is mentioned where no bar can be drawn,
// so that the user does not take it for stuck.
const plainProgress = 10 * time.Second

// uploadProgress counts the bytes that are written to it. done ends the show.
func (a *app) uploadProgress(total int64) (counter io.Writer, done func()) {
	if !isTerminal(a.err) {
		p := &plainCounter{app: a, total: total, start: time.Now()}
		p.shown = p.start
		return p, p.done
	}
	bar := progressbar.NewOptions64(max(total, 1),
		progressbar.OptionSetWriter(a.err),
		progressbar.OptionSetDescription(a.Text("sending")),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(),
		progressbar.OptionOnCompletion(func() { a.say("") }),
	)
	return barCounter{bar}, func() { _ = bar.Exit() }
}

// barCounter moves a bar. A bar that can't be drawn, or is full because files
// grew since they were listed, stops nothing.
type barCounter struct{ bar *progressbar.ProgressBar }

func (c barCounter) Write(b []byte) (int, error) {
	_ = c.bar.Add(len(b))
	return len(b), nil
}

// plainCounter says in lines how far the upload is.
type plainCounter struct {
	app          *app
	sent, total  int64
	start, shown time.Time
}

func (p *plainCounter) Write(b []byte) (int, error) {
	p.sent += int64(len(b))
	if now := time.Now(); now.Sub(p.shown) >= plainProgress {
		p.shown = now
		p.app.say("sent %s of %s, %s/s", p.app.bytes(p.sent), p.app.bytes(p.total), p.rate())
	}
	return len(b), nil
}

func (p *plainCounter) done() {
	p.app.say("sent %s in %s, %s/s", p.app.bytes(p.sent), p.app.duration(time.Since(p.start)), p.rate())
}

func (p *plainCounter) rate() string {
	return p.app.bytes(int64(float64(p.sent) / max(time.Since(p.start).Seconds(), 1e-3)))
}
