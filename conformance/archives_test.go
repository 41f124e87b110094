package conformance

import (
	"archive/tar"
	"context"
	"os/exec"
	"strings"
)

// archives are files that ADD may unpack.
func archives() files {
	plain, err := archive([]tar.Header{
		dir("d", 0o750, 3, 4), file("d/f", "in the archive\n", 0o640, 3, 4), hardlink("d/h", "d/f"), symlink("d/l", "f"), file("implied/parent/f", "x", 0o600),
		attribute(file("d/x", "x", 0o4711), "user.note", "n"), {Typeflag: tar.TypeFifo, Name: "d/fifo", Mode: 0o622},
		{Typeflag: tar.TypeChar, Name: "d/dev", Mode: 0o600, Devmajor: 1, Devminor: 5}, file("ü \n", "odd name", 0o644),
	})
	if err != nil {
		panic(err) // of writing to memory
	}
	f := files{
		"plain.tar": text(string(plain)), "gz.tar.gz": text(string(compress(plain))), "noname": text(string(compress(plain))), "a.txt": text("a\n"),
		"cut.tar": text(string(plain[:1000])), "broken.tar.gz": text("\x1f\x8b\x08 no gzip"), "only.gz": text(string(compress([]byte("no archive")))),
	}
	for name, program := range map[string]string{"xz.tar.xz": "xz", "bz2.tar.bz2": "bzip2"} {
		cmd := exec.CommandContext(context.Background(), program, "-c")
		cmd.Stdin = strings.NewReader(string(plain))
		out, err := cmd.Output()
		if err != nil {
			panic(err) // `make test` installs the program
		}
		f[name] = text(string(out))
	}
	return f
}
