package objects

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// packBuilder makes packs by hand, the bad ones too.
type packBuilder struct {
	body  bytes.Buffer
	count uint32
	z     *zlib.Writer
}

func (b *packBuilder) raw(typ plumbing.ObjectType, size int, base []byte, data []byte) {
	head := []byte{byte(typ)<<4 | byte(size&15)}
	for n := size >> 4; n > 0; n >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(n&0x7f))
	}
	b.body.Write(head)
	b.body.Write(base)
	if b.z == nil {
		b.z = zlib.NewWriter(&b.body)
	}
	b.z.Reset(&b.body)
	_, _ = b.z.Write(data)
	_ = b.z.Close()
	b.count++
}

func (b *packBuilder) add(typ plumbing.ObjectType, data string) plumbing.Hash {
	b.raw(typ, len(data), nil, []byte(data))
	return plumbing.ComputeHash(typ, []byte(data))
}

func (b *packBuilder) pack() []byte {
	p := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), b.count)
	p = append(p, b.body.Bytes()...)
	sum := sha1.Sum(p)
	return append(p, sum[:]...)
}

func treeEntry(mode, name string, h plumbing.Hash) string {
	return mode + " " + name + "\x00" + string(h[:])
}

func commitOf(tree plumbing.Hash, parents ...plumbing.Hash) string {
	text := "tree " + tree.String() + "\n"
	for _, p := range parents {
		text += "parent " + p.String() + "\n"
	}
	return text + "author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000001 +0000\n\nx\n"
}

// receive takes a pack in over an empty store.
func receive(t testing.TB, pack []byte, limits Limits, shallow ...plumbing.Hash) (*Incoming, error) {
	t.Helper()
	return receiveWithin(t, NewBudget(), pack, limits, shallow...)
}

func receiveWithin(t testing.TB, budget *Budget, pack []byte, limits Limits, shallow ...plumbing.Hash) (*Incoming, error) {
	t.Helper()
	in, err := Receive(bytes.NewReader(pack), t.TempDir(), limits, shallow)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = in.Close() })
	store, err := NewPacks(budget).OpenStore(Files(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return in, in.Resolve(context.Background(), store)
}

// noObjects is an empty store.
func noObjects(budget *Budget) *Store { return &Store{storage: Files(""), shared: NewPacks(budget)} }

func TestHostilePacks(t *testing.T) {
	missing := plumbing.NewHash(strings.Repeat("1", 40))
	for name, test := range map[string]struct {
		build func(b *packBuilder)
		want  string
	}{
		"good": {func(b *packBuilder) {
			blob := b.add(plumbing.BlobObject, "hello")
			tree := b.add(plumbing.TreeObject, treeEntry("100644", "a", blob))
			b.add(plumbing.CommitObject, commitOf(b.add(plumbing.TreeObject, treeEntry("40000", "d", tree))))
		}, ""},
		"missing blob": {func(b *packBuilder) { b.add(plumbing.TreeObject, treeEntry("100644", "a", missing)) }, "missing blob"},
		"missing tree": {func(b *packBuilder) { b.add(plumbing.CommitObject, commitOf(missing)) }, "missing tree"},
		"missing parent": {func(b *packBuilder) {
			b.add(plumbing.CommitObject, commitOf(b.add(plumbing.TreeObject, ""), missing))
		}, "missing commit"},
		"wrong type": {func(b *packBuilder) {
			b.add(plumbing.CommitObject, commitOf(b.add(plumbing.BlobObject, "no tree")))
		}, "is a blob, not a tree"},
		".git":   {hostileName(".git"), "equivalent to .git"},
		".GiT":   {hostileName(".GiT"), "equivalent to .git"},
		".git. ": {hostileName(".git. "), "equivalent to .git"},
		"git~1":  {hostileName("GIT~1"), "equivalent to .git"},
		"..":     {hostileName(".."), `named ".."`},
		"dot":    {hostileName("."), `named "."`},
		"empty":  {hostileName(""), `named ""`},
		"slash":  {hostileName("a/b"), "contains a slash"},
		"bad mode": {func(b *packBuilder) {
			b.add(plumbing.TreeObject, treeEntry("60644", "a", b.add(plumbing.BlobObject, "")))
		}, "mode"},
		"twice": {func(b *packBuilder) {
			h := b.add(plumbing.BlobObject, "")
			b.add(plumbing.TreeObject, treeEntry("100644", "a", h)+treeEntry("100644", "a", h))
		}, "duplicates"},
		"file and directory": {func(b *packBuilder) {
			h, d := b.add(plumbing.BlobObject, ""), b.add(plumbing.TreeObject, "")
			b.add(plumbing.TreeObject, treeEntry("100644", "a", h)+treeEntry("100644", "a.b", h)+treeEntry("40000", "a", d))
		}, `two entries "a"`},
		"order": {func(b *packBuilder) {
			h := b.add(plumbing.BlobObject, "")
			b.add(plumbing.TreeObject, treeEntry("100644", "b", h)+treeEntry("100644", "a", h))
		}, "out of order"},
		"zero":       {func(b *packBuilder) { b.add(plumbing.TreeObject, treeEntry("100644", "a", plumbing.ZeroHash)) }, "names no object"},
		"bad commit": {func(b *packBuilder) { b.add(plumbing.CommitObject, "no commit") }, "names no tree"},
		"bad tag":    {func(b *packBuilder) { b.add(plumbing.TagObject, "no tag") }, "names no object"},
		"no base":    {func(b *packBuilder) { b.raw(plumbing.REFDeltaObject, 4, missing[:], []byte("\x01\x01\x01x")) }, "no base"},
		"bad delta": {func(b *packBuilder) {
			h := b.add(plumbing.BlobObject, "x")
			b.raw(plumbing.REFDeltaObject, 4, h[:], []byte("\x09\x01\x01x"))
		}, "base of 9 bytes"},
		"short delta": {func(b *packBuilder) {
			h := b.add(plumbing.BlobObject, "")
			b.raw(plumbing.REFDeltaObject, 2, h[:], []byte("\x00\x00"))
		}, "a delta of 2 bytes"},
		"an object twice": {func(b *packBuilder) {
			b.add(plumbing.BlobObject, "x")
			b.add(plumbing.BlobObject, "x")
		}, "is in the pack twice"},
		"an object and a delta that makes it": {func(b *packBuilder) {
			x, y := plumbing.ComputeHash(plumbing.BlobObject, []byte("hello")), plumbing.ComputeHash(plumbing.BlobObject, []byte("hello!"))
			b.raw(plumbing.REFDeltaObject, 4, y[:], []byte("\x06\x05\x90\x05"))
			b.raw(plumbing.REFDeltaObject, 6, x[:], []byte("\x05\x06\x90\x05\x01!"))
			b.add(plumbing.BlobObject, "hello")
		}, "is in the pack twice"},
		"short":       {func(b *packBuilder) { b.raw(plumbing.BlobObject, 10, nil, []byte("short")) }, "size does not match its declared size"},
		"long":        {func(b *packBuilder) { b.raw(plumbing.BlobObject, 2, nil, []byte("longer")) }, "size does not match its declared size"},
		"type 5":      {func(b *packBuilder) { b.raw(5, 1, nil, []byte("x")) }, "unknown type"},
		"outside ofs": {func(b *packBuilder) { b.raw(plumbing.OFSDeltaObject, 4, []byte{0x7f}, []byte("\x01\x01\x01x")) }, "no base"},
	} {
		t.Run(name, func(t *testing.T) {
			var b packBuilder
			test.build(&b)
			_, err := receive(t, b.pack(), Limits{})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			var missing *MissingError
			if !errors.Is(err, ErrCorrupt) && !errors.As(err, &missing) {
				t.Errorf("%v is neither ErrCorrupt nor a MissingError", err)
			}
		})
	}
}

func hostileName(name string) func(*packBuilder) {
	return func(b *packBuilder) {
		b.add(plumbing.TreeObject, treeEntry("100644", name, b.add(plumbing.BlobObject, "")))
	}
}

func TestDamagedOnTheWay(t *testing.T) {
	var b packBuilder
	b.add(plumbing.BlobObject, strings.Repeat("hello", 100))
	b.add(plumbing.BlobObject, "second")
	pack := b.pack()
	for n := range pack {
		if _, err := receive(t, pack[:n], Limits{}); err == nil {
			t.Fatalf("a pack cut off after %d of %d bytes is taken", n, len(pack))
		}
	}
	for n := range pack {
		damaged := bytes.Clone(pack)
		damaged[n] ^= 0x10
		if _, err := receive(t, damaged, Limits{}); err == nil {
			t.Fatalf("a pack with byte %d changed is taken", n)
		}
	}
}

// TestBombsAreRefused holds the object limit against small packs that inflate.
func TestBombsAreRefused(t *testing.T) {
	var limit *LimitError
	var b packBuilder
	base := b.add(plumbing.BlobObject, strings.Repeat("x", 1000))
	// Copies the base 20 times: 20,000 bytes out of some 60.
	delta := append([]byte{0xe8, 0x07, 0xa0, 0x9c, 0x01}, bytes.Repeat([]byte{0xb0, 0xe8, 0x03}, 20)...)
	b.raw(plumbing.REFDeltaObject, len(delta), base[:], delta)
	if _, err := receive(t, b.pack(), Limits{}); err != nil {
		t.Fatalf("the pack itself is good: %v", err)
	}
	if _, err := receive(t, b.pack(), Limits{ObjectBytes: 10000}); !errors.As(err, &limit) {
		t.Errorf("a delta above the limit gives %v", err)
	}
	var w packBuilder
	w.add(plumbing.BlobObject, strings.Repeat("x", 20000))
	if _, err := receive(t, w.pack(), Limits{ObjectBytes: 10000}); !errors.As(err, &limit) {
		t.Errorf("an object above the limit gives %v", err)
	}
}

func TestShallowCommitsNeedNoParents(t *testing.T) {
	var b packBuilder
	parent := plumbing.NewHash(strings.Repeat("1", 40))
	commit := b.add(plumbing.CommitObject, commitOf(b.add(plumbing.TreeObject, ""), parent))
	if _, err := receive(t, b.pack(), Limits{}); err == nil {
		t.Fatal("a commit without its parent is taken")
	}
	in, err := receive(t, b.pack(), Limits{}, commit)
	if err != nil {
		t.Fatal(err)
	}
	store, err := NewPacks(NewBudget()).OpenStore(Files(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if ends, err := in.NewShallow(store); err != nil || len(ends) != 1 || ends[0] != commit {
		t.Errorf("new shallow commits %v, %v", ends, err)
	}
}

// gitRepository makes history with deltas, packed by git itself.
func gitRepository(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@b", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	run("init", "-q")
	text := ""
	for i := range 60 {
		text += strings.Repeat(string(rune('a'+i%26)), 40+i) + "\n"
		for _, name := range []string{"one", "two", "dir/three"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(name+text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run("add", "-A")
		run("commit", "-q", "-m", "x")
	}
	run("tag", "-a", "-m", "x", "v1")
	run("repack", "-adfq", "--depth=50")
	return dir
}

// TestRoundTripAgainstGit receives git's own pack, has git check the result,
// and sends it again for git to index.
func TestRoundTripAgainstGit(t *testing.T) {
	dir := gitRepository(t)
	for _, format := range [][]string{{}, {"--delta-base-offset"}} {
		cmd := exec.Command("git", append([]string{"-C", dir, "pack-objects", "--all", "--stdout", "-q"}, format...)...)
		pack, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		in, err := receive(t, pack, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		target := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", "--bare", target).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if err := in.Install(Files(filepath.Join(target, "objects"))); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("git", "-C", target, "fsck", "--full", "--strict").CombinedOutput(); err != nil {
			t.Errorf("fsck: %v\n%s", err, out)
		}
		store, err := NewPacks(NewBudget()).OpenStore(Files(filepath.Join(target, "objects")))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		hashes := make([]plumbing.Hash, 0, in.entries.n)
		for i := range int32(in.entries.n) {
			e := in.entries.at(i)
			hashes = append(hashes, e.hash)
			typ, data, err := store.Get(e.hash)
			if err != nil || plumbing.ComputeHash(typ, data) != e.hash {
				t.Fatalf("%s reads back as %s: %v", e.hash, plumbing.ComputeHash(typ, data), err)
			}
			if htyp, size, err := store.Header(e.hash); err != nil || htyp != typ || size != int64(len(data)) {
				t.Fatalf("%s has header %s %d %v, want %s %d", e.hash, htyp, size, err, typ, len(data))
			}
		}
		for _, some := range [][]plumbing.Hash{hashes, hashes[:len(hashes)/2]} { // half: bases are missing
			index := exec.Command("git", "index-pack", "--stdin")
			index.Dir = t.TempDir()
			if out, err := exec.Command("git", "init", "-q", "--bare", index.Dir).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			r, w := io.Pipe()
			index.Stdin = r
			go func() { w.CloseWithError(store.WritePack(t.Context(), w, some, PackOptions{})) }()
			if out, err := index.CombinedOutput(); err != nil {
				t.Errorf("index-pack: %v\n%s", err, out)
			}
		}
	}
}

func TestDeepChainsStayInMemoryBounds(t *testing.T) {
	var b packBuilder
	text := strings.Repeat("0123456789", 100)
	base := b.add(plumbing.BlobObject, text)
	const depth = 4000
	for i := range depth {
		// Each copies all of its base and adds a byte.
		n := len(text) + i
		delta := []byte{byte(n&0x7f | 0x80), byte(n >> 7), byte((n+1)&0x7f | 0x80), byte((n + 1) >> 7), 0xb0, byte(n), byte(n >> 8), 1, 'x'}
		b.raw(plumbing.REFDeltaObject, len(delta), base[:], delta)
		base = plumbing.ComputeHash(plumbing.BlobObject, []byte(text+strings.Repeat("x", i+1)))
	}
	in, err := receive(t, b.pack(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if in.table.find(base) == nil {
		t.Error("the end of the chain is not what it should be")
	}
}

// bomb is a base of a mebibyte and deltas of a few bytes that each copy it whole.
func bomb(typ plumbing.ObjectType, base string, deltas int) []byte {
	var b packBuilder
	h := b.add(typ, base)
	size := binary.AppendUvarint(nil, uint64(len(base)))
	for i := range deltas {
		result := binary.AppendUvarint(nil, uint64(len(base)+4))
		insert := binary.BigEndian.AppendUint32([]byte{4}, uint32(i))
		delta := append(slices.Concat(size, result), 0xf0, byte(len(base)), byte(len(base)>>8), byte(len(base)>>16))
		b.raw(plumbing.REFDeltaObject, len(delta)+len(insert), h[:], append(delta, insert...))
	}
	return b.pack()
}

func TestBombs(t *testing.T) {
	limits := Limits{PackBytes: 64 << 10, ObjectBytes: 2 << 20}
	var limit *LimitError
	for name, pack := range map[string][]byte{
		"deltas": bomb(plumbing.BlobObject, strings.Repeat("x", 1<<20), 100),
		"blobs": func() []byte {
			var b packBuilder
			for i := range 20 {
				b.add(plumbing.BlobObject, strings.Repeat("x", 1<<20+i))
			}
			return b.pack()
		}(),
	} {
		if _, err := receive(t, pack, limits); !errors.As(err, &limit) || limit.What != "inflated" {
			t.Errorf("%s: %d bytes of pack gave %v", name, len(pack), err)
		}
	}
	var b packBuilder
	b.raw(plumbing.TreeObject, maxStructured+1, nil, []byte("nothing of that size"))
	if _, err := receive(t, b.pack(), Limits{}); !errors.As(err, &limit) || limit.What != "structured" {
		t.Errorf("a huge tree gave %v", err)
	}
}

// The client that hung up must not be worked for.
func TestResolveStops(t *testing.T) {
	in, err := Receive(bytes.NewReader(bomb(plumbing.BlobObject, strings.Repeat("x", 1<<20), 2000)), t.TempDir(), Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // read only
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := in.Resolve(ctx, noObjects(NewBudget())); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
	}
	if done := in.inflated.Load() >> 20; done > 1000 {
		t.Errorf("went on for %d objects", done)
	}
}

func FuzzReceive(f *testing.F) {
	var b packBuilder
	blob := b.add(plumbing.BlobObject, "hello")
	b.add(plumbing.CommitObject, commitOf(b.add(plumbing.TreeObject, treeEntry("100644", "a", blob))))
	b.raw(plumbing.REFDeltaObject, 8, blob[:], []byte("\x05\x06\x90\x05\x01!"))
	f.Add(b.body.Bytes(), b.count)
	f.Fuzz(func(t *testing.T, body []byte, count uint32) {
		var p packBuilder
		p.body.Write(body)
		p.count = count
		in, err := receive(t, p.pack(), Limits{PackBytes: 1 << 20, ObjectBytes: 1 << 20, Objects: 1000})
		if err != nil {
			return
		}
		dir := t.TempDir()
		if err := in.Install(Files(dir)); err != nil {
			t.Fatal(err)
		}
		store, err := NewPacks(NewBudget()).OpenStore(Files(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close() //nolint:errcheck // read only
		for i := range int32(in.entries.n) {
			h := in.entries.at(i).hash
			if typ, data, err := store.Get(h); err != nil || plumbing.ComputeHash(typ, data) != h {
				t.Errorf("%s was taken and can't be read: %v", h, err)
			}
		}
	})
}
