package conformance

import (
	"fmt"
	"strings"
)

func chain(n int) string {
	var b strings.Builder
	b.WriteString("FROM @base AS s0\nRUN echo 0 >/n\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "FROM s%d AS s%d\nENV N=%d\n", i-1, i, i)
	}
	return b.String() + "RUN echo $N >/n\n"
}

func fan(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "FROM scratch AS s%d\nCOPY a.txt /f%d\n", i, i)
	}
	b.WriteString("FROM @base\n")
	for i := range n {
		fmt.Fprintf(&b, "COPY --from=s%d / /all/\n", i)
	}
	return b.String()
}

// stages are cases of several stages, and of how steps follow a COPY.
func stages() []example {
	built := "FROM @base AS build\nWORKDIR /src\nCOPY src .\nRUN ./build.sh >out && chmod 700 out && chown app:staff out && ln out hard && ln -s out soft\n"
	return []example{
		{name: "copy from a stage", dockerfile: built + "FROM scratch\nCOPY --from=build /src /\n", large: "src", sample: true},
		{name: "copy from a stage by number", dockerfile: built + "FROM @base\nCOPY --from=0 /src/out /src/soft /x/\n"},
		{name: "copy from a stage by number as given name", dockerfile: "FROM @base AS a\nRUN echo a >/f\nFROM @base AS b\nRUN echo b >/f\nFROM scratch\nCOPY --from=1 /f /f1\nCOPY --from=0 /f /f0\n"},
		{name: "copy from an image", dockerfile: "FROM scratch\nCOPY --from=@odd /data /data\nCOPY --from=@odd /lnk/kept /kept\n", sample: true},
		{name: "copy all of an image", dockerfile: "FROM scratch\nCOPY --from=@odd / /\n"},
		{name: "target by number is unknown", dockerfile: "FROM scratch\nCOPY --from=later /f /f\nFROM @base AS later\nRUN echo x >/f\n", options: options{target: "0"}, refused: true},
		{name: "copy from a later stage that is the target", dockerfile: "FROM scratch AS first\nCOPY --from=later /f /f\nFROM @base AS later\nRUN echo x >/f\n", options: options{target: "first"}, refused: true},
		{name: "copy from an unknown stage", dockerfile: "FROM scratch\nCOPY --from=@base-nothing /f /f\n", refused: true},
		{name: "copy from itself", dockerfile: "FROM @base AS me\nCOPY --from=me /f /f\n", refused: true},
		{name: "copy a missing file from a stage", dockerfile: built + "FROM scratch\nCOPY --from=build /src/missing /\n", refused: true},
		{name: "copy by wildcard from a stage", dockerfile: built + "FROM scratch\nCOPY --from=build /src/*.c /src/o?t /src/l* /x/\n"},
		{name: "copy through a link of a stage", dockerfile: "FROM @odd AS o\nFROM scratch\nCOPY --from=o /lnk /a\nCOPY --from=o /data/abs/kept /b\nCOPY --from=o /data/*k /data/up /c/\n"},
		{name: "stage of a stage", dockerfile: built + "FROM build AS test\nRUN echo tested >t\nFROM test\nENV A=1\nCOPY docs /docs\n", large: "src"},
		{name: "stage names in other case", dockerfile: "FROM @base AS Build\nRUN echo x >/x\nFROM scratch\nCOPY --from=bUILD /x /x\n"},
		{name: "two stages of one name", dockerfile: "FROM @base AS x\nRUN echo 1 >/f\nFROM @base AS x\nRUN echo 2 >/f\nFROM scratch\nCOPY --from=x /f /f\n"},
		{name: "stage name reserved", dockerfile: "FROM @base AS scratch\nFROM scratch\nCOPY a.txt /\n"},
		{name: "stage name wrong", dockerfile: "FROM @base AS 0a\nRUN true\n", refused: true},
		{name: "target", dockerfile: built + "FROM scratch AS first\nCOPY --from=build /src/out /\nFROM scratch\nCOPY a.txt /\n", options: options{target: "first"}},
		{name: "target in other case", dockerfile: "FROM scratch AS First\nCOPY a.txt /\nFROM scratch\nCOPY b.txt /\n", options: options{target: "fIRST"}},
		{name: "target missing", dockerfile: "FROM scratch AS first\nCOPY a.txt /\n", options: options{target: "frist"}, refused: true},
		{name: "scratch stage that is empty", dockerfile: "FROM scratch AS e\nFROM @base\nCOPY --from=e / /x/\n"},
		{name: "empty stage from scratch", dockerfile: "FROM scratch\nENV A=b\n"},
		{name: "128 stages in a row", dockerfile: chain(128)},
		{name: "forty stages, all used", dockerfile: fan(40)},
		{name: "two stages copy the context", dockerfile: "FROM @base AS a\nCOPY . /a\nRUN ls /a/src >/l\nFROM @base AS b\nCOPY src /b\nRUN ls /b >/l\nFROM @base\nCOPY --from=a /l /la\nCOPY --from=b /l /lb\nCOPY --from=b /b /b\n", large: "src"},
		{name: "base image twice", dockerfile: "FROM @base AS a\nCOPY a.txt /x\nFROM @base AS b\nCOPY b.txt /x\nFROM @base\nCOPY --from=a /x /a\nCOPY --from=b /x /b\n"},

		// what a step sees of a COPY
		{name: "run sees the files", dockerfile: "FROM @base\nCOPY . /app/\n" + listing, large: "src", sample: true, sampled: true},
		{name: "run sees the files from scratch", dockerfile: "FROM scratch\nCOPY --from=@base / /\nCOPY src /s\n" + listing, large: "src"},
		{name: "run compresses the files", dockerfile: "FROM @base\nCOPY src /www\nRUN cd /www && find . -type f -exec gzip -9 {} + ; find /www | sort >/listing\n", large: "src"},
		{name: "run counts links", dockerfile: "FROM @base\nCOPY src /s\nRUN find /s -type f -links +1 >/linked; find /s -samefile /s/main.c >>/linked; cp -a /s /t\n", large: "src"},
		{name: "run archives the files", dockerfile: "FROM @base\nCOPY src /s\nRUN cd / && tar c s | tar tv | awk '{print $1, $2, $3, $6, $7, $8, $9}' | sort >/listing && find /s | cpio -o -H newc 2>/dev/null | wc -c | sed 's/.*/x/' >/cpio || true\n", large: "src"},
		{name: "run changes modes", dockerfile: "FROM @base\nCOPY src /s\nRUN chmod -R o-rwx /s && chown -R app:staff /s/lib\n" + listing, large: "src"},
		{name: "run deletes", dockerfile: "FROM @base\nCOPY src /s\nRUN rm -rf /s/lib /s/main.c\n" + listing, large: "src"},
		{name: "run deletes everything", dockerfile: "FROM @base\nCOPY src /s\nRUN rm -rf /s\n" + listing, large: "src"},
		{name: "run deletes and makes again", dockerfile: "FROM @base\nCOPY src /s\nRUN rm -rf /s && mkdir /s && echo new >/s/main.c\nCOPY src/lib /s/lib\n" + listing, large: "src"},
		{name: "run renames", dockerfile: "FROM @base\nCOPY src /s\nRUN mv /s /t && mv /t/lib /t/bil && mv /t/main.c /t/niam.c\n" + listing, large: "src"},
		{name: "run links", dockerfile: "FROM @base\nCOPY src /s\nRUN ln /s/main.c /s/second && ln /s/lib/util.c /hard && echo more >>/s/main.c\n" + listing, large: "src"},
		{name: "run appends to each", dockerfile: "FROM @base\nCOPY src /s\nRUN for f in $(find /s -type f | sort | head -100); do echo x >>$f; done\n" + listing, large: "src"},
		{name: "run replaces a directory by a link", dockerfile: "FROM @base\nCOPY src /s\nRUN mv /s /real && ln -s real /s\nCOPY docs /s/docs\n" + listing, large: "src"},
		{name: "run as a user", dockerfile: "FROM @base\nCOPY --chown=node src /s\nUSER node\nRUN touch /s/mine; echo x >>/s/main.c; rm /s/lib/util.h; find /s -user node | sort >/tmp/l; find /s -writable | sort >>/tmp/l\n", large: "src"},
		{name: "run in a bind of a stage", dockerfile: built + "FROM @base\nRUN --mount=from=build,source=/src,target=/m find /m -exec stat -c '%n %h %a %u' {} + | sort >/l\n"},
		{name: "copies between runs", dockerfile: "FROM @base\nCOPY src /s\nRUN find /s | sort >/l1\nCOPY docs /s/docs\nRUN find /s | sort >/l2\nCOPY . /s\n" + listing, large: "src"},
	}
}
