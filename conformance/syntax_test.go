package conformance

// syntax are cases of how a Dockerfile is written.
func syntax() []example {
	return []example{
		{name: "heredoc", dockerfile: "FROM @base\nRUN <<EOF\nset -e\necho one $HOME >/one\necho two >/two\nEOF\n", sample: true},
		{name: "heredoc quoted", dockerfile: "FROM @base\nENV X=x\nRUN <<'EOF'\necho $X \"$(pwd)\" `id -u` >/one\nEOF\nCOPY <<\"EOF\" /two\n$X ${X} \\$X\nEOF\nCOPY <<EOF /three\n$X ${X} \\$X\nEOF\n"},
		{name: "heredoc with shebang", dockerfile: "FROM @base\nRUN <<EOF\n#!/bin/sh -e\necho $0 | cut -c1-5 >/one\nEOF\nRUN <<EOF\n#!/bin/awk -f\nBEGIN { print \"awk\" >\"/awk\" }\nEOF\n"},
		{name: "heredoc several", dockerfile: "FROM @base\nRUN <<ONE cat >/one && <<TWO cat >/two\nfirst\nONE\nsecond\nTWO\nCOPY <<A <<B /dir/\na\nA\nb\nB\nCOPY --chmod=0755 --chown=node:node <<-run.sh /usr/local/bin/run.sh\n\t#!/bin/sh\n\techo hi\n\trun.sh\n"},
		{name: "heredoc with tabs", dockerfile: "FROM @base\nRUN <<-EOF\n\tcat <<-X >/x\n\t\tindented\n\tX\n\techo y >/y\nEOF\nCOPY <<-EOT /z\n\t\ttwo tabs\n\t  spaces\n\tEOT\n"},
		{name: "heredoc of a program", dockerfile: "FROM @base\nRUN sh -x <<EOF\necho by sh >/one\nEOF\nRUN cat <<EOF | tr a-z A-Z >/two\nupper\nEOF\n"},
		{name: "heredoc with file and add", dockerfile: "FROM @base\nADD <<EOF a.txt /d/\nadded\nEOF\nCOPY a.txt <<other.txt /d2/\nother\nother.txt\n"},
		{name: "heredoc with many dollars", dockerfile: "FROM @base\nRUN <<'EOF'\n" + times(2050, "# $a/$b\n") + "echo x >/x\nEOF\n"},
		{name: "heredoc with variables", dockerfile: "FROM @base\nARG N=arg\nENV V=env\nCOPY <<EOF /etc/conf-$N\n$N ${V:-x} $UNKNOWN/$V/$N/${V/e/E}\nEOF\n"},
		{name: "heredoc in onbuild", dockerfile: "FROM @base\nONBUILD RUN <<EOF\necho x >/x\nEOF\n"},
		{name: "heredoc without end", dockerfile: "FROM @base\nRUN <<EOF\necho x\n", refused: true},
		{name: "heredoc empty", dockerfile: "FROM @base\nCOPY <<EOF /empty\nEOF\n"},
		{name: "heredoc of bytes", dockerfile: "FROM @base\nCOPY <<'EOF' /x\n\tü \u202e \\n \\\\ \"'`\n\n  \nEOF\n"},
		{name: "heredoc that fails", dockerfile: "FROM @base\nRUN <<EOF\nset -e\necho before\nexit 7\nEOF\n", refused: true},

		{name: "syntax directive", dockerfile: "# syntax=docker/dockerfile:1\nFROM @base\nCOPY . /app\nRUN echo x >/x\n", options: options{named: true}, large: "src"},
		{name: "syntax directive with a version", dockerfile: "#syntax=docker/dockerfile:1.7\nFROM scratch\nCOPY a.txt /\n", options: options{named: true}},
		{name: "escape directive", dockerfile: "# escape=`\nFROM @base\nENV A=a`\n  B=\\x\nRUN echo a ` \n && echo 'b\\n' >/b\n"},
		{name: "escape directive wrong", dockerfile: "# escape=x\nFROM scratch\nCOPY a.txt /\n", refused: true},
		{name: "check directive", dockerfile: "# check=skip=all\nFROM @base\nMAINTAINER x\n"},
		{name: "check directive that fails", dockerfile: "# check=error=true\nFROM @base\nMAINTAINER x\n", refused: true},
		{name: "directives together", dockerfile: "# check=skip=JSONArgsRecommended;error=true\n# escape=\\\nFROM @base\nCMD echo x\n"},
		{name: "directive after a comment", dockerfile: "# a comment\n# escape=`\nFROM @base\nENV A=a`b\n"},
		{name: "continuations", dockerfile: "FROM @base\nRUN echo a \\\n  # a comment\n\n  b \\\n\n  c >/x \\   \n && \\\n    echo d >/y\nENV \\\n A=1 \\\n# inside\n B=2\n"},
		{name: "windows line ends", dockerfile: "# escape=\\\r\nFROM @base\r\nENV A=1 \\\r\n  B=2\r\nRUN echo a \\\r\n && echo b >/b\r\nCOPY <<EOF /crlf\r\nline\r\nEOF\r\n"},
		{name: "byte order mark", dockerfile: "\ufeffFROM @base\nCOPY a.txt /\n"},
		{name: "no newline at the end", dockerfile: "FROM @base\nRUN echo x >/x"},
		{name: "indented and mixed case", dockerfile: "  FROM @base\n\tRuN echo x >/x\n  cOpY a.txt /\n\n\n   # comment\n  CMD [ \"a\" , \"b\" ]  \n"},
		{name: "very long line", dockerfile: "FROM @base\nRUN echo " + times(7000, "abcdefgh ") + " | wc -c >/n\n"},
		{name: "line that is too long", dockerfile: "FROM @base\nRUN echo " + times(8000, "abcdefgh ") + " | wc -c >/n\n", refused: true},
		{name: "long official shape", dockerfile: "FROM @base\nENV LANG=C.UTF-8 GPG_KEY=ABC VERSION=3.13.0\nRUN set -eux; \\\n\t\\\n\tsavedAptMark=\"$(echo $VERSION)\"; \\\n\tarch=\"$(uname -m)\"; arch=\"${arch##*-}\"; \\\n" +
			times(40, "\tcase \"$arch\" in x86_64) url=\"$VERSION/$arch/$savedAptMark\"; sha=\"$(echo \"$url/$arch\" | md5sum | cut -d' ' -f1)\" ;; *) echo >&2 \"error: $arch/$url\"; exit 1 ;; esac; \\\n") +
			"\tfind /usr/local -depth \\( \\( -type d -a \\( -name test -o -name tests \\) \\) \\) -exec rm -rf '{}' +; \\\n\techo \"$url $sha/$url/$arch\" >/result\nENV PATH=$HOME/.local/bin:/usr/local/$VERSION/bin:$PATH\nCMD [\"python3\"]\n"},
		{name: "bytes that are not utf-8", dockerfile: "FROM @base\nRUN echo caf\xe9 >/x\n", refused: true, says: "is not UTF-8"},
		{name: "control characters", dockerfile: "FROM @base\nRUN printf 'a\tb\x01c' >/x\nLABEL a=\"x\ty\"\n"},
		{name: "named otherwise", files: project.with(files{"build/My.Dockerfile": text("FROM @base\nCOPY src /src\n")}), options: options{dockerfile: "build/My.Dockerfile"}, large: "src"},
		{name: "lower case name", files: project.with(files{"dockerfile": text("FROM @base\nCOPY . /x\n")}), large: "src"},
		{name: "context in a directory", files: files{"app/Dockerfile": text("FROM @base\nCOPY . /x\n"), "app/a": text("a"), "app/src/b": text("b"), "other": text("o")}, options: options{context: "app"}, large: "app/src"},
		{name: "context in a directory, dockerfile elsewhere", files: files{"deploy/Dockerfile": text("FROM @base\nCOPY . /x\n"), "app/a": text("a"), "app/src/b": text("b")}, options: options{context: "app", dockerfile: "deploy/Dockerfile"}, large: "app/src"},
		{name: "dockerfile is copied too", dockerfile: "FROM scratch\nCOPY Dockerfile .dockerignore* /\n", files: project.with(files{".dockerignore": text("docs\n")})},

		{name: "run fails", dockerfile: "FROM @base\nRUN echo out; echo err >&2; exit 42\n", refused: true},
		{name: "run fails in line 5", dockerfile: "FROM @base\n\n# comment\n\nRUN true && \\\n  false\n", refused: true},
		{name: "run is not found", dockerfile: "FROM @base\nRUN no-such-program\n", refused: true},
		{name: "run exec form not found", dockerfile: "FROM @base\nRUN [\"/no/such\"]\n", refused: true},
		{name: "run without a shell", dockerfile: "FROM scratch\nRUN echo x\n", refused: true},
		{name: "run ends as if killed", dockerfile: "FROM @base\nRUN exit 137\n", refused: true},
		{name: "run not executable", dockerfile: "FROM @base\nCOPY a.txt /a\nRUN /a\n", refused: true},
		{name: "unused stage that would fail", dockerfile: "FROM @base AS bad\nRUN false\nFROM scratch\nCOPY a.txt /\n"},
	}
}
