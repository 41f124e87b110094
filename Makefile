# Everything here runs as root on Debian with Go, gcc, git and ssh; the rest is
# installed by package name when it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export CGO_ENABLED := 1

BIN := $(CURDIR)/bin
GOLANGCI_VERSION := v2.15.0

# What the daemon needs to build images, and what only tests and the demo need.
RUN_PACKAGES := runc containernetworking-plugins iptables nftables
TEST_PACKAGES := busybox-static bzip2 xz-utils skopeo openssh-client git curl openssl procps

EXAMPLES := hooks/github/testdata/node_modules/@octokit/webhooks-examples/package.json

.PHONY: build demo run test conformance torture lint bench fuzz packages test-packages tools clean

build: ## fandoghd, fandogh and BuildKit into bin/
	GOBIN=$(BIN) go install ./cmd/... tool

demo: packages test-packages build ## a push becomes an image that is pulled and run
	examples/demo.sh $(BIN)

run: packages build ## the daemon in the foreground, on embedded defaults
	@printf '%s\n' 'When the daemon says it is ready, type in another terminal:' \
	  "  printf 'a-long-password' | bin/fandoghd admin --data data user add me --password-stdin" \
	  '  bin/fandoghd admin --data data key add me ~/.ssh/id_ed25519.pub' \
	  '  ssh -p 2222 git@127.0.0.1' ''
	$(BIN)/fandoghd serve

test: packages test-packages tools $(EXAMPLES) ## every test
	FANDOGH_TEST_TOOLS=$(BIN) go test -timeout 10m ./...

conformance: packages test-packages tools ## every case beside plain BuildKit, into conformance/RESULTS.md
	CONFORMANCE=all CONFORMANCE_OUT=$(CURDIR)/conformance/RESULTS.md FANDOGH_TEST_TOOLS=$(BIN) \
	  go test -count=1 -parallel 4 -timeout 60m -v ./conformance | grep -vE '^ *(===|---)'

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

lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
	$< run ./...

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

# Examples of GitHub's deliveries, for the tests alone.
$(EXAMPLES): hooks/github/testdata/package.json
	@command -v npm >/dev/null || { $(call install,npm); }
	cd hooks/github/testdata && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

tools: ## buildkitd, buildctl and crane, at the versions of go.mod
	GOBIN=$(BIN) go install tool

packages: ; @$(call install,$(RUN_PACKAGES))
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

clean:
	rm -rf $(BIN)
