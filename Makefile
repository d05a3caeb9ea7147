# `make help` lists what there is to do.

TEMPLATE = {{cookiecutter.repo_name}}
# One environment for the template, its demo and its tests: what the projects need, and the tools of
# the template.
RUN = .venv/bin/python
INSTALLED = .venv/.template-installed
# How the packages get there: pip, uv or poetry. TORCH_INDEX: one more index, for another build of torch.
INSTALLER ?= pip
TORCH_INDEX ?=
# DEMO=quick: experiments/demo_quick.yml in place of experiments/demo.yml
DEMO ?=

# Without byte code on disk each import of torch and nussl takes half a minute.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test install poetry lint docs lock clean

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo "  make demo DEMO=quick               the demo with a training run of a few steps"
	@echo "  make install INSTALLER=uv          by uv (or poetry) instead of pip"
	@echo "  make install TORCH_INDEX=ADDRESS   with the torch of the index that PyTorch's install page names"

# ---- The demo: a new project in build/demo, its sample rendered once into build/data ----

NAME = source-separation
EXPERIMENT = experiments/demo$(if $(DEMO),_$(DEMO)).yml
# The project's environment is ours, so that it does not make another.
SCRIPT = cd build/demo/$(NAME) && ../../../$(RUN) -m

export DATA_DIRECTORY = $(CURDIR)/build/data
unexport CACHE_DIRECTORY ARTIFACTS_DIRECTORY

demo: install ## Write a project, show its shipped model at work, train a small one and score it
	@rm -rf build/demo
	$(RUN) -m cookiecutter --no-input --default-config --output-dir build/demo . repo_name=$(NAME)
	@test -f 'build/demo/$(NAME)/$(EXPERIMENT)' || { \
		echo "make demo: there is no $(EXPERIMENT) for DEMO=$(DEMO)" >&2; exit 1; }
	$(SCRIPT) scripts.visualize -p best_model/config.yml
	$(SCRIPT) scripts.train -p $(EXPERIMENT)
	$(SCRIPT) scripts.evaluate -p $(EXPERIMENT)
	@echo
	@echo "The project is build/demo/$(NAME), its sample is in build/data. What it wrote:"
	@ls -1 build/demo/$(NAME)/output/viz/*/*/* \
		build/demo/$(NAME)/artifacts/*/evaluation/*/table.md

# ---- The template's own work ----

# the arrays of the tests are so small that threads only wait for each other
test: export OMP_NUM_THREADS = 1
test: install ## Run the template's tests; one of them runs those of a project that it writes
	$(RUN) -m pytest $(ARGS)

# Each stamp is younger than its lock: a second `make install` does nothing.
install: $(INSTALLED) ## Make the environment, in .venv

poetry: ## The same by Poetry, which is installed too where it is missing
	@$(MAKE) --no-print-directory install INSTALLER=poetry

$(INSTALLED): requirements.lock $(TEMPLATE)/requirements.lock
	@$(MAKE) --no-print-directory -C '$(TEMPLATE)' install VENV=../.venv
	@$(RUN) '$(TEMPLATE)/setup/environment/install.py' --requirements requirements.lock \
		--installer $(if $(filter uv,$(INSTALLER)),uv,pip)
	@touch $@

lint: install ## Check style and types of the code, and the Markdown
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pymarkdown scan $$(git ls-files '*.md' ':!*/evaluation/*')
	@$(MAKE) --no-print-directory types

.PHONY: types
types:
	cd '$(TEMPLATE)' && ../$(RUN) -m mypy .

# The site of a new project, with the template's own page.
SITE = build/site/project

docs: install ## Build the documentation of the template and its projects: build/docs/index.html
	@rm -rf build/docs build/site
	@$(RUN) -m cookiecutter --no-input --default-config --output-dir build/site . repo_name=project
	@sed 's|(\.\./%7B%7Bcookiecutter\.repo_name%7D%7D/docs/|(|' docs/getting-started.md >$(SITE)/docs/template.md
	@sed -i 's|^## Getting started|&\n\n- [The template](template.md): see it work, write a project, update it|' \
		$(SITE)/docs/index.md
	@$(MAKE) --no-print-directory -C $(SITE) docs ACTIVE= VENV=../../../.venv \
		--old-file=../../../.venv/.installed
	@mv $(SITE)/output/docs build/docs

lock: install ## Write poetry.lock and both requirements.lock after a change of a pyproject.toml
	@rm -rf build/lock
	@$(RUN) -m cookiecutter --no-input --default-config --output-dir build/lock . repo_name=project
	@$(MAKE) --no-print-directory -C build/lock/project lock
	@mkdir build/lock/tools && cp -r pyproject.toml build/lock/project/poetry.lock \
		build/lock/project/vendor build/lock/tools
	@cd build/lock/project && ../../../$(RUN) setup/environment/install.py \
		--poetry lock --no-interaction --directory ../tools
	@$(RUN) build/lock/project/setup/environment/lock.py build/lock/tools
	@cp build/lock/project/poetry.lock build/lock/project/requirements.lock '$(TEMPLATE)'
	@cp build/lock/tools/requirements.lock .

clean: ## Remove the demo and all caches, but not the environment
	@rm -rf build
	@find . -name '.venv*' -prune -o -type d \( -name __pycache__ -o -name .pytest_cache \
		-o -name .ruff_cache -o -name .mypy_cache \) -prune -exec rm -rf {} +
