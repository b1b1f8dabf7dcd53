# Everything that is done to Pinocchio. "make" alone lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
COVERAGE_MIN ?= 85
SEEDS ?= 100000
FUZZTIME ?= 30s
FAULTS ?=
DURATION ?= 10m
SEED ?= 0
NODES ?= 3
CHAOS ?=
RATIOS ?=
TARGETS ?= http://127.0.0.1:3333 http://127.0.0.1:3334 http://127.0.0.1:3335
BENCH ?= --connections 64 --requests 1000000 --keys 1000 --verify

# Formatting and analysis, at the versions that tools/go.mod pins.
TOOL := go tool -modfile=tools/go.mod
# The tests find the server by PATH, wherever it was installed.
WITH_POSTGRES = PATH="$$(scripts/need --where postgres):$$PATH"
PROFILE := .run/coverage.out
IMAGE ?= pinocchio:latest

.PHONY: help build run cluster test manifests race cover check bench ratios bench-go simulate fuzz mutants faults chaos screenshots fmt lint fmt-check vet staticcheck arrows mutants-fit deadcode vuln image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

build: ## bin/pinocchio, a static binary
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/pinocchio ./cmd/pinocchio

run: build ## three nodes in one process, counters in ./data; needs nothing but Go
	./bin/pinocchio dev

cluster: build ## three processes and a private Postgres; "scripts/cluster" tells how to go on
	scripts/cluster up

test: manifests ## all tests; finds or installs the Postgres server and the browser that they use
	scripts/need postgres chromium
	$(WITH_POSTGRES) CGO_ENABLED=0 go test -count=1 -timeout 10m ./...

manifests: ## the Kubernetes manifests against the types of Kubernetes, alerts with Prometheus' own engine; each in a module of its own
	cd deploy/kubernetes/check && CGO_ENABLED=0 go test -count=1 ./...
	cd deploy/prometheus/check && CGO_ENABLED=0 go test -count=1 ./...

race: ## all tests under the race detector
	scripts/need postgres race chromium
	$(WITH_POSTGRES) CGO_ENABLED=1 go test -race -count=1 -timeout 30m ./...

cover: ## all tests, with the share of statements that they reach
	scripts/need postgres chromium
	mkdir -p .run
	$(WITH_POSTGRES) CGO_ENABLED=0 go test -count=1 -timeout 20m -covermode=atomic -coverpkg=./... -coverprofile=$(PROFILE) ./...
	scripts/coverage $(PROFILE) $(COVERAGE_MIN)

# The race detector and the coverage share one run of the tests. It is slow, so that run plays few seeds of the simulation; those that
# must take each rare path come after it.
check: lint manifests ## everything that a change must pass: lint, race detector, coverage of at least COVERAGE_MIN percent, the simulation
	scripts/need postgres race chromium
	mkdir -p .run
	$(WITH_POSTGRES) CGO_ENABLED=1 go test -race -count=1 -timeout 30m -covermode=atomic -coverpkg=./... -coverprofile=$(PROFILE) ./...
	scripts/coverage $(PROFILE) $(COVERAGE_MIN)
	CGO_ENABLED=0 go test -count=1 ./internal/sim

bench: build ## load on the running cluster, verified: TARGETS="URL ..." BENCH="flags of pinocchio bench"
	./bin/pinocchio bench $(addprefix --target ,$(TARGETS)) $(BENCH)

ratios: build ## one node and three against a handler that does nothing, disk against memory, batches: wrk, in turns, in one run
	scripts/need wrk
	scripts/ratios $(RATIOS)

bench-go: ## benchmarks of single packages
	CGO_ENABLED=0 go test -run '^$$' -bench . -benchmem ./...

simulate: ## SEEDS seeded histories of the protocol, on all processors; tells how fast, what they met, and what they prove
	PINOCCHIO_SEEDS=$(SEEDS) CGO_ENABLED=0 go test -count=1 -timeout 0 -v ./internal/sim -run TestSimulation_KeepsTheRules

fuzz: ## every fuzz target, each for FUZZTIME; failures stay in testdata/fuzz
	scripts/fuzz $(FUZZTIME)

mutants: ## plants known faults, one after another, and shows which test catches each
	scripts/need postgres chromium
	$(WITH_POSTGRES) go run ./scripts/mutants

faults: ## campaign on real processes and a real Postgres: kills, pauses, splits, lost commits; FAULTS="--scenario kill --seed 7"
	scripts/need postgres
	$(WITH_POSTGRES) go run ./scripts/faults $(FAULTS)

chaos: ## many faults at once on real processes, by a seeded schedule, every answer checked: DURATION=10m SEED=n NODES=3..5; root
	scripts/need postgres
	scripts/need faketime || true # the report says what is left out
	mkdir -p .run
	CGO_ENABLED=0 go build -o .run/chaos ./scripts/chaos
	go run ./scripts/chaos/overlay .run/overlay
	CGO_ENABLED=0 go build -overlay .run/overlay/overlay.json -o .run/pinocchio-stepped ./cmd/pinocchio
	$(WITH_POSTGRES) .run/chaos --bin .run/pinocchio-stepped --duration $(DURATION) --seed $(SEED) --nodes $(NODES) $(CHAOS)

screenshots: build ## pictures of the live page, in docs/images, from a cluster that is loaded, killed and joined
	scripts/need postgres chromium
	$(WITH_POSTGRES) go run ./scripts/screenshots

fmt: ## format all Go files
	$(TOOL) gofumpt -w .

lint: fmt-check vet staticcheck arrows mutants-fit ## format, vet, staticcheck, the arrows between packages, and that mutants fit the code

fmt-check:
	files=$$($(TOOL) gofumpt -l . | grep -v '^\.run/' || true); test -z "$$files" || { echo "not formatted, make fmt mends it:" $$files >&2; exit 1; }

vet:
	go vet ./...

staticcheck:
	$(TOOL) staticcheck ./...

arrows: ## no import runs the wrong way: scripts/arrows/rules.go
	go run ./scripts/arrows

mutants-fit:
	go run ./scripts/mutants -list >/dev/null

deadcode: ## functions that no command and no test reaches
	$(TOOL) deadcode -test ./...

vuln: ## known vulnerabilities in what is called; asks the Go vulnerability database
	$(TOOL) govulncheck ./...

image: ## the container image
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

clean: ## delete what was built; data and clusters stay
	rm -rf bin $(PROFILE)
