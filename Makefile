# `make run` on a machine with Python 3.11 or later is all it takes; see docs/operations.md.
#   DEMO=0    starts empty        MODELS=0  the web part alone, without PyTorch
PYTHON ?= python3
DEMO ?= 1
MODELS ?= 1
# Test processes side by side; each has a database of its own on one server. One more than the two cores that
# suffice: a test waits for a browser, a program or the database a good part of its time. Four are no faster, and need
# more connections than the test server allows.
# In the order of their names: by the number of tests, files of few long ones would come last, and one process idle.
TEST_PROCESSES ?= 3

# The tests start programs by the hundred, which read compiled code, whatever the shell forbids.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv/bin
WEB_ONLY := $(if $(filter 0,$(MODELS)),--web-only)

.PHONY: run setup setup-test check test coverage lint verify chaos bench

run: setup
	@exec $(VENV)/python manage.py up $(if $(filter 0,$(DEMO)),,--demo)

setup:
	@$(PYTHON) -m installer $(WEB_ONLY)

setup-test:
	@$(PYTHON) -m installer $(WEB_ONLY) --test

test: setup-test lint
	@$(VENV)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

# Before each commit: lint, and the tests that need no browser, no model and no server of the product.
CHECKED := stats metrics charts core audit jobs datasets rubrics registry ratings scoring campaigns adjudication \
           exports gates monitoring llm_judges webhooks
check: setup-test lint
	@$(VENV)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -q $(CHECKED:%=tests/%) \
	    tests/test_architecture.py tests/test_words.py tests/test_env.py

# Every test with the share of lines and branches that it passes through.
coverage: setup-test
	@$(VENV)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --cov

lint: setup-test
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check --quiet
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@$(VENV)/djlint --quiet --lint templates

# Long proofs in named parts; a part that passes has its line in docs/proofs.md.
#   PART="causes gates"  these alone      LIST=1  what each proves, and when it passed last; runs nothing
#   STALE=1  only those that have not passed since their code changed
CHOSEN = $(PART) $(if $(LIST),--list) $(if $(STALE),--stale)
#   RUNS=4               simulations with four times as many runs
#   MINUTES=30           make chaos kills for that long; SEED=… the same kills again (the seed is printed)
export RUNS MINUTES SEED
verify chaos bench: setup-test
	@$(VENV)/python -m proofs $@ $(CHOSEN)
