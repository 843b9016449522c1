# mod_dsapi: build, run, test. `make help` lists the targets.
#
# Variables: BUILD (where things are built), CC, SAN=1 (ASan and UBSan), TSAN=1
# (ThreadSanitizer), and those of `make run` (PORT, LISTEN, HUNGERMAP_UPSTREAM,
# RESTCOUNTRIES_UPSTREAM, DATABASE_URL, EXTRA_CONF), which are handed on in the
# environment.

BUILD ?= build
CC = gcc
APXS ?= $(shell command -v apxs2 || command -v apxs)

export PORT LISTEN HUNGERMAP_UPSTREAM RESTCOUNTRIES_UPSTREAM DATABASE_URL \
	EXTRA_CONF BUILD ROUNDS DURATION ONLY STRICT

warnings = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wwrite-strings -Wundef -Wcast-qual -Wformat=2 -Wvla -Wnull-dereference \
	-Wimplicit-fallthrough -Wswitch-enum -Wlogical-op -Wduplicated-cond
flags = -std=c11 -g -O2 -fPIC -fvisibility=hidden -D_FORTIFY_SOURCE=2 \
	-fstack-protector-strong -D_GNU_SOURCE $(warnings)
ifdef SAN
flags = -std=c11 -g -O1 -fPIC -fno-omit-frame-pointer -D_GNU_SOURCE \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined $(warnings)
endif

ifdef TSAN
flags = -std=c11 -g -O1 -fPIC -fno-omit-frame-pointer -D_GNU_SOURCE \
	-fsanitize=thread $(warnings)
endif

core_dirs = base json csv sql db route resource series source time limit docs
core_src := $(foreach d,$(core_dirs),$(wildcard src/$(d)/*.c))
glue_src := mod_dsapi.c $(wildcard src/httpd/*.c)
unit_src := $(wildcard tests/unit/*.c)
tool_src := $(wildcard tests/tools/*.c)

core_obj = $(core_src:%.c=$(BUILD)/obj/%.o)
glue_obj = $(glue_src:%.c=$(BUILD)/obj/%.o)
unit_obj = $(unit_src:%.c=$(BUILD)/obj/%.o)
tools = $(tool_src:tests/tools/%.c=$(BUILD)/tools/%)

# -isystem: what is wrong in another project's header is not ours to mend.
# Lazily: the packages may only be installed by the first target.
isystem = $(patsubst -I%,-isystem %,$(1))
core_inc = -Isrc $(call isystem,$(shell apr-1-config --includes --cppflags) \
	$(shell apu-1-config --includes) \
	$(shell pkg-config --cflags libcurl libpq libpcre2-8))
test_inc = $(core_inc) $(call isystem,$(shell pkg-config --cflags jansson))
glue_inc = $(core_inc) -isystem $(shell $(APXS) -q INCLUDEDIR)
libs = $(shell pkg-config --libs libcurl libpq libpcre2-8) -lm
# the tests have a second opinion, and the stand-in reads JSON, by jansson
test_libs = $(libs) $(shell pkg-config --libs jansson)
apr_libs = $(shell apu-1-config --link-ld --libs) $(shell apr-1-config --link-ld --libs)
modules_dir = $(shell $(APXS) -q LIBEXECDIR)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help all build served packages-run packages-check packages-bench run start \
	stop check check-asan check-tsan fuzz unit integration guards lint bench soak install \
	uninstall clean format

help:
	@sed -n 's/^## //p' Makefile

## make run         install what is missing, build, serve with real data; Ctrl-C stops
## make start|stop  the same in the background
## make check       install, build, run every test
run: packages-run
	@$(MAKE) --no-print-directory -s served
	@packaging/run/stack.sh run

start: packages-run
	@$(MAKE) --no-print-directory -s served
	@packaging/run/stack.sh start

stop:
	@packaging/run/stack.sh stop

packages-run:
	@packaging/run/packages.sh run

packages-check:
	@packaging/run/packages.sh check

packages-bench:
	@packaging/run/packages.sh bench

check: packages-check
	@$(MAKE) --no-print-directory -s build
	@tests/lib/check.sh all

## make check-asan  unit and integration tests under ASan and UBSan
check-asan: packages-check
	@$(MAKE) --no-print-directory -s build SAN=1 BUILD=$(BUILD)/asan
	@BUILD=$(BUILD)/asan SAN=1 tests/lib/check.sh asan

## make check-tsan  what threads share, under ThreadSanitizer
check-tsan: packages-check
	@tests/lib/check.sh tsan

## make fuzz [SECONDS=30]  what reads what anybody may send, from a new seed
fuzz: packages-check
	@tests/lib/check.sh fuzz $(or $(SECONDS),30)

## make unit|integration|guards|lint   one part of it
unit: packages-check
	@$(MAKE) --no-print-directory -s build
	@tests/lib/check.sh unit

integration: packages-check
	@$(MAKE) --no-print-directory -s build
	@tests/lib/check.sh integration

guards: packages-check
	@tests/lib/check.sh guards

lint: packages-check
	@tests/lib/check.sh lint

## make bench [ROUNDS=3] [DURATION=3] [ONLY=regex] [STRICT=1]  how fast, and than what
bench: packages-bench
	@$(MAKE) --no-print-directory -s build $(BUILD)/bench/mod_bench.so
	@tests/bench/bench.sh

## make soak [ROUNDS=20]  the loops of faults, for long
soak: packages-check
	@$(MAKE) --no-print-directory -s build
	@FAULT_ROUNDS=$(or $(ROUNDS),20) BATS_FILES=tests/integration/faults.bats \
		tests/lib/check.sh integration

## make install [DESTDIR=]  module, configuration and schemas, through apxs
## make uninstall [DESTDIR=]
install: packages-run
	@$(MAKE) --no-print-directory -s $(BUILD)/mod_dsapi.so
	install -d "$(DESTDIR)$(modules_dir)" "$(DESTDIR)/usr/share/mod_dsapi"
	$(APXS) -S LIBEXECDIR="$(DESTDIR)$(modules_dir)" -i -n dsapi $(BUILD)/mod_dsapi.so
	cp -R conf "$(DESTDIR)/usr/share/mod_dsapi/"

uninstall:
	rm -f "$(DESTDIR)$(modules_dir)/mod_dsapi.so"
	rm -rf "$(DESTDIR)/usr/share/mod_dsapi"

all build: served $(BUILD)/unit

# what `make run` needs: nothing of check's
served: $(BUILD)/mod_dsapi.so $(tools)

$(BUILD)/libdsapi.a: $(core_obj)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/mod_dsapi.so: $(glue_obj) $(BUILD)/libdsapi.a
	$(CC) $(flags) -shared -Wl,-z,relro,-z,now -Wl,--as-needed \
		-o $@ $(glue_obj) $(BUILD)/libdsapi.a $(libs)

$(BUILD)/unit: $(unit_obj) $(BUILD)/libdsapi.a
	$(CC) $(flags) -o $@ $^ $(test_libs) $(shell pkg-config --libs check) $(apr_libs)

$(BUILD)/obj/src/httpd/%.o: src/httpd/%.c
	@mkdir -p $(@D)
	$(CC) $(flags) $(glue_inc) -MMD -MP -c -o $@ $<

$(BUILD)/obj/mod_dsapi.o: mod_dsapi.c
	@mkdir -p $(@D)
	$(CC) $(flags) $(glue_inc) -MMD -MP -c -o $@ $<

$(BUILD)/obj/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(flags) $(core_inc) -MMD -MP -c -o $@ $<

# check's assertion macros trip these two
$(BUILD)/obj/tests/unit/%.o: tests/unit/%.c $(BUILD)/suites.h
	@mkdir -p $(@D)
	$(CC) $(flags) $(test_inc) -Itests -I$(BUILD) -Wno-null-dereference \
		-Wno-format-nonliteral -MMD -MP -c -o $@ $<

# every tests/unit/test_*.c is a suite of its name
$(BUILD)/suites.h: $(unit_src) Makefile
	@mkdir -p $(@D)
	@for f in $(notdir $(unit_src)); do case $$f in test_*) \
		n=$${f#test_}; echo "SUITE($${n%.c})";; esac; done >$@.new
	@cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@

# a tool's further files are in a folder of its name
.SECONDEXPANSION:
$(BUILD)/tools/%: tests/tools/%.c $$(wildcard tests/tools/$$*/*.[ch]) \
		$(BUILD)/libdsapi.a
	@mkdir -p $(@D)
	$(CC) $(flags) $(test_inc) -o $@ $(filter %.c,$^) \
		$(BUILD)/libdsapi.a $(test_libs) $(apr_libs) -lpthread

$(BUILD)/bench/mod_bench.so: tests/bench/mod_bench.c
	@mkdir -p $(@D)
	$(CC) $(flags) $(glue_inc) -shared -o $@ $<

## make format      lay the code out as .clang-format says
format:
	clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

## make clean
clean:
	@packaging/run/stack.sh clean >/dev/null
	rm -rf $(BUILD)

-include $(core_obj:.o=.d) $(glue_obj:.o=.d) $(unit_obj:.o=.d)
