package conformance

// ignores are cases of ignore files.
func ignores() []example {
	ignore := func(name, patterns string) example {
		return example{name: name, dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{
			".dockerignore": text(patterns), "node_modules/m/index.js": text("m\n"), "node_modules/m/package.json": text("{}\n"), "src/lib/node_modules/n.js": text("n\n"),
			"logs/a.log": text("l\n"), "logs/deep/b.log": text("b\n"), "x.log": text("x\n"), ".env": text("e\n"), "tmp/.keep": text(""),
		}), large: "src"}
	}
	return []example{
		ignore("plain patterns", "# comment\n\nnode_modules\n*.log\n/logs/\n.env\n"),
		ignore("double star", "**/node_modules\n**/*.log\nlogs/**\n"),
		ignore("everything but", "*\n!src\n!a.txt\n"),
		ignore("everything but, deep", "**\n!src/lib/*.c\n!docs/deep\n"),
		ignore("negated and again", "src\n!src/lib\nsrc/lib/util.h\n!**/node_modules\n"),
		ignore("empty directories stay", "logs/**/*.log\ntmp/.keep\nnode_modules/*/*\n"),
		ignore("directory with a slash", "logs/\n./tmp\ndocs/deep/../deep\n//src/lib\n"),
		ignore("spaces and case", "  *.log  \n\tlogs\nNODE_MODULES\ndocs/a b.md\n"),
		ignore("classes and question marks", "[ab].txt\nsrc/lib/util.?\ndocs/[!d]*\nsr[^x]/main.c\n"),
		ignore("dockerfile and itself", "Dockerfile\n.dockerignore\n"),
		ignore("dot", ".\n"),
		ignore("dots", "..\n../x\n.*\n"),
		ignore("root", "/\n"),
		ignore("windows line ends and mark", "\ufeff*.log\r\nlogs\r\n"),
		ignore("backslash", "src\\\\main.c\n\\*.txt\ndocs/a\\ b.md\n"),
		ignore("empty", ""),
		ignore("comment in a line", "a.txt # not a comment\n#b.txt\n\\#x\n"),
		ignore("only a negation", "!src\n"),
		ignore("star slash star", "*/*.c\n*/*/*.h\n"),
		ignore("without utf-8", "caf\xe9\n*.log\n"),
		{name: "negation of nothing", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".dockerignore": text("a.txt\n!\n")}), refused: true},
		{name: "escaped letter", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".dockerignore": text("sr\\c/lib\n")}), refused: true},
		{name: "broken pattern", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".dockerignore": text("[\n")}), refused: true},
		{name: "file of this dockerfile", files: project.with(files{"Dockerfile": text("FROM scratch\nCOPY . /x/\n"), "Dockerfile.dockerignore": text("src\n"), ".dockerignore": text("docs\n")})},
		{name: "file of another dockerfile", files: project.with(files{
			"build/a.Dockerfile": text("FROM scratch\nCOPY . /x/\n"), "build/a.Dockerfile.dockerignore": text("src\n"), ".dockerignore": text("docs\n"), "build/.dockerignore": text("a.txt\n"),
		}), options: options{dockerfile: "build/a.Dockerfile"}},
		{name: "in a context below", files: files{"app/Dockerfile": text("FROM scratch\nCOPY . /x/\n"), "app/.dockerignore": text("b\n"), "app/a": text("a"), "app/b": text("b"), ".dockerignore": text("a\n")}, options: options{context: "app"}},
		{name: "source that is ignored", dockerfile: "FROM scratch\nCOPY a.txt /x/\n", files: project.with(files{".dockerignore": text("a.txt\n")}), refused: true},
		{name: "directory that is ignored", dockerfile: "FROM scratch\nCOPY src /x/\n", files: project.with(files{".dockerignore": text("src\n")}), refused: true},
		{name: "all is ignored", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".dockerignore": text("*\n")})},
		{name: "wildcard over what is ignored", dockerfile: "FROM scratch\nCOPY *.txt /x/\n", files: project.with(files{".dockerignore": text("b.txt\n")})},
		{name: "links and ignored targets", dockerfile: "FROM scratch\nCOPY src /x/\n", files: project.with(files{".dockerignore": text("src/lib\nsrc/main.c\n")}), large: "src"},
		{name: "many patterns", dockerfile: "FROM scratch\nCOPY . /x/\n", files: project.with(files{".dockerignore": text(times(500, "nothing/like/this\n") + "docs\n")})},
		{name: "bind mount of the context", dockerfile: "FROM @base\nRUN --mount=type=bind,target=/ctx find /ctx | sort >/l\n", files: project.with(files{".dockerignore": text("docs\n*.txt\n")})},
	}
}
