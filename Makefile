# verve: `make` builds, `make run` runs everything here, `make test` tests it.
# `make help` lists the rest.

BUILD ?= build
WERROR ?= 0
PREFIX ?= /usr
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
FUZZ_SECONDS ?= 30
RANDOM_SECONDS ?= 300
RELEASES ?= 12 13

CFLAGS ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -Wformat \
	-Werror=format-security
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wvla -Wformat=2 -Wundef -Wconversion \
	-Wno-sign-conversion
ifeq ($(WERROR),1)
WARN += -Werror
endif

# make SANITIZE=1 builds with ASan and UBSan; `make asan` does so apart.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
ifeq ($(SANITIZE),1)
HARDEN := $(SANITIZERS)
endif

# The web servers are in /usr/sbin, which not every user has in PATH.
export PATH := $(PATH):/usr/sbin

# Commands are shown in short form; make V=1 shows them in full.
ifneq ($(V),1)
say = @printf '  %-4s %s\n' $1 $@ &&
endif

BASE_CFLAGS = -std=gnu11 -Icommon -Ireporter -I$(BUILD)/lua -I$(BUILD)/files -MMD -MP
ALL_CFLAGS = $(BASE_CFLAGS) $(WARN) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LIBS := -lhiredis -linih -lcurl -ljansson -lssl -lcrypto -lcares
REPORTER_LIBS := -lrdkafka -lmicrohttpd -lssl

FUZZ_CC ?= clang
FUZZ_CFLAGS = $(BASE_CFLAGS) -Ifcgi-app -O1 -g $(SANITIZERS) \
	-fsanitize=fuzzer-no-link

COMMON_SRC := $(wildcard common/*/*.c)
FCGI_SRC := $(wildcard fcgi-app/*.c)
REPORTER_SRC := $(wildcard reporter/*.c reporter/*/*.c)
MODULES_SRC := $(COMMON_SRC) $(filter-out %/main.c,$(FCGI_SRC) $(REPORTER_SRC))
LOAD_SRC := $(wildcard bench/load/*.c)
UNIT_SRC := $(wildcard tests/unit/*/*.c)
MOCK_SRC := $(wildcard tests/mock/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

OBJ := $(BUILD)/obj
COMMON := $(COMMON_SRC:%.c=$(OBJ)/%.o)
FCGI := $(FCGI_SRC:%.c=$(OBJ)/%.o)
REPORTER := $(REPORTER_SRC:%.c=$(OBJ)/%.o)
LOAD := $(LOAD_SRC:%.c=$(OBJ)/%.o)
UNIT_OBJ := $(UNIT_SRC:%.c=$(OBJ)/%.o)
LUA_DIR := common/store/lua
# Files that are parts of scripts, and scripts that have no file of their name.
PARTS := accept accept-clock accept-told accept-room accept-end \
	window window-clock window-told window-on queue
TOLD := accept-setnx-told accept-set-told accept-hll-told window-seal-told
LUA := $(patsubst $(LUA_DIR)/%.lua,$(BUILD)/lua/%.lua.h, \
	$(filter-out $(PARTS:%=$(LUA_DIR)/%.lua),$(wildcard $(LUA_DIR)/*.lua)) \
	$(TOLD:%=$(LUA_DIR)/%.lua))
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
MOCK := $(MOCK_SRC:%.c=$(BUILD)/%)
PRELOAD := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/preload/*.c))
HELPERS := $(MOCK) $(PRELOAD) $(BUILD)/bench/load
FUZZ_MODULES := $(MODULES_SRC:%.c=$(OBJ)/fuzz/%.o)
FUZZ_OBJ := $(FUZZ_SRC:tests/%.c=$(OBJ)/%.o)
FUZZ := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
BENCH := $(addprefix $(BUILD)/bench/,load naive ceiling receiver fill multi)
PROGRAMS := $(BUILD)/verve-fcgi $(BUILD)/verve-reporter
MAN := $(patsubst docs/man/%,$(BUILD)/man/%,$(wildcard docs/man/*))

# What each goal needs of Debian, in the groups of tools/install-deps. Only
# these goals install packages; a plain `make` compiles and nothing else.
NEEDS_run := build run $(if $(filter nginx,$(WEB)),nginx)
NEEDS_test := build run nginx test
NEEDS_unit := $(NEEDS_test)
NEEDS_e2e := $(NEEDS_test)
NEEDS_asan := $(NEEDS_test)
NEEDS_test-tls := $(NEEDS_test)
NEEDS_test-cluster := $(NEEDS_test)
NEEDS_test-random := $(NEEDS_test)
NEEDS_test-kafka := $(NEEDS_test)
NEEDS_test-api := $(NEEDS_test)
NEEDS_test-monitoring := $(NEEDS_test) monitoring
NEEDS_test-browser := $(NEEDS_test) browser
NEEDS_lint := build lint
NEEDS_fuzz := build fuzz
NEEDS_deb := build deb
NEEDS_test-package := build chroot
NEEDS_bench := build run bench
NEEDS := $(sort $(foreach goal,$(MAKECMDGOALS),$(NEEDS_$(goal))))
ifneq ($(NEEDS),)
DEPS := deps
endif

.PHONY: all
all: $(PROGRAMS) $(MAN) ## build both programs and the manual pages

.PHONY: deps
deps:
	@tools/install-deps $(NEEDS)

$(BUILD)/verve-fcgi: $(FCGI) $(BUILD)/common.a
	$(call say,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi $(LIBS)

$(BUILD)/verve-reporter: $(REPORTER) $(BUILD)/common.a
	$(call say,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(REPORTER_LIBS) $(LIBS)

$(BUILD)/common.a: $(COMMON)
$(BUILD)/fcgi-app.a: $(filter-out %/main.o,$(FCGI))
$(BUILD)/reporter.a: $(filter-out %/main.o,$(REPORTER))
$(BUILD)/%.a:
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

# Texts that verve-fcgi serves, as strings in headers.
FILES := $(BUILD)/files/openapi.h $(BUILD)/files/status_files.h
$(BUILD)/files/openapi.h: docs/openapi.json tools/embed-text
	@mkdir -p $(@D)
	$(call say,TEXT) tools/embed-text openapi $< >$@.tmp && mv $@.tmp $@

STATUS_FILES := $(wildcard fcgi-app/status/*)
$(BUILD)/files/status_files.h: $(STATUS_FILES) tools/embed-text
	@mkdir -p $(@D)
	$(call say,TEXT) tools/embed-text status_file $(STATUS_FILES) >$@.tmp && mv $@.tmp $@

$(OBJ)/%.o: %.c $(BUILD)/flags | $(LUA) $(FILES) $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/lua/%.lua.h: $(BUILD)/lua/%.lua tools/embed-lua tools/lua-commands
	$(call say,LUA) tools/embed-lua $< >$@.tmp && mv $@.tmp $@

# The scripts as Redis runs them. Some share their first part or their last.
$(BUILD)/lua/accept-%-told.lua: $(LUA_DIR)/accept.lua \
		$(LUA_DIR)/accept-told.lua $(LUA_DIR)/accept-room.lua \
		$(LUA_DIR)/accept-%.lua $(LUA_DIR)/accept-end.lua
	@mkdir -p $(@D) && cat $^ >$@
$(BUILD)/lua/accept-%.lua: $(LUA_DIR)/accept.lua $(LUA_DIR)/accept-clock.lua \
		$(LUA_DIR)/accept-room.lua $(LUA_DIR)/accept-%.lua \
		$(LUA_DIR)/accept-end.lua
	@mkdir -p $(@D) && cat $^ >$@
$(BUILD)/lua/window-look.lua $(BUILD)/lua/window-seal.lua: \
		$(BUILD)/lua/%.lua: $(LUA_DIR)/window.lua \
		$(LUA_DIR)/window-clock.lua $(LUA_DIR)/window-on.lua $(LUA_DIR)/%.lua
	@mkdir -p $(@D) && cat $^ >$@
$(BUILD)/lua/window-seal-told.lua: $(LUA_DIR)/window.lua \
		$(LUA_DIR)/window-told.lua $(LUA_DIR)/window-on.lua \
		$(LUA_DIR)/window-seal.lua
	@mkdir -p $(@D) && cat $^ >$@
$(BUILD)/lua/queue-look.lua $(BUILD)/lua/status.lua: \
		$(BUILD)/lua/%.lua: $(LUA_DIR)/queue.lua $(LUA_DIR)/%.lua
	@mkdir -p $(@D) && cat $^ >$@
$(BUILD)/lua/%.lua: $(LUA_DIR)/%.lua
	@mkdir -p $(@D) && cp $< $@
.PRECIOUS: $(BUILD)/lua/%.lua $(BUILD)/lua/accept-%.lua \
	$(BUILD)/lua/accept-%-told.lua

# Objects are compiled again if the compiler or its flags have changed.
FLAGS := $(strip $(CC) $(WARN) $(HARDEN) $(CFLAGS) $(LDFLAGS))
ifneq ($(FLAGS),$(file <$(BUILD)/flags))
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),all)),)
$(shell mkdir -p $(BUILD))
$(file >$(BUILD)/flags,$(FLAGS))
endif
endif

# Manual pages: the lists in them are those that -h of the program has.
$(BUILD)/man/verve-fcgi.8: program = $(BUILD)/verve-fcgi
$(BUILD)/man/verve-reporter.8: program = $(BUILD)/verve-reporter
$(BUILD)/man/verve.conf.5: program = $(BUILD)/verve-reporter
$(BUILD)/man/vervectl.8: program = ops/vervectl
$(BUILD)/man/verve-spawn.8: program = ops/verve-spawn
$(MAN): $(BUILD)/man/%: docs/man/% tools/man-page $(PROGRAMS) ops/vervectl \
		ops/verve-spawn
	@mkdir -p $(@D)
	$(call say,MAN) $(program) -h | tools/man-page - $< >$@.tmp && mv $@.tmp $@

# A unit test links the modules that it needs, out of all but the two main.c.
$(UNIT_OBJ): BASE_CFLAGS += -Ifcgi-app -Itests/unit
# cmocka 2 calls macros deprecated whose successors cmocka 1 does not have.
$(UNIT_OBJ): WARN += -Wno-deprecated-declarations
$(UNIT): $(BUILD)/%: $(OBJ)/%.o $(BUILD)/fcgi-app.a $(BUILD)/reporter.a \
		$(BUILD)/common.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lfcgi \
		$(REPORTER_LIBS) $(LIBS)

# Servers that fail on command, for the end-to-end tests.
$(MOCK): $(BUILD)/%: $(OBJ)/%.o
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(REPORTER_LIBS)

# Loaded into other people's programs, and therefore without sanitizers.
$(PRELOAD): $(BUILD)/%.so: %.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(WARN) -O2 -fPIC -shared -o $@ $<

# The peers of the benchmark. ceiling is verve-fcgi with another counter.c.
$(BUILD)/bench/load: $(LOAD) $(BUILD)/common.a
$(BUILD)/bench/naive: $(OBJ)/bench/naive.o $(BUILD)/common.a
$(BUILD)/bench/receiver: $(OBJ)/bench/receiver.o $(BUILD)/common.a
$(BUILD)/bench/fill: $(OBJ)/bench/fill.o $(BUILD)/common.a
$(BUILD)/bench/multi: $(OBJ)/bench/multi.o $(BUILD)/reporter.a $(BUILD)/common.a
$(BUILD)/bench/ceiling: $(OBJ)/bench/ceiling.o $(FCGI) $(BUILD)/common.a
$(BENCH):
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi $(LIBS) -lm

# Fuzzers need clang; their objects are apart from the others.
$(FUZZ_MODULES): $(OBJ)/fuzz/%.o: %.c | $(LUA) $(FILES) $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC) $(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<

$(FUZZ_OBJ): $(OBJ)/%.o: tests/%.c | $(LUA) $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC) $(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<

$(FUZZ): $(BUILD)/%: $(OBJ)/%.o $(FUZZ_MODULES)
	@mkdir -p $(@D)
	$(call say,LD) $(FUZZ_CC) $(SANITIZERS) -fsanitize=fuzzer -o $@ $^ \
		-lfcgi $(REPORTER_LIBS) $(LIBS)

.PHONY: run
run: $(DEPS) $(PROGRAMS) ## run all of it here until Ctrl-C (PORT=8080 WEB=lighttpd)
	@tools/run $(BUILD)

.PHONY: test
test: $(DEPS) $(PROGRAMS) $(MAN) $(HELPERS) $(UNIT) ## run all tests
	@VERVE_BUILD=$(BUILD) tools/test $(UNIT) tests/e2e

.PHONY: unit
unit: $(DEPS) $(UNIT) ## run the unit tests
	@VERVE_BUILD=$(BUILD) tools/test $(UNIT)

.PHONY: e2e
e2e: $(DEPS) $(PROGRAMS) $(MAN) $(HELPERS) ## run the end-to-end tests (PYTEST_ARGS=)
	@VERVE_BUILD=$(BUILD) tools/test tests/e2e

# The core of the end-to-end tests.
CORE := test_http or test_report.py or test_callbacks.py or test_rights.py or test_run.py

.PHONY: test-cluster
test-cluster: $(DEPS) $(PROGRAMS) $(MAN) $(HELPERS) ## run the core of the end-to-end tests on three masters of a Redis Cluster
	@VERVE_TEST_REDIS=cluster VERVE_BUILD=$(BUILD) \
		PYTEST_ARGS="-k '$(CORE)' $(PYTEST_ARGS)" tools/test tests/e2e

.PHONY: test-tls
test-tls: $(DEPS) $(PROGRAMS) $(MAN) $(HELPERS) ## run the core of the end-to-end tests with TLS to Redis
	@VERVE_TEST_REDIS=tls VERVE_BUILD=$(BUILD) \
		PYTEST_ARGS="-k '$(CORE)' $(PYTEST_ARGS)" tools/test tests/e2e

.PHONY: test-random
test-random: $(DEPS) $(PROGRAMS) $(HELPERS) ## faults at random for RANDOM_SECONDS=300 (SEED= RUNS= FAULTS= TOPOLOGY=)
	@VERVE_BUILD=$(BUILD) /usr/bin/python3 -B tests/random \
		$(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) \
		$(if $(TOPOLOGY),--topology $(TOPOLOGY)) --faults "$(FAULTS)" --seconds $(RANDOM_SECONDS)

.PHONY: test-package
test-package: $(DEPS) $(BUILD)/bench/load ## the life of the package on booted Debians, RELEASES="12 13" (REDIS=valkey)
	@VERVE_BUILD=$(BUILD) /usr/bin/python3 -B tests/package $(RELEASES)

.PHONY: test-kafka
test-kafka: $(DEPS) $(PROGRAMS) ## test against a real Kafka (Java and Maven)
	@VERVE_BUILD=$(BUILD) tools/test tests/e2e/real_kafka.py

.PHONY: test-monitoring
test-monitoring: $(DEPS) $(PROGRAMS) $(HELPERS) ## test metrics, alerts and dashboard with a real Prometheus (FAULTS=)
	@VERVE_BUILD=$(BUILD) tools/test tests/e2e/real_prometheus.py \
		tests/e2e/real_alerts.py

.PHONY: test-api
test-api: $(DEPS) $(PROGRAMS) ## test the API description against the service (schemathesis from PyPI)
	@VERVE_BUILD=$(BUILD) tools/test tests/e2e/real_schemathesis.py

.PHONY: test-browser
test-browser: $(DEPS) $(PROGRAMS) $(HELPERS) ## test the status page in Chromium
	@VERVE_BUILD=$(BUILD) tools/test tests/e2e/real_browser.py

.PHONY: asan
asan: ## run all tests with ASan and UBSan
	@$(MAKE) BUILD=$(BUILD)/asan SANITIZE=1 test

.PHONY: nightly
nightly: export VERVE_TRIES := 1
nightly: ## all that takes hours: every test, with sanitizers and on other releases, faults at random, fuzzers, the package
	@$(MAKE) test
	@$(MAKE) asan
	@$(MAKE) e2e VERVE_TEST_EDGE=1.5
	@$(MAKE) test-random RANDOM_SECONDS=3600
	@$(MAKE) test-random RANDOM_SECONDS=1800 TOPOLOGY=cluster
	@$(MAKE) test-random RANDOM_SECONDS=1800 TOPOLOGY=sentinel
	@$(MAKE) fuzz FUZZ_SECONDS=600
	@for system in 12:valkey 13:redis 13:valkey sid:redis sid:valkey; do \
		REDIS=$${system#*:} tools/in-debian $${system%:*} make test || exit; \
	done
	@$(MAKE) test-package
	@$(MAKE) test-package REDIS=valkey

.PHONY: fuzz
fuzz: $(DEPS) $(FUZZ) ## run each fuzzer for FUZZ_SECONDS=30
	@tools/fuzz $(FUZZ_SECONDS) $(FUZZ)

.PHONY: lint
lint: $(DEPS) $(LUA) $(FILES) $(MAN) ## run all linters
	@tools/lint $(BUILD)

.PHONY: bench
bench: $(DEPS) $(PROGRAMS) $(BENCH) ## measure against the peers (SECTIONS="pairs memory": a part)
	@VERVE_BUILD=$(BUILD) bench/run $(SECTIONS)
	@$(if $(SECTIONS),,VERVE_BUILD=$(BUILD) bench/callbacks)

.PHONY: install
install: $(PROGRAMS) $(MAN) ## install into DESTDIR, PREFIX=/usr, with units for systemd
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) UNIT_DIR=$(UNIT_DIR) \
		tools/install-files $(BUILD)

.PHONY: uninstall
uninstall: ## stop and remove it; files in /etc that were changed stay
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) UNIT_DIR=$(UNIT_DIR) \
		tools/install-files -r $(BUILD)

.PHONY: dist
dist: ## make a tarball of the last commit, with a checksum
	@mkdir -p $(BUILD)
	@tools/dist $(BUILD)

.PHONY: deb
deb: $(DEPS) ## make a Debian package of what is here, in build/deb (VERSION=)
	@tools/deb $(BUILD) $(VERSION)

.PHONY: acl
acl: $(PROGRAMS) ## write conf/redis.acl anew, after a script has changed
	tools/redis-acl $(BUILD) >conf/redis.acl

.PHONY: openapi
openapi: ## write docs/openapi.json anew, after docs/openapi.yaml has changed
	tools/openapi-json docs/openapi.yaml >docs/openapi.json.tmp
	mv docs/openapi.json.tmp docs/openapi.json

.PHONY: clean
clean: ## remove what was built and what `make run` left
	rm -rf $(BUILD) run

.PHONY: help
help: ## list the goals
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

-include $(patsubst %.o,%.d,$(COMMON) $(FCGI) $(REPORTER) $(LOAD) \
	$(UNIT_OBJ) $(FUZZ_MODULES) $(FUZZ_OBJ) \
	$(OBJ)/bench/naive.o $(OBJ)/bench/ceiling.o $(OBJ)/bench/receiver.o \
	$(OBJ)/bench/fill.o $(OBJ)/bench/multi.o)
