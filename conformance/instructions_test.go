package conformance

// listing is a step that writes what it sees into the image: names, types, modes,
// owners, links and sizes. The links of directories are the snapshotter's affair.
const listing = `RUN find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /etc/resolv.conf -o -path /etc/hosts -o -path /listing \) -prune -o -type d -exec stat -c '%n %F %a %u %g' {} + -o -exec stat -c '%N %F %a %u %g %h %s' {} + | sort > /listing` + "\n"

// instructions are cases of what sets the configuration.
func instructions() []example {
	return []example{
		// FROM and ARG before it
		{name: "from scratch, nothing else", dockerfile: "FROM scratch\nCOPY a.txt /\n"},
		{name: "from a base, nothing else", dockerfile: "FROM @base\n"},
		{name: "from by an argument", dockerfile: "ARG BASE=@base\nFROM $BASE\nRUN echo hi >/hi\n"},
		{name: "from by an argument that is given", dockerfile: "ARG BASE=nothing\nFROM ${BASE}\nCOPY a.txt /\n", options: options{args: map[string]string{"BASE": "scratch"}}},
		{name: "from by parts of a name", dockerfile: "ARG R=@base\nARG S=${R}\nFROM ${S:-x} AS first\nFROM first\nRUN true\n"},
		{name: "from with platform", dockerfile: "FROM --platform=linux/amd64 @base\nARG TARGETARCH\nRUN echo $TARGETARCH >/arch\n"},
		{name: "from with platform by variable", dockerfile: "FROM --platform=$BUILDPLATFORM @base AS b\nARG BUILDPLATFORM TARGETPLATFORM TARGETOS TARGETVARIANT BUILDOS BUILDARCH BUILDVARIANT\nRUN env | sort | grep -E 'BUILD|TARGET' >/env\n"},
		{name: "from lower case", dockerfile: "from @base as x\nrun echo hi > /hi\nfrom scratch\ncopy --from=x /hi /hi\n"},
		{name: "from a missing image", dockerfile: "FROM @base-missing\nRUN true\n", refused: true},
		{name: "from without a name", dockerfile: "FROM\n", refused: true},
		{name: "argument only", dockerfile: "ARG A=1\n", refused: true},
		{name: "empty dockerfile", dockerfile: " ", refused: true},
		{name: "comment only", dockerfile: "# nothing\n", refused: true},
		{name: "unknown instruction", dockerfile: "FROM scratch\nFRMO x\n", refused: true},
		{name: "instruction before from", dockerfile: "RUN true\nFROM scratch\n", refused: true},

		// ENV
		{name: "env forms", dockerfile: "FROM @base\nENV A=1 B=\"two words\" C=three\\ words D='quo\"te' \\\n  E=$A\nENV F an old form with  spaces\nENV G=\nRUN env | sort | grep -E '^[A-G]=' >/env\n", sample: true},
		{name: "env path with home", dockerfile: "FROM @base\nENV HOME=/srv JAVA_HOME=/opt/java\nENV PATH=$HOME/.local/bin:$JAVA_HOME/bin:$PATH\nENV X=$JAVA_HOME/$HOME/$JAVA_HOME/x\nRUN echo $PATH $X >/p\n"},
		{name: "env unknown variable with slash", dockerfile: "FROM scratch\nENV A=$B/$C\nCOPY a.txt /\n"},
		{name: "env same line does not see itself", dockerfile: "FROM @base\nENV A=1\nENV A=2 B=$A\nENV C=$B$A\n"},
		{name: "env without a value", dockerfile: "FROM scratch\nENV A\n", refused: true},
		{name: "env escapes", dockerfile: "FROM @base\nENV A=\\$x B=\"\\$y\" C='$z' D=\\\\ E=\"a\\\"b\" F=a\\\"b\nRUN env | sort | grep -E '^[A-F]=' >/env\n"},
		{name: "env unicode", dockerfile: "FROM @base\nENV NAME=فندق ÜBER=ü\nRUN echo $NAME >/name\n"},
		{name: "env overrides the base", dockerfile: "FROM @full\nENV HOME_OF=/other NEW=$DOLLAR\nCOPY a.txt /\n"},

		// LABEL, EXPOSE, VOLUME, USER, STOPSIGNAL, MAINTAINER
		{name: "labels", dockerfile: "FROM @base\nLABEL a=b \"c d\"=\"e f\" multi=\"one \\\ntwo\"\nLABEL com.example.x='y'\nLABEL a=c\nLABEL old form here\n"},
		{name: "label with variables", dockerfile: "FROM scratch\nARG V=1\nLABEL version=$V \"$V\"=key q='$V'\nCOPY a.txt /\n"},
		{name: "expose", dockerfile: "FROM scratch\nARG P=99\nEXPOSE 80 443/tcp 53/udp 8000-8003 9000-9002/sctp $P\nCOPY a.txt /\n"},
		{name: "expose nonsense", dockerfile: "FROM scratch\nEXPOSE abc\nCOPY a.txt /\n", refused: true},
		{name: "volumes", dockerfile: "FROM @base\nVOLUME /a /b\nVOLUME [\"/c d\", \"/e\"]\nVOLUME $HOME/x\nRUN echo x >/a/f || true\n"},
		{name: "copy into a volume", dockerfile: "FROM @base\nRUN mkdir /v && echo 1 >/v/one\nVOLUME /v\nCOPY src /v/\n", large: "src"},
		{name: "user by name and number", dockerfile: "FROM @base\nUSER node\nRUN id >/tmp/a\nUSER app:staff\nRUN id >/tmp/b\nUSER 1000:50\nRUN id >/tmp/c\nUSER 4242\nRUN id >/tmp/d\nARG U=node\nUSER $U\nUSER :staff\n"},
		{name: "user unknown", dockerfile: "FROM @base\nUSER nobodyhere\nRUN id\n", refused: true},
		{name: "user and copy", dockerfile: "FROM @base\nUSER app\nWORKDIR /home/app/x\nCOPY src src\nRUN id > mine\n", large: "src"},
		{name: "stopsignal", dockerfile: "FROM scratch\nARG S=SIGUSR1\nSTOPSIGNAL $S\nCOPY a.txt /\n"},
		{name: "stopsignal number", dockerfile: "FROM scratch\nSTOPSIGNAL 9\nCOPY a.txt /\n"},
		{name: "stopsignal wrong", dockerfile: "FROM scratch\nSTOPSIGNAL SIGNOTHING\nCOPY a.txt /\n", refused: true},
		{name: "maintainer", dockerfile: "FROM scratch\nMAINTAINER Some One <some@example.com>\nCOPY a.txt /\n"},

		// WORKDIR
		{name: "workdir absolute and relative", dockerfile: "FROM @base\nWORKDIR /a\nWORKDIR b\nWORKDIR c/d\nWORKDIR ../e\nRUN pwd >/pwd\n"},
		{name: "workdir from scratch", dockerfile: "FROM scratch\nWORKDIR /app\nCOPY a.txt .\n", sample: true},
		{name: "workdir relative first", dockerfile: "FROM scratch\nWORKDIR app\nCOPY a.txt .\n"},
		{name: "workdir with variables", dockerfile: "FROM @base\nENV D=/opt N=app\nWORKDIR $D/${N}/$UNKNOWN/x\nRUN pwd > pwd\n"},
		{name: "workdir that exists", dockerfile: "FROM @odd\nWORKDIR /data/owned\nRUN pwd >here\nWORKDIR /data/secret\nCOPY a.txt .\n"},
		{name: "workdir through links", dockerfile: "FROM @odd\nWORKDIR /data/abs\nCOPY a.txt .\nWORKDIR /data/rel/new\nCOPY b.txt .\nWORKDIR /lnk/three\nRUN pwd -P >/pwd\n"},
		{name: "workdir onto a file", dockerfile: "FROM @odd\nWORKDIR /data/file\nRUN true\n", refused: true},
		{name: "workdir of a user", dockerfile: "FROM @base\nUSER node\nWORKDIR /home/node/app\nRUN stat -c '%u %g %a' . >/tmp/s\n"},
		{name: "workdir of the base", dockerfile: "FROM @full\nCOPY a.txt .\nWORKDIR sub\nCOPY b.txt .\n"},
		{name: "workdir empty", dockerfile: "FROM scratch\nWORKDIR\n", refused: true},
		{name: "many workdirs", dockerfile: "FROM @base\nWORKDIR /w\n" + times(60, "WORKDIR d\n") + "COPY a.txt .\n"},
	}
}

// commands are cases of what an image runs, and of what it makes others build.
func commands() []example {
	return []example{
		// SHELL, CMD, ENTRYPOINT
		{name: "cmd and entrypoint, exec form", dockerfile: "FROM scratch\nENTRYPOINT [\"/a\", \"b c\", \"$d\"]\nCMD [\"x\", \"\\\"y\"]\nCOPY a.txt /\n"},
		{name: "cmd and entrypoint, shell form", dockerfile: "FROM @base\nENTRYPOINT exec $APP/run.sh $@ \"a  b\"\nCMD echo $HOME/$X && \\\n  echo 'two'\n"},
		{name: "entrypoint resets the cmd", dockerfile: "FROM @base\nENTRYPOINT [\"/bin/echo\"]\n"},
		{name: "entrypoint empty", dockerfile: "FROM @full\nENTRYPOINT []\nCMD []\nCOPY a.txt /\n"},
		{name: "cmd with broken json", dockerfile: "FROM @base\nCMD ['a', 'b']\n"},
		{name: "shell", dockerfile: "FROM @base\nSHELL [\"/bin/sh\", \"-exc\"]\nRUN echo $- >/flags\nCMD echo x\nENTRYPOINT y\n"},
		{name: "shell of the base", dockerfile: "FROM @full\nUSER root\nRUN echo $- >/flags\nCMD true\n"},
		{name: "shell not json", dockerfile: "FROM @base\nSHELL /bin/sh\n", refused: true},

		// HEALTHCHECK
		{name: "healthcheck with all flags", dockerfile: "FROM scratch\nHEALTHCHECK --interval=30s --timeout=5s --start-period=1m --start-interval=1s --retries=7 CMD [\"/b\", \"true\"]\nCOPY a.txt /\n", sample: true},
		{name: "healthcheck shell form", dockerfile: "FROM @base\nHEALTHCHECK CMD curl -f http://$HOST/$P || exit 1\n"},
		{name: "healthcheck none", dockerfile: "FROM @full\nHEALTHCHECK NONE\nCOPY a.txt /\n"},
		{name: "healthcheck of the base", dockerfile: "FROM @full\nCOPY a.txt /\n"},
		{name: "healthcheck start-interval alone", dockerfile: "FROM @base\nHEALTHCHECK --start-interval=1500ms CMD true\n"},
		{name: "healthcheck wrong", dockerfile: "FROM @base\nHEALTHCHECK --interval=soon CMD true\n", refused: true},

		// ONBUILD
		{name: "onbuild", dockerfile: "FROM @base\nONBUILD COPY . /x\nONBUILD RUN echo $HOME/x\nONBUILD ENV A=b\n"},
		{name: "onbuild runs", dockerfile: "FROM @onbuild\nRUN cat /onbuild/said >/after\n", large: "src", sample: true},
		{name: "onbuild runs in a stage", dockerfile: "FROM @onbuild AS o\nFROM scratch\nCOPY --from=o /onbuild /o\n", large: "src"},
		{name: "onbuild of onbuild", dockerfile: "FROM @base\nONBUILD ONBUILD RUN true\n", refused: true},
		{name: "onbuild from", dockerfile: "FROM @base\nONBUILD FROM x\n", refused: true},
		{name: "onbuild copy from", dockerfile: "FROM @base\nONBUILD COPY --from=x /a /b\n"},
	}
}

// baseImages are cases in which a base image keeps what is its own.
func baseImages() []example {
	return []example{
		{name: "base with unknown fields", dockerfile: "FROM @unknown\nCOPY a.txt /\n", sample: true},
		{name: "base with unknown fields, run", dockerfile: "FROM @unknown\nRUN echo x >/x\nENV Y=1\n"},
		{name: "base with unknown fields, untouched", dockerfile: "FROM @unknown\n"},
		{name: "base with everything", dockerfile: "FROM @full\nRUN echo x >/tmp/x\n"},
		{name: "base uncompressed", dockerfile: "FROM @raw\nCOPY . /app\n", large: "src", sample: true},
		{name: "base uncompressed, untouched", dockerfile: "FROM @raw\nLABEL a=b\n"},
		{name: "base with docker types", dockerfile: "FROM @docker\nCOPY . /app\n", large: "src"},
		{name: "base with old history", dockerfile: "FROM @oldhistory\nCOPY . /app\nENV A=b\n", large: "src"},
		{name: "base without history", dockerfile: "FROM @nohistory\nCOPY . /app\nRUN true\n", large: "src"},
		{name: "base with odd files", dockerfile: "FROM @odd\n" + listing, sample: true},
		{name: "base with odd files, copied over", dockerfile: "FROM @odd\nCOPY . /full/\n" + listing, large: "src"},
	}
}
