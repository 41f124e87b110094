package conformance

import "strings"

// oddNames are files whose names are hard for programs.
func oddNames() files {
	f := files{}
	for _, name := range []string{
		"a b", " lead", "trail ", "[brackets]", "[!a]", "!bang", "#hash", "back\\slash", "tab\there", "new\nline", "bell\x07", "del\x7f", "esc\x1b[31m",
		"-dash", "--chown=1", "*", "a*b", "a?b", "{a,b}", "$HOME", "${X}", "`id`", "quote'", "dquote\"", "per%cent", "co:lon", "semi;", "amp&", "tilde~", "~",
		"caf\u00e9", "cafe\u0301", "فندق", "\U0001f4a9", "zero\u200bwidth", "rtl\u202etxt", "Case", "case", "CASE", "...", "..a", "a..", ".hidden", "CON", "nul.txt",
		strings.Repeat("n", 255), strings.Repeat("é", 127), "a-b", "a.b", "a/b", "a0", "wh", ".wh", "=", "a=b", ",", "|", "<", ">", "^", "(p)", "+",
	} {
		f["odd/"+name] = text("content of " + name + "\n")
	}
	for _, name := range []string{"dir with space", "[dir]", "*dir", "\\dir", "ünï", "Dir", "dir", "-d", "new\nline-dir"} {
		f["odd/dirs/"+name+"/file"] = text(name)
	}
	f["odd/deep/"+strings.Repeat("d/", 120)+"f"] = text("deep\n")
	f["odd/long/"+strings.Repeat(strings.Repeat("l", 250)+"/", 8)+"f"] = text("long\n")
	return f
}

// latin are names that are not UTF-8.
func latin() files {
	return files{
		"odd/caf\xe9.txt": text("latin\n"), "odd/\xff\xfe": text("bytes\n"), "odd/d\xe9/f": text("in a directory\n"), "odd/link": linkTo("caf\xe9.txt"), "a.txt": text("a\n"),
	}
}

// names are cases of odd names in the context.
func names() []example {
	odd := oddNames()
	return []example{
		{name: "all odd names", dockerfile: "FROM scratch\nCOPY . /x/\n", files: odd, large: "odd", sample: true},
		{name: "all odd names, seen by a step", dockerfile: "FROM @base\nCOPY odd /x\n" + listing, files: odd, large: "odd"},
		{name: "odd names one by one", dockerfile: "FROM scratch\nCOPY [\"odd/a b\", \"odd/-dash\", \"odd/a*b\", \"odd/#hash\", \"odd/semi;\", \"/x/\"]\nCOPY odd/caf\u00e9 odd/فندق odd/... /y/\nCOPY odd/[*] /z/\n", files: odd},
		{name: "name with brackets", dockerfile: "FROM scratch\nCOPY [\"odd/[[]brackets]\", \"/x/\"]\n", files: odd},
		{name: "name with an exclamation mark", dockerfile: "FROM scratch\nCOPY odd/!bang /x/\n", files: odd},
		{name: "name with a backslash", dockerfile: "FROM scratch\nCOPY odd/back* /x/\n", files: odd},
		{name: "odd names by wildcard", dockerfile: "FROM scratch\nCOPY odd/a* odd/*\u00e9 odd/.* odd/-* /x/\n", files: odd},
		{name: "odd directories", dockerfile: "FROM scratch\nCOPY odd/dirs /x\nCOPY [\"odd/dirs/dir with space\", \"/y y/\"]\nCOPY odd/dirs/*/file /z/\n", files: odd, large: "odd/dirs"},
		{name: "odd names excluded", dockerfile: "FROM scratch\nCOPY . /x/\n", files: odd.with(files{".dockerignore": text("odd/a*\nodd/[[]*\nodd/\\!bang\n!odd/a b\nodd/Case\nodd/caf\u00e9\nodd/dirs/\\*dir\n")}), large: "odd"},
		{name: "destination with odd names", dockerfile: "FROM scratch\nCOPY [\"a.txt\", \"/x [y]/*\\\\z/\"]\nCOPY [\"src\", \"/with space/\\\\$HOME\"]\nWORKDIR /ü/\u202e\nCOPY b.txt .\n", large: "src"},
		{name: "names that are not utf-8", dockerfile: "FROM scratch\nCOPY . /x/\n", files: latin(), large: "odd"},
		{name: "names that are not utf-8, ignored", dockerfile: "FROM scratch\nCOPY . /x/\n", files: latin().with(files{".dockerignore": text("odd\n")})},
		{name: "names that are not utf-8, not copied", dockerfile: "FROM scratch\nCOPY a.txt /x/\n", files: latin()},
		{name: "link target that is not utf-8", dockerfile: "FROM scratch\nCOPY . /x/\n", files: files{"a.txt": text("a"), "l": linkTo("caf\xe9")}},
		{name: "whiteout names", dockerfile: "FROM scratch\nCOPY . /x/\n", files: files{"d/.wh.a": text("x"), "d/a": text("a"), "a.txt": text("a")}},
		{name: "longest link target", dockerfile: "FROM scratch\nCOPY . /x/\n", files: files{"a.txt": text("a"), "l": linkTo(strings.Repeat("../", 1300) + "x")}},
		{name: "git files", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".gitignore": text("*.o\n"), ".gitattributes": text("*.txt text eol=lf\n"), "sub/.gitkeep": text("")})},
		{name: "large single file", dockerfile: "FROM scratch\nCOPY . /x/\n", files: files{"a.txt": text("a"), "big": text(strings.Repeat("0123456789abcdef", 1_200_000)), "small": text("s")}},
		{name: "one wide directory", dockerfile: "FROM @base\nCOPY src /x\nRUN ls /x/bulk | wc -l >/n\n", files: project.with(wide("src"))},
		{name: "only links, many", dockerfile: "FROM scratch\nCOPY . /x/\n", files: manyLinks()},
		{name: "only empty files, many", dockerfile: "FROM @base\nCOPY . /x/\nRUN find /x -links +1 -type f | wc -l >/n\n", files: manyEmpty()},
	}
}
