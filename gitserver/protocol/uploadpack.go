package protocol

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

const uploadCapabilities = "multi_ack multi_ack_detailed thin-pack side-band side-band-64k ofs-delta shallow deepen-since deepen-not deepen-relative " +
	"no-progress include-tag allow-tip-sha1-in-want allow-reachable-sha1-in-want filter object-format=sha1 " + agent

// FetchHandler is git's upload-pack over any transport, protocol versions 0 to 2.
type FetchHandler struct {
	repos     *repository.Repositories
	keepAlive time.Duration
}

// NewFetchHandler makes a handler that is silent for keepAlive at most while a client waits.
func NewFetchHandler(repos *repository.Repositories, keepAlive time.Duration) *FetchHandler {
	return &FetchHandler{repos: repos, keepAlive: keepAlive}
}

// fetchSession is one client's session.
type fetchSession struct {
	ctx       context.Context
	allowed   func(context.Context) error // asked again for each of the client's requests
	repo      *repository.Repository
	keepAlive time.Duration
	in        *packets.Reader
	w         *bufio.Writer
	raw       io.Writer // below w
	out       *pktline.Encoder
	shown     hashSet // what the client was shown, which it may want though a ref changed
}

// Version reads what a client set GIT_PROTOCOL to: "version=2:…".
func Version(environment []string) int {
	version := 0
	for _, e := range environment {
		value, ok := strings.CutPrefix(e, "GIT_PROTOCOL=")
		if !ok {
			continue
		}
		for field := range strings.SplitSeq(value, ":") {
			switch field {
			case "version=1":
				version = max(version, 1)
			case "version=2":
				version = 2
			}
		}
	}
	return version
}

// Serve answers one clone, fetch or ls-remote, until ctx ends. exists reports whether
// there is such an image when nothing was pushed yet, and with an error that nothing can be. allowed is asked again whenever the client has asked for something.
func (h *FetchHandler) Serve(ctx context.Context, ref catalog.ImageRef, exists func() (bool, error), allowed func(context.Context) error, version int, in io.Reader, out io.Writer) error {
	repo, err := h.open(ref, exists)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	w := bufio.NewWriterSize(out, 32<<10)
	s := &fetchSession{
		ctx: ctx, allowed: allowed, repo: repo, keepAlive: h.keepAlive, shown: hashSet{},
		in: packets.NewReader(answering{in, w}), w: w, raw: out, out: pktline.NewEncoder(w),
	}
	if version == 2 {
		err = s.serveV2()
	} else {
		err = s.serveV0(version)
	}
	if ctx.Err() != nil {
		err = goingDown(err)
	}
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

func goingDown(err error) error {
	return catalog.Wrap(catalog.Unavailable, err, "the server is shutting down; fetch again in a moment")
}

// open returns an image's repository, which is an empty one before the first push.
// Errors: NotFound.
func (h *FetchHandler) open(ref catalog.ImageRef, exists func() (bool, error)) (*repository.Repository, error) {
	repo, err := h.repos.Open(ref)
	if catalog.CodeOf(err) != catalog.NotFound {
		return repo, err
	}
	if there, elsewhere := exists(); elsewhere != nil || !there {
		return nil, cmp.Or(elsewhere, err)
	}
	return h.repos.OpenEmpty(ref)
}

// serveV0 speaks version 0, and 1, which differs in its first line.
func (s *fetchSession) serveV0(version int) error {
	if version == 1 {
		if err := s.out.EncodeString("version 1\n"); err != nil {
			return err
		}
	}
	if err := s.advertise(); err != nil {
		return err
	}
	q, err := s.readWants()
	if err != nil || q.wants.Len() == 0 {
		return err
	}
	f, err := s.begin(q)
	if err != nil {
		return err
	}
	deepens, err := f.shallowUpdate()
	if err != nil {
		return err
	}
	if deepens {
		if err := s.out.Flush(); err != nil {
			return err
		}
	}
	if err := f.negotiate(); err != nil {
		return err
	}
	return f.send()
}

func (s *fetchSession) advertise() error {
	shallow, err := s.repo.Shallow()
	if err != nil {
		return err
	}
	snapshot, err := s.repo.Refs.Open()
	if err != nil {
		return err
	}
	defer objects.Discard(snapshot)
	branch, commit, err := s.repo.Head(snapshot)
	if err != nil {
		return err
	}
	capabilities := uploadCapabilities
	if branch != "" && !commit.IsZero() {
		capabilities += " symref=HEAD:" + branch
	}
	ad := newAdvertisement(s.w, capabilities)
	if !commit.IsZero() {
		s.shown[commit] = true
		err = ad.ref(commit, "HEAD", "")
	}
	if err == nil {
		err = s.each(snapshot, anyRef, func(o offered) error {
			err := ad.ref(o.object, o.name, "")
			if err == nil && o.peeled != o.object {
				err = ad.ref(o.peeled, o.name, "^{}")
			}
			return err
		})
	}
	return ad.end(shallow, err)
}

// readWants reads what the client wants and where its history ends.
func (s *fetchSession) readWants() (*fetchRequest, error) {
	q := newFetchRequest()
	for first := true; ; first = false {
		line, kind, err := s.in.Next()
		if errors.Is(err, io.EOF) && first {
			return q, nil // ls-remote may just hang up
		}
		if err != nil || kind != packets.Line {
			return q, err
		}
		want, isWant := bytes.CutPrefix(line, []byte("want "))
		if isWant && first {
			want, capabilities, _ := bytes.Cut(want, []byte(" "))
			q.can = parseCapabilities(string(capabilities))
			line = append([]byte("want "), want...)
		}
		if err := q.argument(line); err != nil {
			return q, err
		}
	}
}

// negotiate finds commits that both sides have.
func (f *fetch) negotiate() error {
	multi, detailed := f.request.asked("multi_ack"), f.request.asked("multi_ack_detailed")
	var last plumbing.Hash
	common, other := false, false // in this round
	ack := func(how string) error { return f.session.out.Encodef("ACK %s%s\n", last, how) }
	ready := func(h plumbing.Hash) error {
		enough, err := f.enough()
		switch {
		case err != nil || !enough:
			return err
		case detailed:
			return f.session.out.Encodef("ACK %s ready\n", h)
		}
		return f.session.out.Encodef("ACK %s continue\n", h)
	}
	for {
		line, kind, err := f.session.in.Next()
		if err != nil {
			return err
		}
		if kind != packets.Line {
			if detailed && common && !other {
				err = ready(last)
			}
			if err == nil && (len(f.haves) == 0 || multi || detailed) {
				err = f.session.out.EncodeString("NAK\n")
			}
			common, other = false, false
		} else if string(line) == "done" {
			switch {
			case len(f.haves) == 0:
				return f.session.out.EncodeString("NAK\n")
			case multi || detailed:
				return ack("")
			}
			return nil
		} else {
			h, ok := objects.ParseHash(bytes.TrimPrefix(line, []byte("have ")))
			if !ok {
				return badLine(line)
			}
			mine, hasErr := f.have(h)
			switch err = hasErr; {
			case err != nil:
			case !mine:
				if other = true; multi || detailed {
					err = ready(h)
				}
			default:
				common, last = true, h
				switch {
				case detailed:
					err = ack(" common")
				case multi:
					err = ack(" continue")
				case len(f.haves) == 1:
					err = ack("")
				}
			}
		}
		if err != nil {
			return err
		}
	}
}

// answering flushes what was written before it waits for more.
type answering struct {
	io.Reader
	w *bufio.Writer
}

func (a answering) Read(b []byte) (int, error) {
	if err := a.w.Flush(); err != nil {
		return 0, err
	}
	return a.Reader.Read(b)
}
