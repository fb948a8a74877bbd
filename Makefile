# Sluice. `make help` lists what there is; README.md says where to begin.
# Work on the whole tree uses go.work; `GOWORK=off` builds one module by itself.

SHELL := /bin/sh
.DEFAULT_GOAL := help

MODULES := pkg gateway dashboard pump web deploy/quickstart deploy/e2e scripts
PACKAGES := $(addprefix ./,$(addsuffix /...,$(MODULES)))
# `make test` runs everything but the black-box tests of deploy/e2e, which want built binaries.
TESTED := $(addprefix ./,$(addsuffix /...,$(filter-out deploy/e2e,$(MODULES)) deploy/e2e/mongodouble))
# Services that exist: a folder cmd/<name>, or the quickstart's main.go.
SERVICES := $(foreach s,gateway dashboard pump,$(if $(wildcard $(s)/cmd/$(s)/*.go),$(s)))
QUICKSTART := $(if $(wildcard deploy/quickstart/main.go),quickstart)

GO ?= go
GOFLAGS_BUILD := -trimpath
# Arguments for programs: make run ARGS="--gateways 3", make test ARGS=-race, make bench ARGS="-seconds 30".
ARGS ?=
# Which packages make test runs; default: all.
PKG ?= $(TESTED)
FUZZTIME ?= 20s
# Below which folders make fuzz looks for targets.
FUZZ ?= $(MODULES)

SAY = @printf '\033[1m==> %s\033[0m\n'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- build and run -----------------------------------------------------------------------------------

.PHONY: run
run: build ## build everything and start the quickstart (ARGS="--gateways 3 --data DIR")
	$(SAY) "starting the quickstart"
	@exec bin/sluice-quickstart $(ARGS)

.PHONY: tools
tools:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or newer (go.dev) and put its bin folder on PATH"; exit 1; }

.PHONY: build
build: tools console $(addprefix bin/sluice-,$(SERVICES) $(QUICKSTART)) ## build the console and all binaries into bin/

.PHONY: FORCE
bin/sluice-%: FORCE
	$(SAY) "building $@"
	@$(GO) build $(GOFLAGS_BUILD) -o $@ $(if $(filter quickstart,$*),./deploy/quickstart,./$*/cmd/$*)

# The console is rebuilt when its source is newer than what stands in web/dist.
CONSOLE_SOURCE := $(shell find web/src web/public web/index.html web/vite.config.ts web/scripts/compress.mjs web/tsconfig.json web/package.json web/package-lock.json -type f 2>/dev/null)

.PHONY: console
console: $(if $(wildcard web/package.json),web/dist/index.html)

web/node_modules/.package-lock.json: web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer with npm, or build on a machine that has it"; exit 1; }
	$(SAY) "installing the console's packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(CONSOLE_SOURCE)
	$(SAY) "building the console"
	@cd web && npm run build --silent && touch dist/.gitkeep dist/index.html

# --- check -------------------------------------------------------------------------------------------

.PHONY: test
test: ## run each module's tests and say what was skipped (PKG=./pkg/bus/... ARGS=-race)
	$(SAY) "tests"
	@$(GO) run ./scripts/testrun -timeout 10m $(ARGS) $(PKG)

.PHONY: lint
lint: ## format, vet, staticcheck, house rules
	$(SAY) "gofumpt"
	@out=$$($(GO) tool gofumpt -l $(MODULES)) && test -z "$$out" || { echo "$$out"; echo "run: $(GO) tool gofumpt -w on these files"; exit 1; }
	$(SAY) "go vet"
	@$(GO) vet $(PACKAGES)
	$(SAY) "staticcheck"
	@$(GO) tool staticcheck $(PACKAGES)
	$(SAY) "housecheck"
	@$(GO) run ./scripts/housecheck

.PHONY: check
check: lint
	$(SAY) "generate"
	@$(GO) run ./scripts/docgen -check
	$(SAY) "each module by itself"
	@for m in $(MODULES); do (cd $$m && GOWORK=off $(GO) build -o /dev/null ./...) || { echo "$$m does not build without go.work: run GOWORK=off $(GO) mod tidy in it"; exit 1; }; done

.PHONY: verify
verify: check ## lint, generate leaves no diff, each module by itself, tests
	@$(MAKE) --no-print-directory test $(if $(wildcard web/package.json),test-console)

.PHONY: test-console
test-console: console
	$(SAY) "console: types, rules, tests, sizes"
	@cd web && npm run check --silent && npm test --silent && npm run size --silent

.PHONY: generate
generate: ## write schemas, catalog, references and samples from source
	@$(GO) run ./scripts/docgen

.PHONY: format
format: ## format all Go files
	@$(GO) tool gofumpt -w $(MODULES)

# --- black box ---------------------------------------------------------------------------------------
# Tests of deploy/e2e are told apart by their names: TestFault..., TestSoak..., and the folder browser.

E2E := SLUICE_E2E_BIN=$(CURDIR)/bin $(GO) run ./scripts/testrun -count=1

.PHONY: e2e
e2e: build ## the real binaries, black box
	@$(E2E) -timeout 20m -skip '^Test(Fault|Soak)' $(ARGS) $$($(GO) list ./deploy/e2e/... | grep -v /browser)

.PHONY: browser
browser: build ## a real browser on the real platform (needs Chromium)
	@$(E2E) -timeout 25m $(ARGS) ./deploy/e2e/browser/...

.PHONY: faults
faults: build ## things that go down, are killed, or answer wrongly
	@$(E2E) -timeout 40m -run '^TestFault' $(ARGS) ./deploy/e2e/...

.PHONY: soak
soak: build ## long runs; SLUICE_SOAK=10m sets their length
	@$(E2E) -timeout 3h -run '^TestSoak' $(ARGS) ./deploy/e2e/...

.PHONY: bench
bench: bin/sluice-gateway ## the gateway beside nginx, HAProxy and net/http, interleaved (ARGS="-rows all -out FILE")
	@$(GO) run ./scripts/bench $(ARGS)

.PHONY: bench-go
bench-go: ## Go benchmarks of the gateway's path, held to their budgets
	@$(GO) run ./scripts/benchgo $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s), below FUZZ (everywhere)
	@grep -rl --include='*_test.go' '^func Fuzz' $(FUZZ) | while read -r file; do \
	  for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
	    printf '\033[1m==> %s %s\033[0m\n' $$name $$file; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s ./$$(dirname $$file) || exit 1; \
	  done; \
	done

# --- add things --------------------------------------------------------------------------------------

.PHONY: new-filter
new-filter: ## a filter: make new-filter name=geoip stage=protect
	@$(GO) run ./scripts/newthing filter $(name) $(stage)

.PHONY: new-sink
new-sink: ## a sink: make new-sink name=nats
	@$(GO) run ./scripts/newthing sink $(name)

.PHONY: new-page
new-page: ## a page of the console: make new-page name=Reports
	@$(GO) run ./scripts/newthing page $(name)

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
