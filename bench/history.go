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
)

// history is a repository of synthetic commits, always the same for the same
// number of them: each commit edits files in folders three deep and sometimes
// adds one, so that it makes about seven objects.
type history struct {
	dir     string // bare repository
	pack    string // file with everything that main reaches
	head    string
	objects int
	bytes   int64
}

const editedFiles = 3

func (b *bench) newHistory(ctx context.Context, commits int) (*history, error) {
	h := &history{dir: b.path("history")}
	if _, err := command(ctx, "", nil, "git", "init", "-q", "--bare", "-b", "main", h.dir); err != nil {
		return nil, err
	}
	if err := h.importCommits(ctx, commits); err != nil {
		return nil, err
	}
	if _, err := command(ctx, h.dir, nil, "git", "repack", "-adfq", "--window=10", "--depth=50"); err != nil {
		return nil, err
	}
	return h, h.measure(ctx)
}

func (h *history) importCommits(ctx context.Context, commits int) error {
	cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stderr = h.dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	out := bufio.NewWriterSize(in, 1<<20)
	writeHistory(out, commits)
	if err := out.Flush(); err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	return cmd.Wait()
}

// writeHistory writes a stream for git fast-import; the writer keeps its errors.
func writeHistory(out *bufio.Writer, commits int) {
	random := rand.New(rand.NewPCG(3, 4))
	var files []string // contents
	change := func(i int) {
		_, _ = fmt.Fprintf(out, "M 100644 inline src/%02x/%02x/f%d.txt\ndata %d\n%s\n", i%16, i/16%16, i, len(files[i]), files[i])
	}
	for c := range commits {
		_, _ = fmt.Fprintf(out, "commit refs/heads/main\ncommitter Bench <bench@localhost> %d +0000\ndata 7\nchange\n\n", 1_600_000_000+c*60)
		if c == 0 {
			_, _ = fmt.Fprintf(out, "M 100644 inline Dockerfile\ndata %d\n%s\n", len(copyAll), copyAll)
		}
		for range editedFiles - 1 {
			if len(files) > 0 {
				i := random.IntN(len(files))
				files[i] = edit(files[i], random)
				change(i)
			}
		}
		if c%4 == 0 {
			files = append(files, prose(uint64(c), 4000+random.IntN(20000)))
			change(len(files) - 1)
		}
	}
	_, _ = out.WriteString("done\n")
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
	if _, err := command(ctx, h.dir, nil, "sh", "-c", "echo main | git pack-objects --revs --stdout --delta-base-offset -q >all.pack"); err != nil {
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
	h.head, err = command(ctx, h.dir, nil, "git", "rev-parse", "main")
	return err
}

func (h *history) size() string {
	return fmt.Sprintf("%dk objects, %d MB", h.objects/1000, h.bytes/1_000_000)
}
