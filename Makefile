# The everyday commands. Each is a script in tests/scripts/, which installs what is missing.

export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test check bench

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

demo: ## build the release binary and run the main job on real data
	@tests/scripts/demo.sh

test: ## install the test engines and run everything
	@tests/scripts/test.sh

check: ## format and lints only
	@tests/scripts/check.sh

bench: ## measure throughput on both engine pairs (takes a while; arguments: ARGS="…")
	@tests/scripts/bench.sh $(ARGS)
