# SPDX-License-Identifier: Apache-2.0
# Two commands for a newcomer on Debian 12:   sudo make demo   and   sudo make check
# Each first installs what it needs from Debian's packages (tools/setup) and says so.
BUILD ?= build
JOBS ?= $(shell nproc)

.PHONY: all build setup demo check check-long fuzz bench bench-barrier format clean
all: build

setup:
	@tools/setup

$(BUILD)/build.ninja: | setup
	@cmake -S . -B $(BUILD) -G Ninja > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

build: setup $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS)

demo: build ## move a loaded redis-server live; table and demo-out/report.html
	@tools/demo/run $(BUILD)

check: build ## all tests; some 20 minutes on two processors, 6 of them for the fuzzers
	@tests/run $(BUILD)

check-long: build
	@tests/run --long $(BUILD)

FUZZ_SECONDS ?= 600
fuzz: build ## each fuzzer for FUZZ_SECONDS
	@tests/fuzz/run $(FUZZ_SECONDS) $(BUILD)

bench: build ## figures, as JSON and a table, in bench-out/
	@bench/run $(BUILD)

bench-barrier: build ## what the compile pass costs programs; needs Debian's source packages and tclsh
	@cmake --build $(BUILD) --target optmig-musl-plain
	@bench/barrier-cost $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-asan demo-out bench-out
