package gitserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const uploadCapabilities = "multi_ack multi_ack_detailed side-band side-band-64k ofs-delta shallow no-progress include-tag object-format=sha1 " + agent

// uploadPack is git's upload-pack over any transport, protocol version 0.
type uploadPack struct {
	repos     *Repositories
	keepAlive time.Duration
}

// offered is an advertised ref without its name.
type offered struct {
	object plumbing.Hash
	peeled plumbing.Hash // what an annotated tag means, of others object
}

// fetch is one client's fetch.
type fetch struct {
	repo         *repository
	history      *history
	in           *pktline.Scanner
	out          *pktline.Encoder
	offers       []offered
	capabilities map[string]string
	wants        []plumbing.Hash
	shallow      []plumbing.Hash // the client's ends of history
	depth        int             // 0: all
	haves        []plumbing.Hash // what both have
}

// serve answers one fetch or ls-remote.
func (u *uploadPack) serve(ref catalog.ImageRef, in io.Reader, out io.Writer) error {
	repo, err := u.repos.open(ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	f := &fetch{repo: repo, in: pktline.NewScanner(in), out: pktline.NewEncoder(out)}
	if f.history, err = newHistory(repo); err != nil {
		return err
	}
	if err := f.advertise(out); err != nil {
		return err
	}
	if err := f.readWants(); err != nil || len(f.wants) == 0 {
		return err
	}
	ends, starts, err := f.shallowUpdate()
	if err != nil {
		return err
	}
	if err := f.negotiate(); err != nil {
		return err
	}
	hashes, err := f.lacking(ends, starts)
	if err != nil {
		return err
	}
	b := newBand(out, f.capabilities)
	defer b.keepAlive(u.keepAlive)()
	if _, quiet := f.capabilities["no-progress"]; !quiet {
		fmt.Fprintf(progress{b}, "Sending %d objects\n", len(hashes))
	}
	if err := repo.WritePack(b, hashes); err != nil {
		return err
	}
	return b.end()
}

func (f *fetch) advertise(out io.Writer) error {
	head, err := f.repo.head()
	if err != nil {
		return err
	}
	shallow, err := f.repo.shallow()
	if err != nil {
		return err
	}
	refs, err := f.repo.openRefs("refs/")
	if err != nil {
		return err
	}
	defer discard(refs)
	capabilities := uploadCapabilities
	// Stands first, though it is not the first by name.
	first, there, err := refs.find(head)
	if err != nil {
		return err
	}
	if there {
		capabilities += " symref=HEAD:" + head
	}
	ad := newAdvertisement(out, capabilities)
	if there {
		err = ad.ref(first.Hash, "HEAD", "")
	}
	if err == nil {
		err = refs.each(func(r gitRef) error { return f.offer(ad, r) })
	}
	return ad.end(shallow, err)
}

// offer advertises a ref.
func (f *fetch) offer(ad *advertisement, r gitRef) error {
	if strings.HasPrefix(r.Name, hiddenRefs) {
		return nil
	}
	o := offered{object: r.Hash, peeled: r.Hash}
	if strings.HasPrefix(r.Name, "refs/tags/") {
		if err := f.repo.peel(&r); err != nil {
			return err
		}
		o.peeled = r.Peeled
	}
	f.offers = append(f.offers, o)
	err := ad.ref(r.Hash, r.Name, "")
	if err == nil && o.peeled != o.object {
		err = ad.ref(r.Peeled, r.Name, "^{}")
	}
	return err
}

// readWants reads what the client wants and where its history ends.
func (f *fetch) readWants() error {
	var known hashSet
	for {
		packet, more, err := nextPacket(f.in)
		if errors.Is(err, io.EOF) && len(f.wants) == 0 {
			return nil // ls-remote may just hang up
		}
		if err != nil || !more {
			return err
		}
		word, rest, _ := strings.Cut(strings.TrimSuffix(string(packet), "\n"), " ")
		switch word {
		case "want":
			h, capabilities, _ := strings.Cut(rest, " ")
			if f.capabilities == nil {
				f.capabilities = parseCapabilities(capabilities)
			}
			if known == nil {
				known = f.offeredHashes()
			}
			if !plumbing.IsHash(h) || !known[plumbing.NewHash(h)] {
				return catalog.Errorf(catalog.NotFound, "not our ref %s; fetch again, the refs may have changed", h)
			}
			f.wants = append(f.wants, plumbing.NewHash(h))
		case "shallow":
			if !plumbing.IsHash(rest) {
				return catalog.Errorf(catalog.Invalid, "the client sent a bad shallow line")
			}
			f.shallow = append(f.shallow, plumbing.NewHash(rest))
		case "deepen":
			if f.depth, err = strconv.Atoi(rest); err != nil || f.depth < 0 {
				return catalog.Errorf(catalog.Invalid, "the client sent a bad depth %q", rest)
			}
		default:
			return catalog.Errorf(catalog.Invalid, "the client asked for %q, which this server does not do", word)
		}
	}
}

// offeredHashes is made for clients that want something: most only look.
func (f *fetch) offeredHashes() hashSet {
	set := make(hashSet, len(f.offers))
	for _, o := range f.offers {
		set[o.object] = true
		set[o.peeled] = true
	}
	return set
}

// shallowUpdate tells a client with a depth where its history will end. It
// returns these ends and the commits to send from.
func (f *fetch) shallowUpdate() (ends hashSet, starts []plumbing.Hash, err error) {
	for _, h := range f.wants {
		target, err := f.repo.Peel(h)
		if err != nil {
			return nil, nil, err
		}
		if target.Type == plumbing.CommitObject {
			starts = append(starts, target.Hash)
		}
	}
	if f.depth == 0 {
		return hashSet{}, starts, nil
	}
	ends, inside, err := f.history.boundary(starts, f.depth)
	if err != nil {
		return nil, nil, err
	}
	known := setOf(f.shallow)
	for h := range ends {
		if !known[h] {
			if err := f.out.Encodef("shallow %s", h); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, h := range f.shallow {
		if !inside[h] || f.history.grafts[h] {
			continue
		}
		if err := f.out.Encodef("unshallow %s", h); err != nil {
			return nil, nil, err
		}
		c, err := f.history.commit(h)
		if err != nil {
			return nil, nil, err
		}
		starts = append(starts, c.Parents...)
	}
	return ends, starts, f.out.Flush()
}

// negotiate finds commits that both sides have.
func (f *fetch) negotiate() error {
	_, detailed := f.capabilities["multi_ack_detailed"]
	_, multi := f.capabilities["multi_ack"]
	for {
		packet, more, err := nextPacket(f.in)
		if err != nil {
			return err
		}
		if !more {
			if len(f.haves) == 0 || multi || detailed {
				if err := f.out.EncodeString("NAK\n"); err != nil {
					return err
				}
			}
			continue
		}
		line := bytes.TrimSuffix(packet, []byte("\n"))
		if string(line) == "done" {
			return f.endNegotiation(multi || detailed)
		}
		text, ok := bytes.CutPrefix(line, []byte("have "))
		if !ok || !plumbing.IsHash(string(text)) {
			return catalog.Errorf(catalog.Invalid, "the client sent %q while it should say what it has", line)
		}
		h := plumbing.NewHash(string(text))
		typ, _, err := f.repo.Header(h)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if typ == plumbing.CommitObject {
			f.haves = append(f.haves, h)
		}
		switch {
		case detailed:
			err = f.out.Encodef("ACK %s common\n", h)
		case multi:
			err = f.out.Encodef("ACK %s continue\n", h)
		case len(f.haves) == 1:
			err = f.out.Encodef("ACK %s\n", h)
		}
		if err != nil {
			return err
		}
	}
}

func (f *fetch) endNegotiation(multi bool) error {
	switch {
	case len(f.haves) == 0:
		return f.out.EncodeString("NAK\n")
	case multi:
		return f.out.Encodef("ACK %s\n", f.haves[len(f.haves)-1])
	}
	return nil
}

// lacking returns the objects the client does not have.
func (f *fetch) lacking(ends hashSet, starts []plumbing.Hash) ([]plumbing.Hash, error) {
	// Behind its own shallow commits the client has nothing.
	known, err := f.history.ancestors(f.haves, setOf(f.shallow), nil)
	if err != nil {
		return nil, err
	}
	skip := setOf(known)
	commits, err := f.history.ancestors(starts, ends, skip)
	if err != nil {
		return nil, err
	}
	edge := append([]plumbing.Hash(nil), f.haves...)
	for _, h := range commits {
		c, err := f.history.commit(h)
		if err != nil {
			return nil, err
		}
		for _, parent := range c.Parents {
			if skip[parent] {
				edge = append(edge, parent)
			}
		}
	}
	hashes, err := f.history.content(commits, edge)
	if err != nil {
		return nil, err
	}
	return f.addTags(hashes, setOf(commits))
}

// addTags adds wanted objects that are no commits, and with include-tag the
// annotated tags of the commits that are sent.
func (f *fetch) addTags(hashes []plumbing.Hash, commits hashSet) ([]plumbing.Hash, error) {
	sent := setOf(hashes)
	add := func(h plumbing.Hash) error {
		for !sent[h] {
			typ, data, err := f.repo.Get(h)
			if err != nil || typ == plumbing.CommitObject {
				return err
			}
			if typ == plumbing.TreeObject {
				return f.history.tree(h, sent, 0, func(h plumbing.Hash) { hashes = append(hashes, h) })
			}
			sent[h] = true
			hashes = append(hashes, h)
			if typ != plumbing.TagObject {
				return nil
			}
			target, err := objects.ParseTag(data)
			if err != nil {
				return err
			}
			h = target.Hash
		}
		return nil
	}
	for _, h := range f.wants {
		if err := add(h); err != nil {
			return nil, err
		}
	}
	if _, ok := f.capabilities["include-tag"]; ok {
		for _, o := range f.offers {
			if o.peeled != o.object && commits[o.peeled] {
				if err := add(o.object); err != nil {
					return nil, err
				}
			}
		}
	}
	return hashes, nil
}
