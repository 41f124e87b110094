package conformance

// steps are cases of RUN's flags. Those of caches have a variable of their own: BuildKit
// takes a step with a cache mount from its cache whatever the cache's name is, and
// another case's step has not filled this one's.
func steps() []example {
	return []example{
		{name: "bind of the context", dockerfile: "FROM @base\nRUN --mount=type=bind,target=/ctx cd /ctx && find . -exec stat -c '%n %F %a %u %g %s' {} + | grep -v '^. ' | sort >/l && cat a.txt >/a\n", large: "src", sample: true},
		{name: "bind of a part of the context", dockerfile: "FROM @base\nRUN --mount=source=src,target=/s --mount=source=docs/a\\ b.md,target=/one,ro ls /s >/l; cat /one >/o\n"},
		{name: "bind of a directory and a file", dockerfile: "FROM @base\nRUN --mount=source=src,target=/s --mount=source=a.txt,target=/one,ro ls /s >/l; cat /one >/o; touch /s/x 2>/dev/null || echo ro >/ro\n", large: "src"},
		{name: "bind that is written", dockerfile: "FROM @base\nRUN --mount=type=bind,target=/ctx,rw echo x >/ctx/new && rm /ctx/a.txt && ls /ctx >/l1\nRUN --mount=type=bind,target=/ctx ls /ctx >/l2\n"},
		{name: "bind from a stage", dockerfile: "FROM @base AS b\nRUN mkdir /o && echo x >/o/x\nFROM @base\nRUN --mount=from=b,source=/o,target=/m cp /m/x /y\n"},
		{name: "bind from an image", dockerfile: "FROM @base\nRUN --mount=from=@odd,target=/m cat /m/data/real/kept >/y; ls -l /m/data | awk '{print $1, $9}' >/l\n"},
		{name: "bind of a missing source", dockerfile: "FROM @base\nRUN --mount=source=missing,target=/m ls /m\n", refused: true},
		{name: "bind from an unknown stage", dockerfile: "FROM @base\nRUN --mount=from=@base-nothing,target=/m ls /m\n", refused: true},
		{name: "bind relative to the workdir", dockerfile: "FROM @base\nWORKDIR /w\nRUN --mount=source=src,target=rel ls rel >l\n"},
		{name: "bind with variables", dockerfile: "FROM @base\nARG S=src\nENV T=/t\nRUN --mount=source=$S,target=$T/x ls /t/x >/l\n"},
		{name: "mount point stays", dockerfile: "FROM @base\nRUN --mount=source=src,target=/m/n/o true\nRUN --mount=type=tmpfs,target=/t/u echo x >/t/u/x\nRUN --mount=type=cache,target=/c/d echo x >/c/d/x\n"},

		{name: "cache", dockerfile: "FROM @base\nENV CACHE=1\nRUN --mount=type=cache,target=/c echo 1 >>/c/f\nRUN --mount=type=cache,target=/c echo 2 >>/c/f; cp /c/f /f\n"},
		{name: "cache with an owner and a mode", dockerfile: "FROM @base\nENV CACHE=2\nRUN --mount=type=cache,target=/c,uid=1000,gid=50,mode=0710 stat -c '%u %g %a' /c >/s\n"},
		{name: "cache with a source", dockerfile: "FROM @base AS b\nRUN mkdir -p /seed/sub && echo x >/seed/x && chmod 700 /seed/sub\nFROM @base\nENV CACHE=3\nRUN --mount=type=cache,target=/c,from=b,source=/seed ls -l /c | awk '{print $1, $9}' >/l\n"},
		{name: "cache of an id", dockerfile: "FROM @base\nENV CACHE=4\nRUN --mount=type=cache,id=one,target=/c echo 1 >/c/f\nRUN --mount=type=cache,id=two,target=/c ls /c >/l2\nRUN --mount=type=cache,id=one,target=/d cat /d/f >/l1\n"},
		{name: "cache with sharing", dockerfile: "FROM @base\nENV CACHE=5\nRUN --mount=type=cache,target=/c,sharing=locked echo 1 >/c/f\nRUN --mount=type=cache,target=/c,sharing=private ls /c | wc -l >/dev/null\nRUN --mount=type=cache,target=/c,sharing=shared ls /c >/dev/null\n"},
		{name: "cache with wrong sharing", dockerfile: "FROM @base\nENV CACHE=6\nRUN --mount=type=cache,target=/c,sharing=none true\n", refused: true},
		{name: "cache without a target", dockerfile: "FROM @base\nENV CACHE=7\nRUN --mount=type=cache true\n", refused: true},
		{name: "cache read only", dockerfile: "FROM @base\nENV CACHE=8\nRUN --mount=type=cache,target=/c,ro touch /c/f 2>/dev/null || echo ro >/ro\n"},
		{name: "cache of a user", dockerfile: "FROM @base\nENV CACHE=9\nUSER node\nENV HOME=/home/node\nRUN --mount=type=cache,target=$HOME/.npm,uid=1000,gid=1000 echo x >$HOME/.npm/x && stat -c '%u %g %a' $HOME/.npm $HOME >/tmp/s\n"},
		{name: "cache in the tree that is copied", dockerfile: "FROM @base\nENV CACHE=10\nCOPY src /app\nRUN --mount=type=cache,target=/app/node_modules echo x >/app/node_modules/x && ls /app >/l\nCOPY docs /app/docs\n", large: "src"},

		{name: "tmpfs", dockerfile: "FROM @base\nRUN --mount=type=tmpfs,target=/t echo x >/t/x; stat -c '%a' /t >/s\n"},
		{name: "tmpfs with a size", dockerfile: "FROM @base\nRUN --mount=type=tmpfs,target=/t,size=1m dd if=/dev/zero of=/t/x bs=1k count=2048 2>/dev/null || echo full >/full\n"},
		{name: "secret that is optional", dockerfile: "FROM @base\nRUN --mount=type=secret,id=s cat /run/secrets/s 2>/dev/null || echo none >/s\nRUN --mount=type=secret,id=s,target=/x,required=false ls /x 2>/dev/null || echo none >/s2\nRUN --mount=type=secret,id=s,env=TOKEN echo \"${TOKEN-unset}\" >/s3\n"},
		{name: "secret that is required", dockerfile: "FROM @base\nRUN --mount=type=secret,id=s,required true\n", refused: true, says: `the Dockerfile requires the secret "s", which is not set for this build`},
		{name: "ssh that is optional", dockerfile: "FROM @base\nRUN --mount=type=ssh echo \"${SSH_AUTH_SOCK-unset}\" >/s\n"},
		{name: "ssh that is required", dockerfile: "FROM @base\nRUN --mount=type=ssh,required true\n", refused: true, says: `the Dockerfile requires the SSH key "default", which is not set for this build`},
		{name: "unknown type", dockerfile: "FROM @base\nRUN --mount=type=bnid,target=/x true\n", refused: true},
		{name: "unknown key", dockerfile: "FROM @base\nRUN --mount=type=bind,tagret=/x true\n", refused: true},
		{name: "no network", dockerfile: "FROM @base\nRUN --network=none ls /sys/class/net >/l\n"},
		{name: "default network", dockerfile: "FROM @base\nRUN --network=default echo x >/l\n"},
		{name: "unknown network", dockerfile: "FROM @base\nRUN --network=some true\n", refused: true},
		{name: "security sandbox", dockerfile: "FROM @base\nRUN --security=sandbox echo x >/l\n"},
		{name: "unknown flag", dockerfile: "FROM @base\nRUN --what=x true\n", refused: true},
		{name: "unknown device", dockerfile: "FROM @base\nRUN --device=vendor.example/x=y true\n"},

		{name: "run exec form", dockerfile: "FROM @base\nRUN [\"/bin/sh\", \"-c\", \"echo $0 \\\"$1\\\" >/x\", \"zero\", \"on e\"]\n"},
		{name: "run writes special files", dockerfile: "FROM @base\nRUN mkdir -p /d && cd /d && mkfifo fifo && mknod null c 1 3 && ln -s x y && ln -s /d/x z && echo a >a && ln a b && chmod 4755 a && chmod 1777 . && touch \"$(printf 'n\\nl')\" && chown 1:2 y -h\n"},
		{name: "run deletes what the base has", dockerfile: "FROM @odd\nRUN rm -rf /data/real /data/h1 /lnk /full/d && rm /data/fifo && mkdir /full/d\n" + listing},
		{name: "run changes what the base has", dockerfile: "FROM @odd\nRUN chmod 700 /data/file && chown 9:9 /data/real && mv /data/h1 /data/h9 && echo more >>/data/attr && touch /data/capable && ln /data/h2 /data/h4\n"},
		{name: "run moves what the base has", dockerfile: "FROM @odd\nRUN mv /data /moved && mv /full/d /moved/d && ln -s /moved /data\n" + listing},
		{name: "run changes nothing", dockerfile: "FROM @base\nRUN true\nRUN touch /x && rm /x\n"},
		{name: "run in the environment", dockerfile: "FROM @full\n" + "RUN env | grep -v -e TRACEPARENT -e PWD | sort >/tmp/e; id >/tmp/i; pwd >/tmp/p; umask >/tmp/u; hostname >/tmp/h; ulimit -n >/dev/null; cat /proc/self/status | grep -i cap >/tmp/c\n"},
		{name: "run leaves files of the runtime", dockerfile: "FROM @base\nRUN ls -la /etc /dev /proc/self/fd >/dev/null; test -s /etc/resolv.conf; test -s /etc/hosts; ls /run /tmp >/l\n"},
		{name: "run with much output", dockerfile: "FROM @base\nRUN seq 1 20000; seq 1 20000 >&2; echo x >/x\n"},
		{name: "run with output that is not text", dockerfile: "FROM @base\nRUN head -c 4096 /bin/busybox; printf '\\r\\033[2J\\xff\\xfe\\n'; echo x >/x\n"},
		{name: "no cache", dockerfile: "FROM @base\nCOPY . /app\nRUN echo x >/x\n", options: options{noCache: true}, large: "src"},
		{name: "platform", dockerfile: "FROM @base\nCOPY . /app\nRUN echo x >/x\n", options: options{platform: "linux/amd64"}, large: "src"},
		{name: "platform without a base", dockerfile: "FROM scratch\nCOPY . /app\n", options: options{platform: "linux/arm64"}},
		{name: "target and arguments", dockerfile: "FROM scratch AS a\nARG F=a.txt\nCOPY $F /\nFROM a AS b\nCOPY docs /d\n", options: options{target: "a", args: map[string]string{"F": "b.txt"}}},
	}
}
