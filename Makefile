# Everything here runs as root on Debian with Go, gcc, git and ssh; the rest is
# installed by package name when it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export CGO_ENABLED := 1
comma := ,
empty :=

BIN := $(CURDIR)/bin
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
NFPM_VERSION := v2.45.0

# What the daemon needs to build images, and what only tests and the demo need.
RUN_PACKAGES := runc containernetworking-plugins iptables nftables
DEMO_PACKAGES := busybox-static openssh-client git curl
TEST_PACKAGES := $(DEMO_PACKAGES) bzip2 xz-utils skopeo git-lfs gnupg openssl procps iproute2 \
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
AXE := internal/testkit/browser/testdata/node_modules/axe-core/package.json

# The package's version, as Debian orders them: v1.2.0-3-g24f69c9 is 1.2.0+3.g24f69c9; 0~TIME.COMMIT before there is any tag.
DEB_VERSION = $(shell git describe --tags --match 'v[0-9]*' --dirty=+dirty 2>/dev/null | sed -E 's/^v//; s/-/+/; s/-/./g' | grep . || \
	git log -1 --format='0~%cd.%h' --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0)
DEB_ARCH = $(shell go env GOARCH)

# What upgrade-test upgrades from: the newest release, or else what was before the store knew recipes.
UPGRADE_FROM ?= $(shell git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null || git log -1 --diff-filter=A --format=%H^ -- catalog/sqlite/migrations/00014_recipes.sql)

# What machine-test upgrades the package from, there: the newest release, or else the first commit that had a package.
PACKAGE_FROM ?= $(shell git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null || git log -1 --diff-filter=A --format=%H -- deploy/package/nfpm.yaml)

# What the machine of machine-test has beside what the package needs: a kernel, systemd, Docker, and clients.
MACHINE_PACKAGES := linux-image-cloud-$(DEB_ARCH) systemd-sysv systemd-timesyncd udev dbus openssh-server docker.io apparmor skopeo iproute2 e2fsprogs ca-certificates mount
COMPOSE_VERSION := v2.40.3

.PHONY: help build demo run test conformance clients torture soak browser pictures lint vulncheck bench fuzz package package-test upgrade-test deploy-test machine-test image image-test packages demo-packages test-packages tools clean

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

# Four packages at once: much of what the tests wait for is not the processor. Those that take longest begin first. `make lint` vets.
test: packages test-packages tools $(EXAMPLES) ## every test
	FANDOGH_TEST_TOOLS=$(BIN) go test -vet=off -p 4 -timeout 15m ./cmd/fandoghd ./builder/buildkit ./builder/buildkitd ./...

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

soak: packages test-packages tools ## clients of every kind on twenty images for SOAK_TIME, 30m by default; memory and disk are plotted and judged
	SOAK_TIME=$${SOAK_TIME:-30m} FANDOGH_TEST_TOOLS=$(BIN) go test -tags soak -count=1 -timeout 0 -run TestSoak -v ./cmd/fandoghd

browser: packages test-packages tools $(AXE) ## every page in Chromium, on a screen and on a phone, in both languages; with real builds, too
	@$(call install,chromium)
	FANDOGH_TEST_TOOLS=$(BIN) go test -tags browser -count=1 -run TestBrowser -v ./internal/testkit/browser ./catalog/web ./cmd/fandoghd

pictures: packages test-packages tools ## the pictures of README.md, of pages of what is really built, into docs/pictures
	@$(call install,chromium)
	mkdir -p docs/pictures
	PICTURES=$(CURDIR)/docs/pictures FANDOGH_TEST_TOOLS=$(BIN) go test -tags browser -count=1 -run TestPictures -v ./cmd/fandoghd

FUZZTIME ?= 60s

# Inputs are not made smaller when they are found: that takes most of the time.
fuzz: packages test-packages tools ## every fuzz target, for FUZZTIME each
	grep -rHoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | while IFS=: read -r file name; do \
	  echo "$${name#func } in $${file%/*}"; \
	  FANDOGH_TEST_TOOLS=$(BIN) go test "$${file%/*}" -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x; \
	done

package: build $(BIN)/nfpm-$(NFPM_VERSION) ## a Debian package with both programs, buildkitd, a systemd unit, manual pages and completions, into bin/
	rm -rf $(BIN)/package && mkdir -p $(BIN)/package/completion/{bash,zsh,fish}
	for program in fandogh fandoghd; do \
	  env -u FANDOGH_CONFIG $(BIN)/$$program man $(BIN)/package/man; \
	  $(BIN)/$$program completion bash >$(BIN)/package/completion/bash/$$program; \
	  $(BIN)/$$program completion zsh >$(BIN)/package/completion/zsh/_$$program; \
	  $(BIN)/$$program completion fish >$(BIN)/package/completion/fish/$$program.fish; \
	done
	gzip -9n $(BIN)/package/man/*
	chmod -R u=rwX,go=rX $(BIN)/package
	PACKAGE_VERSION='$(DEB_VERSION)' PACKAGE_ARCH=$(DEB_ARCH) $(BIN)/nfpm-$(NFPM_VERSION) package --config deploy/package/nfpm.yaml --packager deb --target $(BIN)/fandogh_$(DEB_ARCH).deb

$(BIN)/nfpm-$(NFPM_VERSION):
	GOBIN=$(BIN) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv $(BIN)/nfpm $@

package-test: packages test-packages package ## installs the package beside this system's files, and pushes to the daemon that it brings
	@$(call install,systemd man-db)
	FANDOGH_TEST_TOOLS=$(BIN) go test -tags deploy -count=1 -timeout 10m -v -run TestPackage ./deploy

upgrade-test: packages test-packages tools ## replaces the daemon of UPGRADE_FROM by the present one while clients push
	UPGRADE_FROM=$(UPGRADE_FROM) FANDOGH_TEST_TOOLS=$(BIN) go test -tags deploy -count=1 -timeout 15m -v -run TestUpgrade ./deploy

deploy-test: packages test-packages build ## pushes, pulls and logs through Caddy and nginx; the alerts, by promtool; alerts and dashboard, by a Prometheus
	@$(call install,caddy nginx prometheus)
	cd deploy/prometheus && promtool check rules alerts.yml && promtool test rules alerts_test.yml
	FANDOGH_TEST_TOOLS=$(BIN) go test -tags deploy -count=1 -timeout 15m -v -run 'TestProxies|TestPrometheus' ./deploy

image: packages test-packages package $(BIN)/debian.tar ## an OCI image of fandoghd, built by Fandogh, as an archive in bin/
	deploy/image/build.sh $(BIN) $(BIN)/fandogh_$(DEB_ARCH).deb $(BIN)/debian.tar '$(subst /,-,$(or $(VERSION),devel))' $(BIN)/fandoghd-image.tar

# What the image has beside our own package.
$(BIN)/debian.tar: Makefile
	@$(call install,mmdebstrap)
	mkdir -p $(BIN)
	mmdebstrap --quiet --variant=essential --include=$(subst $(empty) ,$(comma),$(RUN_PACKAGES) mount ca-certificates) \
	  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	  $$(. /etc/os-release && echo $$VERSION_CODENAME) $@

image-test: image ## runs the image by runc, and pushes to it
	@$(call install,libcap2-bin)
	FANDOGH_TEST_TOOLS=$(BIN) go test -tags deploy -count=1 -timeout 10m -v -run TestImage ./deploy

machine-test: packages test-packages tools image $(BIN)/machine/disk.img $(BIN)/compose-$(COMPOSE_VERSION) $(BIN)/fandogh-older.deb ## package and compose.yaml on a Debian in a virtual machine: a real systemd and Docker, control groups of version 2, a power failure
	@$(call install,qemu-system-x86 qemu-utils)
	rm -rf $(BIN)/machine/files && mkdir $(BIN)/machine/files
	ln $(BIN)/fandogh_$(DEB_ARCH).deb $(BIN)/machine/files/fandogh.deb
	ln $(BIN)/fandogh-older.deb $(BIN)/machine/files/older.deb
	ln $(BIN)/compose-$(COMPOSE_VERSION) $(BIN)/machine/files/docker-compose
	ln $(BIN)/fandoghd-image.tar $(BIN)/{buildkitd,crane} $(BIN)/machine/files/
	cp -r deploy/compose.yaml cmd/fandoghd/testdata $(BIN)/machine/files
	go test -c -o $(BIN)/machine/files/ ./cmd/fandoghd
	FANDOGH_TEST_TOOLS=$(BIN) go test -tags deploy -count=1 -timeout 80m -v -run TestMachine ./deploy

# Its module replaces others, so it can't be installed by name.
$(BIN)/compose-$(COMPOSE_VERSION):
	rm -rf $(BIN)/compose && mkdir -p $(BIN)/compose
	cp -r "$$(go mod download -json github.com/docker/compose/v2@$(COMPOSE_VERSION) | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/." $(BIN)/compose
	chmod -R u+w $(BIN)/compose
	cd $(BIN)/compose && go build -o $@ ./cmd
	rm -rf $(BIN)/compose

$(BIN)/machine/disk.img: Makefile deploy/machine/setup.sh
	@$(call install,mmdebstrap e2fsprogs openssh-client)
	rm -rf $(BIN)/machine && mkdir -p $(BIN)/machine
	ssh-keygen -q -t ed25519 -N '' -f $(BIN)/machine/key
	mmdebstrap --quiet --variant=apt --include=$(subst $(empty) ,$(comma),$(RUN_PACKAGES) $(DEMO_PACKAGES) $(MACHINE_PACKAGES)) \
	  --customize-hook='deploy/machine/setup.sh "$$1" $(BIN)/machine' $$(. /etc/os-release && echo $$VERSION_CODENAME) $(BIN)/machine/root
	cp $(BIN)/machine/root/boot/vmlinuz-* $(BIN)/machine/vmlinuz
	cp $(BIN)/machine/root/boot/initrd.img-* $(BIN)/machine/initrd.img
	mke2fs -q -t ext4 -d $(BIN)/machine/root $@ 12G
	rm -rf $(BIN)/machine/root

$(BIN)/fandogh-older.deb:
	rm -rf $(BIN)/older && mkdir -p $(BIN)/older
	git archive $(PACKAGE_FROM) | tar -xC $(BIN)/older
	$(MAKE) -C $(BIN)/older package DEB_VERSION=0~1 VERSION=older
	mv $(BIN)/older/bin/fandogh_$(DEB_ARCH).deb $@
	rm -rf $(BIN)/older

lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION) ## the linters of .golangci.yml
	$< run ./...

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

vulncheck: ## known vulnerabilities in what fandoghd, its tools and BuildKit call. VULNDB=file:///DIR is a copy of the database: a directory of OSV files
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) $(if $(VULNDB),-db $(VULNDB)) ./... tool

# Examples of GitHub's deliveries, and what looks at pages for people's sake, for the tests alone.
$(EXAMPLES): hooks/github/testdata/package.json
$(AXE): internal/testkit/browser/testdata/package.json
$(EXAMPLES) $(AXE):
	@command -v npm >/dev/null || { $(call install,npm); }
	cd $(dir $<) && npm install --no-package-lock --no-audit --no-fund --loglevel=error
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
