# Everything here runs as root on Debian with Go, gcc, git and ssh; the rest is
# installed by package name when it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export CGO_ENABLED := 1

BIN := $(CURDIR)/bin
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0

# What the daemon needs to build images, and what only tests and the demo need.
RUN_PACKAGES := runc containernetworking-plugins iptables nftables
DEMO_PACKAGES := busybox-static openssh-client git curl
TEST_PACKAGES := $(DEMO_PACKAGES) bzip2 xz-utils skopeo git-lfs openssl procps \
	putty-tools dropbear-bin python3-paramiko

# What conformance alone drives beside those: the clients of registries that Debian and Go bring. One that can't
# be installed is left out, and docs/compatibility.md says so.
CLIENT_PACKAGES := podman buildah containerd docker.io
CLIENT_TOOLS := oras.land/oras/cmd/oras@v1.3.6 github.com/regclient/regclient/cmd/regctl@v0.11.7 helm.sh/helm/v3/cmd/helm@v3.22.0 \
	github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 \
	github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111

# What our programs say that they are; empty outside of git, where they say what the go command noted.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
STAMP := -X github.com/fandoghpaas/fandogh/internal/version.stamped=$(VERSION)
# The pattern leaves out the tools, which would be linked anew at every commit.
install-programs = GOBIN=$(BIN) go install -ldflags='github.com/fandoghpaas/fandogh/...=$(STAMP)'

EXAMPLES := hooks/github/testdata/node_modules/@octokit/webhooks-examples/package.json

.PHONY: help build demo run test conformance clients torture lint vulncheck bench fuzz packages demo-packages test-packages tools clean

build: ## fandoghd, fandogh and BuildKit into bin/
	$(install-programs) ./cmd/... tool

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# One go command for what it runs and nothing else: most of its time on an empty build cache is the compiler's.
demo: packages demo-packages ## a push becomes an image that is pulled and run
	$(install-programs) ./cmd/fandoghd github.com/moby/buildkit/cmd/buildkitd github.com/google/go-containerregistry/cmd/crane
	examples/demo.sh $(BIN)

run: packages build ## the daemon in the foreground, on embedded defaults
	@printf '%s\n' 'When the daemon says it is ready, type in another terminal:' \
	  "  printf 'a-long-password' | bin/fandoghd admin --data data user add me --password-stdin" \
	  '  bin/fandoghd admin --data data key add me ~/.ssh/id_ed25519.pub' \
	  '  ssh -p 2222 git@127.0.0.1' ''
	$(BIN)/fandoghd serve

test: packages test-packages tools $(EXAMPLES) ## every test
	FANDOGH_TEST_TOOLS=$(BIN) go test -timeout 10m ./...

conformance: packages test-packages tools clients ## every case beside plain BuildKit, git and distribution, into conformance/RESULTS.md and docs/compatibility.md
	mkdir -p docs
	CONFORMANCE=all CONFORMANCE_OUT=$(CURDIR)/conformance/RESULTS.md COMPATIBILITY_OUT=$(CURDIR)/docs/compatibility.md FANDOGH_TEST_TOOLS=$(BIN) \
	  go test -count=1 -parallel 4 -timeout 60m -v ./conformance | grep -vE '^ *(===|---)'

clients: ## registry clients and the distribution specification's suite
	@$(foreach p,$(CLIENT_PACKAGES),{ $(call install,$p); } || echo "$p can't be installed";)
	for tool in $(CLIENT_TOOLS); do GOBIN=$(BIN) go install $$tool || echo "$$tool can't be installed"; done

torture: packages test-packages tools ## kills daemons at random under load for TORTURE_TIME, 10m by default
	@$(call install,sqlite3)
	TORTURE_TIME=$${TORTURE_TIME:-10m} FANDOGH_TEST_TOOLS=$(BIN) go test -race -tags torture -timeout 2h -run TestTorture -v ./cmd/fandoghd

FUZZTIME ?= 60s

# Inputs are not made smaller when they are found: that takes most of the time.
fuzz: packages test-packages tools ## every fuzz target, for FUZZTIME each
	grep -rHoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | while IFS=: read -r file name; do \
	  echo "$${name#func } in $${file%/*}"; \
	  FANDOGH_TEST_TOOLS=$(BIN) go test "$${file%/*}" -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x; \
	done

lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION) ## the linters of .golangci.yml
	$< run ./...

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

vulncheck: ## known vulnerabilities in what fandoghd, its tools and BuildKit call. VULNDB=file:///DIR is a copy of the database: a directory of OSV files
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) $(if $(VULNDB),-db $(VULNDB)) ./... tool

# Examples of GitHub's deliveries, for the tests alone.
$(EXAMPLES): hooks/github/testdata/package.json
	@command -v npm >/dev/null || { $(call install,npm); }
	cd hooks/github/testdata && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

tools: ## buildkitd, buildctl and crane, at the versions of go.mod
	GOBIN=$(BIN) go install tool

packages: ; @$(call install,$(RUN_PACKAGES))
demo-packages: ; @$(call install,$(DEMO_PACKAGES))
test-packages: ; @$(call install,$(TEST_PACKAGES))

# install asks the package manager only for what is not there.
define install
missing=; for p in $(1); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then \
  echo "installing:$$missing"; \
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

bench: packages test-packages build $(BIN)/registry ## ours beside the peer, into bench/RESULTS.md
	@$(call install,openssh-server)
	CGO_ENABLED=0 go build -o $(BIN)/ticker ./bench/ticker
	go run ./bench -tools bin -out bench/RESULTS.md
	go test -run '^$$' -bench Burst -benchtime 1x ./hooks/github

# The peer's registry, of the version that go.mod has.
$(BIN)/registry: go.mod
	GOBIN=$(BIN) go install github.com/distribution/distribution/v3/cmd/registry@$$(go list -m -f '{{.Version}}' github.com/distribution/distribution/v3)
	touch $@

clean: ## remove bin/
	rm -rf $(BIN)
