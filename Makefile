# make sim [ARGS="--policy models/... --episodes 5"]   build what is missing, then fly on the simulated Crazyflie
# make test [ARGS="-k bundle"]                         lint, types, all quick tests
# make env | build                                     only the environment | and the messages and packages in it
# make docs                                            the pages under docs/ as a site in build/site
# make accept N=2                                      the acceptance runs of issue N (see tests/acceptance)
# make clean                                           remove .venv and build: the next make starts from scratch
#
# A second `make sim` goes straight to flying: stamp files in .venv/stamps remember what is done.

VENV := .venv
BIN := $(VENV)/bin
# A virtual environment does not survive being moved; with the folder's checksum in its name a stamp does not either.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
STAMPS := $(VENV)/stamps/$(HERE)
PACKAGES := deqmpc_core deqmpc_sim deqmpc_train deqmpc_policy_node deqmpc
INTERFACES := $(sort $(shell find src/interfaces -name '*.msg' -o -name '*.srv' -o -name CMakeLists.txt -o -name package.xml))
INTERFACE_FOLDERS := $(patsubst %/package.xml,%,$(filter %/package.xml,$(INTERFACES)))
KERNELS := $(shell find src/deqmpc_core src/deqmpc_sim -name '*.py')
CHECKED := src tests tools launch $(wildcard examples)
ARGS ?=

# The wheels are a ROS 2 prefix of their own: nothing of a sourced /opt/ros, of another environment or of a parent process
# that runs on wheels may leak in (its guard variable would keep LD_LIBRARY_PATH from being set for this .venv).
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME LD_LIBRARY_PATH VIRTUAL_ENV
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION RMW_IMPLEMENTATION _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: sim test docs env build accept clean precheck
.DELETE_ON_ERROR:

sim: build
	@$(BIN)/deqmpc sim $(ARGS)

test: build $(STAMPS)/dev
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

docs: build $(STAMPS)/dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "wrote build/site/index.html"

accept: build $(STAMPS)/dev
	@test -n "$(N)" || { echo "deqmpc: which issue? run: make accept N=2" >&2; exit 2; }
	$(BIN)/python -m pytest -m accept $(wildcard tests/acceptance/test_issue_$(N)*.py) $(ARGS)

env: $(STAMPS)/env

build: $(STAMPS)/interfaces $(STAMPS)/packages $(STAMPS)/kernels

clean:
	rm -rf $(VENV) build

precheck:
	@ROS_DISTRO="$(ROS_DISTRO)" AMENT_PREFIX_PATH="$(AMENT_PREFIX_PATH)" tools/precheck.sh > /dev/null

$(STAMPS)/env: requirements.txt requirements-ros.txt tools/ros_wheels.py | precheck
	@echo "making $(VENV) with the versions of requirements.txt (once, some minutes)"
	@test -d $(STAMPS) || "$$(tools/precheck.sh 2> /dev/null)" -m venv --clear $(VENV)
	@mkdir -p $(STAMPS)
	@$(BIN)/python -m pip install --quiet -r requirements.txt -r requirements-ros.txt
	@$(BIN)/python tools/ros_wheels.py
	@touch $@

$(STAMPS)/dev: requirements-dev.txt requirements-docs.txt requirements-view.txt $(STAMPS)/env
	@echo "adding what the tests and the pages need"
	@$(BIN)/python -m pip install --quiet -r requirements-dev.txt -r requirements-docs.txt
	@$(BIN)/python -m pip install --quiet --no-deps -r requirements-view.txt
	@touch $@

# Installed into the environment itself, so that nothing needs sourcing. BUILD_TESTING=OFF: the message packages' linters
# look for programs the wheels do not have.
$(STAMPS)/interfaces: $(INTERFACES) $(STAMPS)/env
	@echo "building the message packages (once, some minutes)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" AMENT_PREFIX_PATH="$(CURDIR)/$(VENV)" CMAKE_PREFIX_PATH="$(CURDIR)/$(VENV)" \
	colcon --log-level error --log-base build/log build --paths $(INTERFACE_FOLDERS) --merge-install \
		--build-base build/interfaces-$(HERE) --install-base $(VENV) --executor sequential --event-handlers console_stderr- \
		--cmake-args -G Ninja -DPython3_EXECUTABLE="$(CURDIR)/$(BIN)/python" -DBUILD_TESTING=OFF
	@touch $@

# Editable: a change in src/ is live. --no-deps because requirements.txt has pinned everything.
$(STAMPS)/packages: $(PACKAGES:%=src/%/setup.py) $(STAMPS)/env
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(PACKAGES:%=-e src/%)
	@touch $@

# A flight with cold kernels would work too, but has several processes compile at once.
$(STAMPS)/kernels: $(KERNELS) tools/warm_kernels.py $(STAMPS)/interfaces $(STAMPS)/packages
	@echo "compiling the kernels"
	@$(BIN)/python tools/warm_kernels.py
	@touch $@
