package conformance

import "strings"

// project is the context of cases that do not care.
var project = files{
	"a.txt":           text("a\n"),
	"b.txt":           text("b\n"),
	"run.sh":          script("echo ran\n"),
	"empty":           text(""),
	"src/main.c":      text("int main;\n"),
	"src/lib/util.c":  text("int util;\n"),
	"src/lib/util.h":  text("extern int util;\n"),
	"src/build.sh":    script("echo built\n"),
	"src/to-file":     linkTo("main.c"),
	"src/to-dir":      linkTo("lib"),
	"src/dangling":    linkTo("nowhere"),
	"src/absolute":    linkTo("/etc/passwd"),
	"src/outside":     linkTo("../../outside"),
	"docs/readme.md":  text("# read\n"),
	"docs/a b.md":     text("spaces\n"),
	"docs/deep/x.md":  text("x\n"),
	"docs/deep/y.txt": text("y\n"),
}

func times(n int, s string) string { return strings.Repeat(s, n) }
