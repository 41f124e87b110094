package conformance

// printEnv is a step that writes its environment into the image.
const printEnv = "RUN env | grep -vE '^(PWD|HOSTNAME|SHLVL|HOME|OLDPWD|TRACEPARENT)=' | sort >/env\n"

// variables are cases of ARG, ENV and what is made of `$`.
func variables() []example {
	expansions := ""
	for i, form := range []string{
		"$A", "${A}", "${A:-x}", "${U:-x}", "${A:+x}", "${U:+x}", "${E:-x}", "${E-x}", "${E:+x}", "${E+x}", "${U-x}", "${U+x}",
		"${P#a}", "${P#*/}", "${P##*/}", "${P%/*}", "${P%%/*}", "${P/b/X}", "${P//b/X}", "${P/b*/}", "${P//\\//-}", "${P#'a'}", "${P%.?}",
		"\\$A", "\\${A}", "$A$A", "$A-$A", "${A}b", "$Ab", "${U:-${A}}", "${U:-$A/$P}", "${A:+${P##*/}}", "$$A", "$1", "$@", "${U:-a b}",
	} {
		expansions += "ENV V" + string(rune('A'+i/26)) + string(rune('a'+i%26)) + "=\"" + form + "\"\n"
	}
	return []example{
		{name: "every expansion", dockerfile: "FROM @base\nENV A=one E= P=a/b/c.b/bb.c\n" + expansions + printEnv, sample: true},
		{name: "expansion in single quotes", dockerfile: "FROM @base\nENV A=1\nENV B='$A' C='${A:-x}' D=\"'$A'\"\n" + printEnv},
		{name: "expansion wrong", dockerfile: "FROM scratch\nENV A=${B\nCOPY a.txt /\n", refused: true},
		{name: "expansion of an unknown modifier", dockerfile: "FROM scratch\nENV A=${B!x}\nCOPY a.txt /\n", refused: true},
		{name: "expansion that must be set", dockerfile: "FROM scratch\nARG NEED\nENV A=\"${NEED:?say what is needed}\"\nCOPY a.txt /\n", refused: true},
		{name: "expansion that must be set and is", dockerfile: "FROM scratch\nARG NEED\nENV A=\"${NEED:?say what is needed}\"\nCOPY a.txt /\n", options: options{args: map[string]string{"NEED": "x"}}},
		{name: "expansion everywhere", dockerfile: "FROM @base\nARG F=a.txt D=/dest U=node M=0640\nCOPY --chown=$U:$U --chmod=$M $F $D/\nADD ${F%.txt}.* ${D}2/\nWORKDIR $D\nUSER $U\nLABEL $F=$D\nVOLUME $D/v\nEXPOSE ${PORT:-80}\nSTOPSIGNAL ${SIG:-SIGINT}\n"},
		{name: "run with many variables and slashes", dockerfile: "FROM @base\nENV P=/o\nRUN set -eux; P2=$P; for d in a b c; do mkdir -p $P/$d/$P2/$d; touch $P/$d/$P2/$d/x; done; sed -i 's/a$/b/;s/c$/d/' /etc/group; ls -R $P/a/$P/$P2/$P/$P/$P/$P/$P/$P >/ls || true\n"},
		{name: "ten references in one line", dockerfile: "FROM @base\nENV P=/o\nENV Q=$P/1:$P/2:$P/3:$P/4:$P/5:$P/6:$P/7:$P/8:$P/9:$P/10 R=${P}/1:${P}/2\nCMD $P/1 $P/2 $P/3 $P/4 $P/5 $P/6 $P/7 $P/8 $P/9 $P/10\n"},
		{name: "copy by two variables", dockerfile: "FROM @base\nARG A=src B=/dest\nCOPY $A/main.c $B/y/\nCOPY $A/lib $B/lib\n"},
		{name: "variable defined by itself", dockerfile: "FROM @base\n" + "ENV A=x\n" + times(10, "ENV A=$A$A\n") + "RUN echo ${#A} >/n\n"},
		{name: "long path variable", dockerfile: "FROM @base\n" + times(40, "ENV PATH=/opt/some/program/bin:$PATH\n") + printEnv},

		{name: "arg scope", dockerfile: "ARG G=global\nARG H=h\nFROM @base AS one\nARG G\nARG L=local\nRUN echo $G $H $L >/one\nFROM @base\nARG H=own\nRUN echo \"$G $H $L\" >/two\nCOPY --from=one /one /one\n"},
		{name: "arg and env of one name", dockerfile: "FROM @base\nARG A=arg\nENV A=env\nRUN echo $A >/a\nARG A=again\nRUN echo $A >/b\n", options: options{args: map[string]string{"A": "given"}}},
		{name: "arg by default of another", dockerfile: "ARG V=1.2\nARG IMG=@base\nFROM $IMG\nARG V\nARG FULL=v${V}-x SHORT=${V%.*}\nRUN echo $FULL $SHORT >/v\n"},
		{name: "arg in several in a line", dockerfile: "FROM @base\nARG A=1 B C=$A\nRUN echo \"$A $B $C\" >/v\n", options: options{args: map[string]string{"B": "given"}}},
		{name: "arg empty", dockerfile: "FROM @base\nARG A\nARG B=\nRUN echo \"${A-unset} ${B-unset}\" >/v\n"},
		{name: "arg given and not declared", dockerfile: "FROM @base\nRUN echo \"${A-unset}\" >/v\n", options: options{args: map[string]string{"A": "x"}}},
		{name: "arg after its use", dockerfile: "FROM @base\nRUN echo \"${A-unset}\" >/v\nARG A=late\nRUN echo $A >/w\n", options: options{args: map[string]string{"A": "given"}}},
		{name: "arg with quotes", dockerfile: "FROM @base\nARG A=\"two words\" B='$x'\nENV C=\"$A\" D=$A\n" + printEnv},
		{name: "arg given with odd text", dockerfile: "FROM @base\nARG A\nENV B=$A\nLABEL c=$A\n" + printEnv, options: options{args: map[string]string{"A": "a=b c$d'\"\\e/ü"}}},
		{name: "arg inherited by a stage", dockerfile: "FROM @base AS a\nARG X=1\nENV Y=$X\nFROM a\nRUN echo \"${X-unset} $Y\" >/v\n"},
		{name: "arg in onbuild", dockerfile: "FROM @onbuild\nRUN echo \"${WHAT-unset}\" >/v\n", options: options{args: map[string]string{"WHAT": "given"}}},
		{name: "predefined args", dockerfile: "FROM @base\n" + printEnv, options: options{args: map[string]string{"HTTP_PROXY": "", "no_proxy": "localhost"}}},
		{name: "predefined args declared", dockerfile: "FROM @base\nARG NO_PROXY\nENV X=$NO_PROXY\n" + printEnv, options: options{args: map[string]string{"NO_PROXY": "a.b"}}},
		{name: "platform args", dockerfile: "FROM @base\nARG TARGETOS TARGETARCH TARGETSTAGE\nRUN echo $TARGETOS/$TARGETARCH $TARGETSTAGE >/v\n"},
		{name: "platform args in from", dockerfile: "FROM --platform=$TARGETPLATFORM @base AS x\nRUN echo x >/x\nFROM ${TARGETOS:+@base}\nCOPY --from=x /x /\n"},
		{name: "arg in a stage's name", dockerfile: "ARG S=one\nFROM @base AS one\nRUN echo 1 >/one\nFROM $S\nRUN echo 2 >/two\n"},
		{name: "arg in copy from", dockerfile: "FROM @base AS one\nFROM scratch\nARG S=one\nCOPY --from=$S / /\n", refused: true},
		{name: "arg twice", dockerfile: "FROM @base\nARG A=1\nARG A=2\nARG A\nRUN echo \"$A\" >/v\n"},
		{name: "arg in history", dockerfile: "FROM @base\nARG A=1\nARG B\nRUN true\nENV C=1\nRUN true\n", options: options{args: map[string]string{"B": "given"}}},
		{name: "env of the base in copy", dockerfile: "FROM @full\nUSER root\nCOPY a.txt $HOME_OF/\nWORKDIR $HOME_OF/x\nCOPY b.txt $EMPTY./\n"},
	}
}
