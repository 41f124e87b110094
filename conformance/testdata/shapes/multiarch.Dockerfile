# syntax=docker/dockerfile:1.7-labs
ARG GO_VERSION=1.25 XX_VERSION=1.6 ALPINE_VERSION=3.22
FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS base
COPY --link --from=xx / /
ENV GOFLAGS="-mod=vendor" CGO_ENABLED=0
WORKDIR /src
FROM base AS build
ARG TARGETOS TARGETARCH TARGETPLATFORM TARGETVARIANT
ARG VERSION=dev REVISION
RUN --mount=type=bind,target=. --mount=type=cache,target=/root/.cache --mount=type=cache,target=/go/pkg/mod <<'EOT'
set -ex
xx-go build -trimpath -ldflags "-X main.version=$VERSION -X main.revision=$REVISION" -o "/out/$TARGETOS/$TARGETARCH/app" ./cmd/app
case "$TARGETOS/$TARGETARCH/$TARGETVARIANT" in linux/arm/v7) export GOARM=7 ;; esac
xx-verify --static /out/$TARGETOS/$TARGETARCH/app
EOT
FROM scratch AS binary
ARG TARGETOS TARGETARCH
COPY --link --from=build /out/$TARGETOS/$TARGETARCH/app /app-$TARGETOS-$TARGETARCH
FROM alpine:${ALPINE_VERSION} AS release
COPY --parents --exclude=**/*_test.go docs/./*.md LICENS[E] /usr/share/doc/app/
COPY --link --chmod=0755 --from=binary /app-* /usr/local/bin/
LABEL org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="${REVISION:-unknown}"
ENTRYPOINT ["/usr/local/bin/app"]
