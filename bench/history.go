package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// history is a repository whose whole past is pushed at once, as a pack.
type history struct {
	dir     string // bare repository
	pack    string // file with everything that main reaches
	head    string
	objects int
	bytes   int64
}

// histories are the numbers of commits that make 135 thousand objects in 85 MB,
// which is BuildKit's own history, a tenth of that, and some 470 thousand in 300 MB.
var histories = []int{13_900, 1_390, 48_500}

// What a synthetic history is made of. It is always the same for the same number of
// commits: each edits the files of one folder, three deep, and sometimes adds one, or
// a picture. Numbers and sizes of commits, trees and files, whole and packed, are
// near those of BuildKit's history: what receiving takes depends on all of them.
const (
	inFolder    = 8
	editedFiles = 4      // in one folder
	textSize    = 60_000 // up to so many bytes, a third of it on average
	pictureSize = 68_000 // up to so many bytes, half of it on average
)

// eachHistory measures with the history that was asked for, else with those of histories: all of them at scale, and
// otherwise the first.
func (b *bench) eachHistory(ctx context.Context, measured func(context.Context, func() (*history, error)) ([]measure, error)) ([]measure, error) {
	if b.history != "" {
		return measured(ctx, func() (*history, error) { return b.openHistory(ctx, b.history) })
	}
	var all []measure
	for i, commits := range histories {
		if i > 0 && !b.scale {
			break
		}
		measures, err := measured(ctx, func() (*history, error) { return b.newHistory(ctx, commits) })
		all = append(all, measures...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (b *bench) newHistory(ctx context.Context, commits int) (*history, error) {
	h := &history{dir: b.path("history")}
	if _, err := programs.Command(ctx, "", nil, "git", "init", "-q", "--bare", "-b", "main", h.dir); err != nil {
		return nil, err
	}
	if err := h.importCommits(ctx, func(out *bufio.Writer) { writeHistory(ctx, out, commits) }); err != nil {
		return nil, err
	}
	if _, err := programs.Command(ctx, h.dir, nil, "git", "repack", "-adFq", "--window=5", "--depth=50"); err != nil {
		return nil, err
	}
	return h, h.measure(ctx)
}

// openHistory takes what the branches and tags of an existing repository reach,
// below a commit that can be built: its Dockerfile needs nothing from elsewhere,
// and submodules are left out. The repository itself is only read.
func (b *bench) openHistory(ctx context.Context, from string) (*history, error) {
	h := &history{dir: b.path("history")}
	if _, err := programs.Command(ctx, "", nil, "git", "clone", "-q", "--bare", "--shared", from, h.dir); err != nil {
		return nil, err
	}
	tips, err := programs.Command(ctx, h.dir, nil, "sh", "-c", "git rev-parse HEAD && git rev-list --no-walk --all ^HEAD")
	if err != nil {
		return nil, err
	}
	submodules, err := programs.Command(ctx, h.dir, nil, "sh", "-c", `git ls-tree -r HEAD | sed -n 's/^160000 [^\t]*\t//p'`)
	if err != nil {
		return nil, err
	}
	err = h.importCommits(ctx, func(out *bufio.Writer) {
		writeCommit(out, time.Now().Unix(), "build me\n")
		link := "from"
		for _, tip := range strings.Fields(tips) {
			_, _ = fmt.Fprintf(out, "%s %s\n", link, tip)
			link = "merge"
		}
		for path := range strings.Lines(submodules) {
			_, _ = fmt.Fprintf(out, "D %s\n", strings.TrimSpace(path))
		}
		writeFile(out, "Dockerfile", copyAll)
		_, _ = out.WriteString("done\n")
	})
	if err != nil {
		return nil, err
	}
	return h, h.measure(ctx)
}

// importCommits makes main of a stream for git fast-import.
func (h *history) importCommits(ctx context.Context, write func(*bufio.Writer)) error {
	// In haste: all of it is packed once more.
	cmd := exec.CommandContext(ctx, "git", "-c", "core.compression=0", "-c", "pack.compression=0", "fast-import", "--quiet", "--force", "--depth=0")
	cmd.Dir, cmd.Stderr = h.dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	out := bufio.NewWriterSize(in, 1<<20)
	write(out) // the writer keeps its errors
	if err := out.Flush(); err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	return cmd.Wait()
}

// writeHistory writes a stream for git fast-import.
func writeHistory(ctx context.Context, out *bufio.Writer, commits int) {
	random, pixels := rand.New(rand.NewPCG(3, 4)), rand.NewChaCha8([32]byte{5})
	var files []string // contents
	change := func(i int) {
		folder := i / inFolder
		writeFile(out, fmt.Sprintf("src/%02x/%02x/f%d.txt", folder%16, folder/16, i), files[i])
	}
	for c := range commits {
		if ctx.Err() != nil {
			return
		}
		writeCommit(out, 1_600_000_000+int64(c)*60, prose(uint64(c), 200+random.IntN(1000)))
		if c == 0 {
			writeFile(out, "Dockerfile", copyAll)
		}
		if len(files) >= inFolder {
			first := random.IntN(len(files)/inFolder) * inFolder
			for i := first; i < first+editedFiles; i++ {
				files[i] = edit(files[i], random)
				change(i)
			}
		}
		switch x := random.Float64(); {
		case c%16 == 8:
			noise := make([]byte, 1000+int(x*pictureSize))
			_, _ = pixels.Read(noise)
			writeFile(out, fmt.Sprintf("img/%02x/p%d.png", c/16%64, c), string(noise))
		case c%4 == 0:
			files = append(files, prose(uint64(c), 1000+int(x*x*textSize))) // mostly small ones
			change(len(files) - 1)
		}
	}
	_, _ = out.WriteString("done\n")
}

func writeCommit(out *bufio.Writer, unix int64, message string) {
	_, _ = fmt.Fprintf(out, "commit refs/heads/main\ncommitter Bench <bench@localhost> %d +0000\ndata %d\n%s\n", unix, len(message), message)
}

func writeFile(out *bufio.Writer, name, text string) {
	_, _ = fmt.Fprintf(out, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
}

// edit replaces a few lines somewhere.
func edit(text string, random *rand.Rand) string {
	at := strings.IndexByte(text[random.IntN(len(text)):], '\n')
	if at < 0 {
		return text + prose(random.Uint64(), 200)
	}
	end := min(len(text), at+300)
	return text[:at+1] + prose(random.Uint64(), 300) + text[end:]
}

// measure writes main's pack to a file and counts it.
func (h *history) measure(ctx context.Context) error {
	h.pack = filepath.Join(h.dir, "all.pack")
	if _, err := programs.Command(ctx, h.dir, nil, "sh", "-c", "echo main | git pack-objects --revs --stdout --delta-base-offset -q >all.pack"); err != nil {
		return err
	}
	f, err := os.Open(h.pack)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	head := make([]byte, 12)
	if _, err := io.ReadFull(f, head); err != nil {
		return err
	}
	h.objects = int(head[8])<<24 | int(head[9])<<16 | int(head[10])<<8 | int(head[11])
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.bytes = info.Size()
	h.head, err = programs.Command(ctx, h.dir, nil, "git", "rev-parse", "main")
	return err
}

func (h *history) size() string {
	return fmt.Sprintf("%dk objects, %d MB", h.objects/1000, h.bytes/1_000_000)
}
