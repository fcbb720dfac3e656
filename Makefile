# NexusCore Scheduler. `make` or `make help` lists the targets.

PLUGINS     := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
PLUGIN_BINS := $(PLUGINS:%=bin/plugins/%.wasm)
GO_SOURCES  := $(shell find . -name '*.go' -not -path './bin/*' -not -path './bench/*') go.mod go.sum
# Compiling whole programs to machine code is what these tests mostly do, and the
# race detector makes minutes of it. They have no goroutines of their own.
WHOLE_PROGRAMS := ./examples ./plugins

LINT        := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help

help: ## print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z\/-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: bin/scheduler $(PLUGIN_BINS) ## build bin/scheduler and the plugins under bin/plugins

run: build ## build, then serve on 127.0.0.1:3006 with data under ./data
	LOG_FORMAT=$${LOG_FORMAT:-text} bin/scheduler serve

dev: build ## the service beside a fake Discord, Twitch and notification service; nothing is kept
	bin/scheduler dev

bin/scheduler: $(GO_SOURCES) $(wildcard migrations/*/*.sql) api/openapi.yaml
	go build -trimpath -o $@ ./cmd/scheduler

bin/plugins/%.wasm: $(shell find sdk plugins -type f) go.mod go.sum
	GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -buildmode=c-shared -o $@ ./plugins/$*

test: build ## run every test beside Postgres, Redis and RabbitMQ, with the race detector, in random order
	go test -shuffle=on -timeout 14m $(WHOLE_PROGRAMS)
	go run ./internal/withservices -- go test -race -shuffle=on -timeout 14m $$(go list ./... | grep -vE '/(examples|plugins)$$')

test-short: build ## the tests that need no service, without -race
	go test -short -timeout 10m ./...

test-integration: build ## the tests that need Postgres, Redis or RabbitMQ, and no others
	go run ./internal/withservices -- go test -timeout 14m ./internal/sqlstore ./internal/redis ./internal/rabbitmq ./internal/app ./e2e

cover: build ## coverage of all tests but the whole-service ones, with a summary
	go run ./internal/withservices -- go test -timeout 14m -coverpkg=./... -coverprofile=bin/cover.out $$(go list ./... | grep -v /e2e)
	go tool cover -func=bin/cover.out | tail -1

bench: build ## measure start, lateness, throughput and memory
	go run ./internal/withservices -- go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./e2e
	go run ./internal/withservices -- go test -run '^$$' -bench . -timeout 30m ./core/... ./host/... ./internal/...

bench-extism: ## a run of a plugin beside one in Extism, in one process: docs/benchmarks.md
	cd bench/extism && go vet . && go run .

fuzz: ## fuzz each target for 30 s
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  grep -ho '^func Fuzz[A-Za-z]*' $$dir/*_test.go | cut -c6- | while read -r target; do \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime 30s $$dir || exit 1; done || exit 1; done

lint: ## gofmt, go vet and golangci-lint
	@! git grep -nE '^(<<<<<<<|>>>>>>>) '
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	cd examples/javascript && GOOS=wasip1 GOARCH=wasm go vet ./...
	go run $(LINT) run ./...

tidy: ## go.mod and go.sum as they should be
	go mod tidy
	cd examples/javascript && go mod tidy

clean: ## remove what was built
	rm -rf bin

examples: ## rebuild the modules under examples for which there are compilers
	$(MAKE) -C examples

simulate: ## random tasks, plugins and faults in simulated time: SIMULATE_SEEDS=200 seeds, or SIMULATE_SEED again
	@test -n "$$SIMULATE_SEED" || export SIMULATE_SEED=$$(date +%s) SIMULATE_SEEDS=$${SIMULATE_SEEDS:-200}; \
	  go test -race -count=1 -timeout 60m ./core/engine/simulation

soak: ## three nodes under load and random faults for SOAK (10m); SOAK_SEED repeats a run
	SOAK=$${SOAK:-10m} go run ./internal/withservices -- go test -run '^TestSoak$$' -count=1 -v -timeout 120m ./e2e

.PHONY: help build run dev test test-short test-integration cover bench bench-extism fuzz lint tidy clean examples simulate soak
