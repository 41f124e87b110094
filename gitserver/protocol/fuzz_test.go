package protocol

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"

	"github.com/fandoghpaas/fandogh/gitserver/packets"
)

// FuzzSideBand has another implementation of git take the bands apart again.
func FuzzSideBand(f *testing.F) {
	f.Add([]byte("data"), []byte("words\n"), true)
	f.Add(bytes.Repeat([]byte("x"), 70_000), []byte{}, false)
	f.Fuzz(func(t *testing.T, data, words []byte, long bool) {
		if len(data)+len(words) > 1<<20 {
			return
		}
		capability, kind := "side-band", sideband.Sideband
		if long {
			capability, kind = "side-band-64k", sideband.Sideband64k
		}
		var stream bytes.Buffer
		b := newSideband(&stream, map[string]string{capability: ""})
		for _, half := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
			if n, err := b.Write(half); n != len(half) || err != nil {
				t.Fatal(n, err)
			}
			_, _ = progress{b}.Write(words)
		}
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
		var shown bytes.Buffer
		demuxer := sideband.NewDemuxer(kind, &stream)
		demuxer.Progress = &shown
		got, err := io.ReadAll(demuxer)
		if err != nil || !bytes.Equal(got, data) || !bytes.Equal(shown.Bytes(), append(bytes.Clone(words), words...)) {
			t.Errorf("%d bytes and %q came of %d and twice %q: %v", len(got), shown.Bytes(), len(data), words, err)
		}
	})
}

// FuzzPushCert holds that what a client signed is what is verified, to the byte.
func FuzzPushCert(f *testing.F) {
	zero, one := strings.Repeat("0", 40), strings.Repeat("1", 40)
	f.Add("certificate version 0.1\npusher k\nnonce abc\npush-option x\n\n"+zero+" "+one+" refs/heads/main\n", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
	f.Add("nonce a\nnonce b\n\n", "-----BEGIN PGP SIGNATURE-----\n\nx\n")
	f.Fuzz(func(t *testing.T, text, signature string) {
		if !strings.HasSuffix(text, "\n") || !strings.HasSuffix(signature, "\n") {
			return
		}
		var stream bytes.Buffer
		out := pktline.NewEncoder(&stream)
		lines := slices.Concat([]string{"push-cert\x00push-options\n"}, slices.Collect(strings.Lines(text)), slices.Collect(strings.Lines(signature)), []string{"push-cert-end\n"})
		for _, line := range lines {
			if len(line) > pktline.MaxPayloadSize || out.EncodeString(line) != nil {
				return
			}
		}
		stream.WriteString("00000000")
		req, err := readPushRequest(packets.NewReader(&stream))
		if err != nil || req == nil || req.cert == nil {
			return
		}
		// A line "push-cert-end" of its own ends the certificate before.
		left, ok := strings.CutPrefix(text+signature, string(req.cert.text)+string(req.cert.signature))
		if !ok || left != "" && !strings.HasPrefix(left, "push-cert-end") {
			t.Fatalf("%q and %q were read of %q and %q", req.cert.text, req.cert.signature, text, signature)
		}
		if bytes.Contains(append([]byte("\n"), req.cert.text...), []byte("\n-----BEGIN ")) {
			t.Errorf("a signature was taken for what it signs: %q", req.cert.text)
		}
		for _, c := range req.commands {
			command := c.change.Old.String() + " " + c.change.New.String() + " " + c.change.Name
			if !strings.Contains(strings.ToLower(string(req.cert.text)), strings.ToLower(command)) {
				t.Errorf("the command %q is not signed in %q", command, req.cert.text)
			}
		}
		if req.cert.nonce != "" && !bytes.Contains(req.cert.text, []byte("nonce "+req.cert.nonce)) {
			t.Errorf("the nonce %q is not signed in %q", req.cert.nonce, req.cert.text)
		}
	})
}

// FuzzFetchRequest holds that a request of protocol version 2, written again from what was read
// of it, is the same, and that nothing was made up.
func FuzzFetchRequest(f *testing.F) {
	one := strings.Repeat("1", 40)
	f.Add([]byte("0011command=fetch0001" + "0032want " + one + "\n" + "0032have " + one + "\n" + "000ddeepen 3\n" + "0009done\n0000"))
	f.Add([]byte("0011command=fetch0001" + "0016filter blob:none\n" + "001bdeepen-since 1700000000" + "0000"))
	f.Add([]byte("0012command=ls-refs0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &fetchSession{in: packets.NewReader(bytes.NewReader(data))}
		name, read, err := s.readCommand()
		if err != nil || name == "" {
			return
		}
		q, lines := newFetchRequest(), 0
		if read(func(line []byte) error { lines++; return q.argument(line) }) != nil {
			return
		}
		if n := q.wants.Len() + q.haves.Len() + q.shallow.Len() + len(q.without); n > lines {
			t.Errorf("%d lines became %d objects and refs", lines, n)
		}
		again := newFetchRequest()
		for _, line := range q.lines() {
			if err := again.argument([]byte(line)); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		if got, want := again.lines(), q.lines(); !slices.Equal(got, want) {
			t.Errorf("%q, and again %q", want, got)
		}
		if again.filter != q.filter && q.filter.maxBlob>>10 < 1<<31 {
			t.Errorf("the filter %v, and again %v", q.filter, again.filter)
		}
	})
}

// lines are those that ask for what q does.
func (r *fetchRequest) lines() (lines []string) {
	for word, set := range map[string][]plumbing.Hash{"want": r.wants.All(), "have": r.haves.All(), "shallow": r.shallow.All()} {
		for _, h := range set {
			lines = append(lines, word+" "+h.String())
		}
	}
	if r.depth > 0 {
		lines = append(lines, fmt.Sprint("deepen ", r.depth))
	}
	if r.since > 0 {
		lines = append(lines, fmt.Sprint("deepen-since ", r.since))
	}
	for _, ref := range r.without {
		lines = append(lines, "deepen-not "+ref)
	}
	if r.filter.active() {
		var parts []string
		if r.filter.maxBlob < unfiltered {
			parts = append(parts, fmt.Sprintf("blob:limit=%d", r.filter.maxBlob))
		}
		if r.filter.maxDepth < unfiltered {
			parts = append(parts, fmt.Sprintf("tree:%d", r.filter.maxDepth))
		}
		lines = append(lines, "filter combine:"+strings.Join(parts, "+"))
	}
	slices.Sort(lines)
	return lines
}

// FuzzObjectFilter holds that git knows each filter that is taken, and that adding one only
// narrows what is sent.
func FuzzObjectFilter(f *testing.F) {
	for _, spec := range []string{"blob:none", "blob:limit=1k", "tree:0", "combine:blob:none+tree:3", "combine:tree%3A1+blob:limit=2g", "combine:combine:tree:1", "blob:limit=K", "combine:", "tree:+1"} {
		f.Add(spec)
	}
	dir := f.TempDir()
	for _, args := range [][]string{{"init", "-q", dir}, {"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			f.Fatalf("%v %s", err, out)
		}
	}
	f.Fuzz(func(t *testing.T, spec string) {
		filter := noFilter
		if filter.add(spec) != nil {
			return
		}
		twice := filter
		if err := twice.add(spec); err != nil || twice != filter {
			t.Errorf("%q makes %v, and twice %v, %v", spec, filter, twice, err)
		}
		if filter.maxBlob > noFilter.maxBlob || filter.maxDepth > noFilter.maxDepth || filter.maxBlob < 0 || filter.maxDepth < 0 {
			t.Errorf("%q makes %v", spec, filter)
		}
		if strings.ContainsRune(spec, 0) {
			return
		}
		if out, err := exec.Command("git", "-C", dir, "rev-list", "--objects", "--filter="+spec, "HEAD").CombinedOutput(); err != nil {
			t.Errorf("git refuses the filter %q: %v %s", spec, err, out)
		}
	})
}
