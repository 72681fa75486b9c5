# Everything a user or a developer of this repository runs. `make help` lists it.
#
#   CONTEXT=<kube context>   use that cluster of your own instead of the local one
#   REGISTRY=<registry>      where images are pushed for it
#   WATCH_NAMESPACES="<names>"  the operator looks after these namespaces only; `make test-namespaced` sets some

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

CACHE ?= $(or $(DASK_OPERATOR_CACHE),$(HOME)/.cache/dask-operator)
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
CONTEXT ?=
export WATCH_NAMESPACES ?=
USER_KUBECONFIG := $(KUBECONFIG)
export DASK_OPERATOR_CACHE := $(CACHE)
export KUBECONFIG := $(CURDIR)/build/kubeconfig
export PATH := $(CURDIR)/build/bin:$(CURDIR)/.venv/bin:$(PATH)

LOCALCLUSTER := PYTHONPATH=localcluster/src $(PYTHON) -m localcluster
UNIT := tests/unit
RELEASE := dask-operator

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(UV):
	@./localcluster/bootstrap "$(PYTHON)" "$(CACHE)/uv-$(UV_VERSION)" "uv==$(UV_VERSION)"

.PHONY: venv
venv: $(UV) ## Install everything that Python needs into .venv, in the locked versions
	@$(UV) sync --quiet --frozen --python "$$(command -v $(PYTHON))"

.PHONY: chart
chart: venv ## Write anew what is made from the chart's values: its schema and its README
	@python -m tools.values_schema
	helm-docs --chart-search-root charts/dask-operator --sort-values-order file --log-level warning

.PHONY: lock
lock: $(UV) ## Resolve the dependencies anew into uv.lock
	@$(UV) lock

.PHONY: tools
tools: ## Build kubectl, helm and the like into build/bin (cached)
	@$(LOCALCLUSTER) tools

.PHONY: cluster
cluster: ## Start the local Kubernetes, or heal it; its kubeconfig is build/kubeconfig
	@$(if $(CONTEXT),KUBECONFIG="$(USER_KUBECONFIG)") $(LOCALCLUSTER) up $(if $(CONTEXT),--context $(CONTEXT))

.PHONY: cluster-down
cluster-down: ## End the local Kubernetes and remove every trace of it
	@$(LOCALCLUSTER) down

.PHONY: images
images: ## Build the images and hand them to the cluster
	@mkdir -p build
	$(LOCALCLUSTER) image localhost/dask-operator:dev --file operator/Dockerfile \
		--input api --input operator --input uv.lock --input pyproject.toml > build/image-operator
	$(LOCALCLUSTER) image localhost/dask-operator-autoscaler:dev --file autoscaler/Dockerfile \
		--input api --input autoscaler --input uv.lock --input pyproject.toml > build/image-autoscaler
	$(LOCALCLUSTER) image localhost/dask:dev --file examples/dask-image/Dockerfile \
		--input uv.lock --input pyproject.toml > build/image-dask

.PHONY: test-needs
test-needs: $(UV) ## What only tests need: a browser, another client of the same API, images of tests and examples
	@mkdir -p build
	$(LOCALCLUSTER) browser
	UV_PROJECT_ENVIRONMENT=build/incumbent $(UV) sync --quiet --frozen --only-group incumbent --python "$$(command -v $(PYTHON))"
	$(LOCALCLUSTER) image localhost/dask-tests:dev --file tests/support/image/Dockerfile \
		--input tests/support/image --input api --input python-client --input uv.lock --input pyproject.toml \
		> build/image-tests
	$(LOCALCLUSTER) image localhost/dask-kubernetes-operator:dev --file tests/support/incumbent-operator/Dockerfile \
		--input tests/support/incumbent-operator --input uv.lock --input pyproject.toml > build/image-incumbent-operator
	$(LOCALCLUSTER) image localhost/flights-training:dev --file examples/training-image/Dockerfile \
		--input uv.lock --input pyproject.toml --input examples/train.py > build/image-training

.PHONY: plugin-image
plugin-image: images ## Build the operator's image with the example plugin in it, and hand it to the local cluster
	@rm -rf build/wheels build/plugin
	cp -r examples/plugin build/plugin
	$(UV) build --quiet --wheel --out-dir build/wheels build/plugin
	$(LOCALCLUSTER) image localhost/dask-operator-with-plugin:dev --file examples/plugin/Dockerfile \
		--stand-in ghcr.io/dask/dask-operator:0.1.0=localhost/dask-operator:dev --wheels build/wheels \
		--input examples/plugin --input api --input operator --input uv.lock --input pyproject.toml > build/image-plugin

.PHONY: install
install: images ## Put the current images and chart into the cluster
	@./localcluster/install "$(RELEASE)"

.PHONY: demo
demo: venv cluster install ## The main job: install, a Dask cluster, an answer, and workers that come and go
	@./examples/demo

.PHONY: check
check: venv ## Format, lint, types and the direction of imports
	@ruff format --check .
	ruff check .
	mypy
	lint-imports --no-cache

.PHONY: test-unit
test-unit: check ## The checks and the tests that run anywhere
	@pytest -q -n auto --dist worksteal $(UNIT)

.PHONY: test
test: test-unit cluster tools install test-needs ## Every test but the long ones, on the cluster too
	@./tests/on-the-cluster tests/chart tests/cluster

.PHONY: test-namespaced
test-namespaced: export WATCH_NAMESPACES = $(addprefix dask-tests-,0 1 2 3 4 5)
test-namespaced: cluster tools install test-needs ## The tests on the cluster, with an operator that looks after some namespaces only
	@./tests/on-the-cluster

.PHONY: test-all
test-all: test-unit cluster tools install test-needs ## Every test, the long ones too
	@./tests/on-the-cluster --slow tests/chart tests/cluster

.PHONY: dist
dist: venv tools ## What a release is made of, in dist/: chart and index, wheels, the list of images. CHART_URL=<where the charts will be>
	@./tools/dist $(UV)

.PHONY: bench
bench: venv cluster install ## The benchmarks
	@trap '$(LOCALCLUSTER) up --client-limits default' EXIT
	python -m bench
	$(LOCALCLUSTER) up --client-limits raised
	python -m bench sizing
	python -m bench.table

.PHONY: bench-incumbent
bench-incumbent: venv cluster tools install test-needs ## The same measures for dask-kubernetes, in place of ours for a while (15 minutes)
	@trap '$(LOCALCLUSTER) up --client-limits default' EXIT
	python -m bench incumbent
	$(LOCALCLUSTER) up --client-limits raised
	python -m bench incumbent
	python -m bench.table
