package conformance

// severalPlatforms are cases of images for several platforms, in the shapes that Dockerfiles for them have. A step that would
// run programs for another machine is not among them: ours refuses it, and plain tries.
func severalPlatforms() []example {
	const two, four = "linux/amd64,linux/arm64", "linux/arm64,linux/amd64,linux/arm/v7,linux/s390x"
	perPlatform := project.with(files{
		"dist/app-amd64": script("amd64\n"), "dist/app-arm64": script("arm64\n"), "dist/app-arm": script("arm\n"), "dist/app-s390x": script("s390x\n"),
		"bin/linux/amd64/app": script("for amd64\n"), "bin/linux/arm64/app": script("for arm64\n"), "bin/linux/arm/v7/app": script("for arm v7\n"), "bin/linux/s390x/app": script("for s390x\n"),
		"conf.amd64": text("a\n"), "conf.arm64": text("b\n"),
	})
	cases := []example{
		{name: "go, cross compiled", sample: true, large: "src", dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS build\nARG TARGETOS TARGETARCH\nWORKDIR /src\nCOPY a.txt b.txt ./\nRUN cat a.txt >mod\nCOPY . .\nRUN CGO_ENABLED=0 echo $TARGETOS/$TARGETARCH $(ls | wc -l) >/app\nFROM scratch\nLABEL org.opencontainers.image.source=https://example.com/x\nCOPY --from=build /app /app\nENTRYPOINT [\"/app\"]\n"},
		{name: "go on a base, with a user", dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS build\nARG TARGETPLATFORM BUILDPLATFORM\nRUN echo \"I am running on $BUILDPLATFORM, building for $TARGETPLATFORM\" > /log\nFROM @base\nCOPY --from=build /log /log\nUSER 65535:65535\nEXPOSE 8080\nENTRYPOINT [\"/app\"]\n"},
		{name: "base stage that platforms share", large: "src", dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS base\nWORKDIR /src\nCOPY a.txt .\nRUN cat a.txt >/deps\nFROM --platform=$BUILDPLATFORM base AS build\nCOPY src .\nARG TARGETOS\nARG TARGETARCH\nRUN echo $TARGETOS $TARGETARCH >/app\nFROM --platform=$BUILDPLATFORM @base\nCOPY --from=build /app /deps /\n"},
		{name: "node, built once for all", large: "src", dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS web\nWORKDIR /web\nCOPY . .\nRUN ls -R src >/web/index.html\nFROM @base\nCOPY --from=web /web/index.html /srv/\nCOPY --from=web /web/src /srv/src\nCOPY run.sh /run.sh\n"},
		{name: "programs that were compiled before", files: perPlatform, dockerfile: "FROM @base\nARG TARGETPLATFORM\nCOPY bin/${TARGETPLATFORM}/app /app\nENTRYPOINT [\"/app\"]\n"},
		{name: "one program for each architecture", files: perPlatform, large: "src", dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY dist/app-${TARGETARCH} /app\nCOPY src /src\nADD docs/ /docs/\n"},
		{name: "stage for each architecture", files: perPlatform, dockerfile: "FROM @base AS base-amd64\nCOPY conf.amd64 /conf\nFROM @base AS base-arm64\nCOPY conf.arm64 /conf\nARG TARGETARCH\nFROM base-arm64 AS base-arm\nFROM base-amd64 AS base-s390x\nFROM base-${TARGETARCH}\nCOPY a.txt /\n"},
		{name: "helper image as xx", dockerfile: "FROM --platform=$BUILDPLATFORM @tools AS xx\nFROM --platform=$BUILDPLATFORM @base AS build\nCOPY --link --from=xx /usr /xx\nARG TARGETOS TARGETARCH TARGETVARIANT\nRUN --mount=type=bind,target=/ctx --mount=type=cache,target=/cache mkdir -p /out/$TARGETOS/$TARGETARCH && case \"$TARGETOS/$TARGETARCH/$TARGETVARIANT\" in linux/arm/v7) echo 7 ;; *) cat /ctx/a.txt ;; esac >/out/$TARGETOS/$TARGETARCH/app\nFROM scratch AS binary\nARG TARGETOS TARGETARCH\nCOPY --link --from=build /out/$TARGETOS/$TARGETARCH/app /app-$TARGETOS-$TARGETARCH\nFROM @base\nCOPY --link --chmod=0755 --from=binary /app-* /usr/local/bin/\n"},
		{name: "platform of the target, said again", dockerfile: "FROM --platform=$BUILDPLATFORM @base AS b\nRUN echo x >/x\nFROM --platform=$TARGETPLATFORM scratch\nCOPY --from=b /x /x\nCOPY src /src\n"},
		{name: "platform of one stage fixed", dockerfile: "FROM --platform=linux/amd64 @base AS b\nARG TARGETARCH\nRUN echo $TARGETARCH >/x\nFROM scratch\nCOPY --from=b /x /x\n"},
		{name: "all platform variables", dockerfile: "FROM --platform=$BUILDPLATFORM @base AS b\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT\nRUN env | grep -E '^(TARGET|BUILD)' | sort >/env\nFROM scratch\nARG TARGETPLATFORM TARGETVARIANT\nLABEL platform=$TARGETPLATFORM variant=$TARGETVARIANT\nENV P=$TARGETPLATFORM\nCOPY --from=b /env /env\n"},
		{name: "linked copies", large: "src", dockerfile: "FROM @base\nARG TARGETARCH\nCOPY --link src /app/src\nCOPY --link --chown=5:6 a.txt /app/$TARGETARCH/\nCOPY --link . /all\n"},
		{name: "copies onto what is there", dockerfile: "FROM @odd\nCOPY src /data/real/\nCOPY --chown=node a.txt /lnk/x/\nWORKDIR /w\nCOPY . .\n"},
		{name: "heredocs and ADD of an archive", dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY <<EOF /motd\nfor $TARGETARCH\nEOF\nADD --chmod=600 a.txt b.txt /x/\n"},
		{name: "nothing but a base", dockerfile: "FROM @full\nARG TARGETARCH\nENV A=$TARGETARCH\n"},
		{name: "nothing at all", dockerfile: "FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\n"},
		{name: "health check and volumes", dockerfile: "FROM @docker\nARG TARGETARCH\nHEALTHCHECK CMD /app-$TARGETARCH\nVOLUME /v/$TARGETARCH\nSTOPSIGNAL 9\n"},
		{name: "base with a history that hides layers", dockerfile: "FROM @nohistory\nARG TARGETARCH\nCOPY src /src-$TARGETARCH\n"},
		{name: "target stage", options: options{target: "one"}, dockerfile: "FROM scratch AS one\nARG TARGETARCH\nCOPY a.txt /$TARGETARCH\nFROM one\nCOPY b.txt /\n"},
		{name: "without the cache", options: options{noCache: true}, dockerfile: "FROM --platform=$BUILDPLATFORM @base AS b\nARG TARGETARCH\nCOPY src /src\nRUN echo $TARGETARCH >/x\nFROM @base\nCOPY --from=b /x /x\nCOPY docs /docs\n"},
		{name: "missing for one platform", refused: true, files: perPlatform, dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY conf.$TARGETARCH /conf\n"},
	}
	for i := range cases {
		cases[i].options.platform = four
		if i%3 == 1 && !cases[i].refused {
			cases[i].options.platform = two
		}
	}
	return append(cases,
		example{name: "windows and linux", options: options{platform: "windows/amd64,linux/amd64"}, dockerfile: "FROM scratch\nCOPY src /src\nCOPY a.txt /b/\n"},
		example{name: "named twice", options: options{platform: "linux/arm/v7,linux/arm64/v8"}, dockerfile: "FROM scratch\nARG TARGETPLATFORM\nCOPY a.txt /a\nLABEL p=$TARGETPLATFORM\n"},
		example{name: "no platform of that form", options: options{platform: "linux/amd64,linux/a/b/c"}, refused: true, says: `"linux/a/b/c" is not a platform; name platforms as linux/amd64 or linux/arm/v7, with commas between them`, dockerfile: "FROM scratch\nCOPY a.txt /a\n"},
	)
}
