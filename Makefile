# verve: `make` builds, `make run` runs everything here, `make test` tests it.
# `make help` lists the rest.

BUILD ?= build
WERROR ?= 0

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
ifeq ($(SANITIZE),1)
HARDEN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
endif

ALL_CFLAGS = -std=gnu11 $(WARN) $(HARDEN) -Icommon -I$(BUILD)/lua \
	-MMD -MP $(CFLAGS)
ALL_LDFLAGS = $(HARDEN) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LIBS := -lhiredis -linih -lcurl -ljansson

COMMON := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
FCGI := $(patsubst %.c,$(BUILD)/%.o,$(wildcard fcgi-app/*.c))
REPORTER := $(patsubst %.c,$(BUILD)/%.o,$(wildcard reporter/*.c))
LUA := $(patsubst common/%.lua,$(BUILD)/lua/%.lua.h,$(wildcard common/*.lua))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,\
	$(wildcard tests/unit/*.c))

.PHONY: all
all: $(BUILD)/verve-fcgi $(BUILD)/verve-reporter

$(BUILD)/verve-fcgi: $(FCGI) $(BUILD)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi $(LIBS)

$(BUILD)/verve-reporter: $(REPORTER) $(BUILD)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/common.a: $(COMMON)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c | $(LUA)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/lua/%.lua.h: common/%.lua tools/embed-lua
	@mkdir -p $(@D)
	tools/embed-lua $< >$@.tmp
	mv $@.tmp $@

# A unit test links the module that it is named after, by tests/unit/X.c
# including nothing but public headers, out of all objects but the mains.
$(BUILD)/tests/unit/%.o: ALL_CFLAGS += -Ifcgi-app -Ireporter
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/modules.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lfcgi $(LIBS)

$(BUILD)/modules.a: $(COMMON) $(filter-out %/main.o,$(FCGI) $(REPORTER))
	rm -f $@
	$(AR) rcs $@ $^

.PHONY: unit
unit: $(UNIT)
	@for t in $^; do ./$$t || exit 1; done

.PHONY: clean
clean:
	rm -rf $(BUILD) run

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
