# `make` alone says what there is. A clean Debian with Go, git and make is enough: what else a target needs,
# it installs or builds itself.

# How long each fuzz target runs: in `make test` so many inputs (a time that runs out can fail), and in `make fuzz`.
FUZZ_SHORT ?= 300x
FUZZTIME   ?= 60s

# How long the tests with real clients may take. They take some minutes.
CLIENTS_TIMEOUT ?= 40m

# The race detector needs a C compiler. Where there is none, the same tests run without it. It does not look into SQLite, which
# is C that was translated to Go, nor into Go's cryptography: they take most of the time, and of the latter's cache of keys, whose
# pointers are weak, it reports what is no race.
RACE := $(if $(shell command -v $${CC:-gcc} 2>/dev/null),-race $(foreach of,modernc.org crypto,-gcflags=$(of)/...=-race=false))

# The tests that start no real clients. The race detector makes arithmetic ten times slower: of packages that are pure, it sees
# what calls them from several goroutines, and of the others what is not long and alone.
UNIT = $(shell go list ./... | grep -v '/integration')
PURE = ./formats/... ./signing/...
HOUSE = $(shell go list ./... | grep -v -e '/integration' -e '/formats' -e '/signing')
AT_ONCE = Conformance.*/calls_do_not_disturb|Conformance/^with_/calls_do_not_disturb|Ahead|AtOnce
ALONE = TestScripts/(keys|config)|TestDriversKeepBlobs/inmemory|TestAnyHistory|TestCompression

# Go keeps its caches in the home folder, and so do our tools.
ifeq ($(strip $(HOME)),)
export HOME := $(shell getent passwd "$$(id -u)" | cut -d: -f6)
endif

.DEFAULT_GOAL := help
.PHONY: help run build test test-unit test-clients lint bench fuzz tools deps clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Run the proxy on 127.0.0.1:8080, its files under ./data; ARGS="--listen …" for more
	go run ./cmd/proxy $(ARGS)

build: ## Build the proxy to ./bin/proxy
	CGO_ENABLED=0 go build -trimpath -o bin/proxy ./cmd/proxy

test: test-unit test-clients ## All tests: what they need is installed first, so that none is left out

test-unit: deps ## Tests without servers and clients, then those for the race detector, then each fuzz target for FUZZ_SHORT=300x
	go test $(UNIT)
	$(if $(RACE),go test $(RACE) -skip='$(ALONE)' $(HOUSE))
	$(if $(RACE),go test $(RACE) -run='$(AT_ONCE)' $(PURE))
	integration/fuzz $(FUZZ_SHORT)

test-clients: deps tools ## Tests with real registries and clients, one package at a time; RUN=regexp picks some
	go test -count=1 -p=1 -timeout=$(CLIENTS_TIMEOUT) $(if $(RUN),-run='$(RUN)' -v) ./integration/...

lint: ## gofmt, go vet and staticcheck: prints nothing when all is well
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	@staticcheck=$$(go run ./integration/tools/build staticcheck) && echo staticcheck ./... && "$$staticcheck" ./...

bench: deps tools ## Measure us beside what stands alone; prints tables
	go run ./integration/bench $(ARGS)

fuzz: ## Each fuzz target for FUZZTIME=60s
	integration/fuzz $(FUZZTIME)

tools: ## Build the pinned clients, registry and linter once, outside of the tree (the first time takes a while)
	@go run ./integration/tools/build >/dev/null

deps: ## Install the Debian packages that the tests run, if one is missing
	@integration/install-packages

clean: ## Remove ./bin; the built tools stay, they are in ~/.cache/hallmark/tools
	rm -rf bin
