# ibwire. `make demo` and `make test` need nothing but Python 3.11+, a C compiler and pip: they make .venv and build.
# Every target that runs something goes through tools/bootstrap.py, which does nothing where nothing changed.

PYTHON ?=
export PYTHON
SECONDS ?= 8
SEED ?= 7
MINUTES ?= 10
ARGS ?=
IBWIRE_CAPTURES ?= ../shared/captures
ORACLES := $(CURDIR)/.oracles

PY := .venv/bin/python
BOOTSTRAP = @python=$$(sh tools/find_python.sh) && exec "$$python" tools/bootstrap.py
DEMO = ibwire demo --seconds $(SECONDS) --seed $(SEED)
SANITIZED := build/sanitize
TSAN_TESTS := $(addprefix tests/stress/test_,lookers.py reader.py rings.py tables.py) tests/unit/ring/test_tables.py \
	$(addprefix tests/unit/io/test_,compiled_reader.py link.py life.py journal.py)
# A target whose script a later change brings says so, instead of passing.
script = @test -f $(1) || { echo "$(1) is not there yet: nothing to run" >&2; exit 2; }

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check conformance bench bench-full fuzz tsan soak model build dist clean distclean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "  settings: PYTHON=python3.12  SECONDS=8 SEED=7 (demo)  MINUTES=10 (fuzz)  ARGS='-k name' (test, conformance, bench)"

demo:  ## from nothing to a simulated gateway, quotes and a filled order
	$(BOOTSTRAP) --title "$(DEMO)" -- -m $(DEMO)

test:  ## the test suite: the clone alone, plus packages
	$(BOOTSTRAP) --extras test --title "pytest tests" -- -m pytest tests --ignore=tests/conformance $(ARGS)

check:  ## lint, types, import layers, generated files
	$(BOOTSTRAP) --extras dev
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) tools/check_imports.py
	$(PY) tools/generate.py --check

conformance:  ## against the official packages and recorded traffic ($IBWIRE_CAPTURES)
	$(BOOTSTRAP) --extras test
	@IBWIRE_ORACLES="$(ORACLES)" $(PY) tools/oracles.py
	@test -n "$$(find -L "$(IBWIRE_CAPTURES)" -name '*.jsonl' 2>/dev/null | head -n 1)" || \
		{ echo "missing: captures (*.jsonl) in $(IBWIRE_CAPTURES); set IBWIRE_CAPTURES" >&2; exit 1; }
	IBWIRE_ORACLES="$(ORACLES)" IBWIRE_CAPTURES="$(abspath $(IBWIRE_CAPTURES))" \
		$(PY) -m pytest tests/conformance $(ARGS)
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m pytest -q benchmarks --ignore=benchmarks/test_decode.py

bench:  ## first figures, in a few minutes
	$(BOOTSTRAP) --extras test
	@IBWIRE_ORACLES="$(ORACLES)" $(PY) tools/oracles.py 10.46.1 ib_async
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m pytest benchmarks/test_decode.py --benchmark-columns=min,median,iqr,rounds $(ARGS)
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.report
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.report --byte-loops
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.compat_report
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.flow_report --part orders --part poll --part inline --part threaded \
		--runs 3 --paced 10000

bench-full:  ## every figure, long; results kept in benchmarks/results and .benchmarks
	$(BOOTSTRAP) --extras test
	@IBWIRE_ORACLES="$(ORACLES)" $(PY) tools/oracles.py 10.46.1 ib_async
	IBWIRE_BENCH_FULL=1 IBWIRE_ORACLES="$(ORACLES)" $(PY) -m pytest benchmarks/test_decode.py --benchmark-autosave \
		--benchmark-min-rounds=20 $(ARGS)
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.report --runs 15 --count 1000000
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.report --runs 15 --count 1000000 --byte-loops
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.compat_report --runs 15 --peer-flood-runs 7
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.flow_report --runs 7 --json benchmarks/results/figures.json
	IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.tracker --runs 7 --json benchmarks/results/tracker.json
	@for part in risk order_path journal sim_orders sim_market; do \
		echo "python -m benchmarks.$$part"; \
		IBWIRE_ORACLES="$(ORACLES)" $(PY) -m benchmarks.$$part > benchmarks/results/$$part.txt || exit; \
		cat benchmarks/results/$$part.txt; \
	done

fuzz:  ## fuzz the decoders, built with AddressSanitizer and UndefinedBehaviorSanitizer
	$(call script,tools/fuzz.py)
	$(BOOTSTRAP) --extras test,fuzz
	rm -rf $(SANITIZED)
	IBWIRE_SANITIZE=1 $(PY) setup.py --quiet build --build-base $(SANITIZED) --build-lib $(SANITIZED)/lib
	LD_PRELOAD="$$($${CC:-cc} -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 PYTHONMALLOC=malloc PYTHONPATH=$(SANITIZED)/lib \
		$(PY) tools/fuzz.py --minutes $(MINUTES) $(ARGS)

tsan:  ## rings, tables, reader, journal: stress and unit tests, built with ThreadSanitizer
	$(BOOTSTRAP) --extras test
	rm -rf $(SANITIZED)-thread
	IBWIRE_SANITIZE=thread $(PY) setup.py --quiet build --build-base $(SANITIZED)-thread --build-lib $(SANITIZED)-thread/lib
	LD_PRELOAD="$$($${CC:-cc} -print-file-name=libtsan.so)" IBWIRE_STRESS_RECORDS=300000 IBWIRE_STRESS_ROUNDS=3 \
		IBWIRE_STRESS_KILLS=2 TSAN_OPTIONS="exitcode=66 report_thread_leaks=0 history_size=7" \
		PYTHONSAFEPATH=1 PYTHONPATH="$(CURDIR)/$(SANITIZED)-thread/lib:$(CURDIR)" \
		$(PY) -m pytest -o pythonpath= -p no:cacheprovider $(TSAN_TESTS) $(ARGS)

soak:  ## long runs: no loss, flat memory
	$(call script,tools/soak.py)
	$(BOOTSTRAP) --extras test -- tools/soak.py $(ARGS)

model:  ## check the concurrency model, state by state
	$(call script,tools/model.py)
	$(BOOTSTRAP) --title "tools/model.py" -- tools/model.py $(ARGS)

build:  ## .venv and the compiled modules, in place
	$(BOOTSTRAP)

dist:  ## sdist and wheel, each installed and tried in an environment of its own
	$(BOOTSTRAP) --extras dev -- tools/check_dist.py

clean:  ## what builds and tests left behind
	rm -rf build dist *.egg-info ibwire/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .venv/.modules .venv/.package
	find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.oracles/*' -prune -exec rm -rf {} +

distclean: clean  ## the environments too
	rm -rf .venv .oracles
