#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds tailbox and runs its tests. On a bare Debian or Fedora machine this one
# command is enough: what is missing is installed first, and named.
#
#     tests/run.sh            build, every test, a smoke run of the benchmarks
#     tests/run.sh --full     and ASan+UBSan with clang, TSan, fuzz, distcheck,
#                             install
#     tests/run.sh faults     build; faults and wrong input, a line for each
#     tests/run.sh outside    build; programs, libraries and tests of others,
#                             which it fetches: half an hour
#
# Writes into _build/ of this tree only, and temporary folders that it removes.
# The last line is "N passed, N failed"; the exit status is 1 if any failed.
set -eu
LC_ALL=C
export LC_ALL

usage() {
	echo "usage: tests/run.sh [--full] [faults | outside]" >&2
	exit 2
}

full=no
only=
for arg; do
	case $arg in
	--full) full=yes ;;
	faults | outside) only=$arg ;;
	-h | --help)
		sed -n '3,14s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*) usage ;;
	esac
done

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
logs=$top/_build/logs
prefix=$top/_build/prefix # for --full, which installs
jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0
skipped=
wrap= # what tests run under
began=$(date +%s)

# say TEXT: what comes, and how far into the run.
say() {
	now=$(date +%s)
	echo "== $* ($(((now - began) / 60)) min)"
}

# --- counting ----------------------------------------------------------------

fail_unit() {
	failed=$((failed + 1))
	echo "FAIL: $1"
}

# note_log FILE: the end of what a failure printed.
note_log() {
	sed 's/^/    /' "$1" | tail -n "${2:-40}"
}

# step NAME COMMAND...: one unit. Silent unless it fails; 77 means skipped.
step() {
	name=$1
	shift
	log=$logs/$(echo "$name" | tr ' /' '__').log
	rc=0
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	case $rc in
	0)
		passed=$((passed + 1))
		echo "PASS: $name"
		return 0
		;;
	77)
		skipped="$skipped
  $name: $(tail -n 1 "$log")"
		echo "SKIP: $name"
		return 0
		;;
	esac
	fail_unit "$name (exit status $rc)"
	note_log "$log"
	return 1
}

# count BUILD: add up what `make check` left in BUILD. A libcheck suite counts
# each of its checks, any other test is one unit.
count() {
	find "$1/tests" -name '*.trs' >"$logs/trs"
	if test ! -s "$logs/trs"; then
		fail_unit "$1: no test ran"
		return
	fi
	while read -r trs; do
		log=${trs%.trs}.log
		name=${log#"$top/_build/"}
		name=${name%.log}
		result=$(sed -n 's/^:test-result: //p' "$trs")
		# shellcheck disable=SC2046 # three numbers
		set -- $(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$log" |
			awk '{ n += $1; bad += $2 + $3 } END { print n + 0, bad + 0 }')
		case $result in
		PASS)
			if test "$1" -gt 0; then
				passed=$((passed + $1 - $2))
			else
				passed=$((passed + 1))
			fi
			;;
		SKIP)
			skipped="$skipped
  $name: $(sed '/^SKIP /d; /^$/d' "$log" | tail -n 1)"
			;;
		*)
			# Checks may all be well and the program not: a leak, say.
			passed=$((passed + $1 - $2))
			failed=$((failed + ($2 > 0 ? $2 : 1)))
			echo "FAIL: $name ($result)"
			note_log "$log"
			;;
		esac
	done <"$logs/trs"
}

# --- building ----------------------------------------------------------------

# The source to build from: this tree, or what `make dist` would pack when the
# tree was configured in place, since then it cannot serve builds elsewhere.
prepare() {
	mkdir -p "$logs"
	if test ! -x configure || test ! -e Makefile.in ||
	   test ! -e build-aux/depcomp; then
		./autogen.sh
	fi
	src=$top
	if test -e config.status; then
		say "This tree is configured in place: testing a copy in _build/source"
		src=$top/_build/source
		rm -rf "$src"
		make -s distdir distdir=_build/source
	fi
}

# build NAME CONFIGURE-ARGUMENTS...: everything, programs of the tests too.
build() {
	dir=$top/_build/$1
	shift
	mkdir -p "$dir"
	if test ! -e "$dir/config.status" ||
	   test "$(cat "$dir/arguments" 2>/dev/null)" != "$src $*"; then
		rm -rf "$dir"
		mkdir -p "$dir"
		(cd "$dir" && "$src/configure" -q "$@") || return 1
		echo "$src $*" >"$dir/arguments"
	fi
	make -s -C "$dir" -j "$jobs" all &&
		make -s -C "$dir" -j "$jobs" check TESTS=
}

# suite BUILD PART...: tests that automake runs. Those with a service run one
# after the other, since some measure time; with a sanitizer, which slows all of
# them and widens their limits, as many at once as there are processors.
suite() {
	dir=$top/_build/$1
	build=$1
	shift
	find "$dir/tests" -name '*.trs' -exec rm -f {} +
	rc=0
	for part; do
		beside=-j$jobs
		case $build.$part in
		main.check-alone | *.check-long | *.check-outside) beside= ;;
		esac
		say "$build: $part"
		# shellcheck disable=SC2086 # nothing or one word
		$wrap make -s -C "$dir" -k $beside "$part" \
			>"$logs/$build-$part.log" 2>&1 || rc=$?
	done
	set -- "$build"
	before=$failed
	count "$dir"
	if test $rc -ne 0 && test "$failed" -eq "$before"; then
		fail_unit "make check in _build/$1"
		note_log "$logs/$1-check-alone.log"
	fi
	top_srcdir=$src
	top_builddir=$dir
	export top_srcdir top_builddir
	test "$part" != check-outside || return 0
	for script in "$src"/tests/e2e/*.sh; do
		test -e "$script" || continue
		step "$1 e2e $(basename "$script" .sh)" $wrap "$script" || :
	done
}

# faults BUILD: a line and a unit for each (tests/faults/run).
faults() {
	log=$logs/$1-faults.log
	say "Faults"
	top_srcdir=$src top_builddir=$top/_build/$1 $wrap "$src/tests/faults/run" \
		2>&1 </dev/null | tee "$log"
	passed=$((passed + $(grep -c '^ok ' "$log" || :)))
	failed=$((failed + $(grep -c '^FAIL ' "$log" || :)))
	skipped=$skipped$(sed -n 's/^SKIP /\n  fault:/p' "$log")
	grep -q '^faults: ' "$log" || fail_unit "the faults did not come to their end"
}

# outside BUILD: what is fetched. Each prints a table.
outside() {
	suite "$1" check-outside
	say "libmicrohttpd's own tests again, built with TLS"
	step "mhd_suite with TLS" env TLS=1 top_builddir="$top/_build/$1" \
		"$src/tests/mhd_suite.sh" || :
	cat "$logs/mhd_suite_with_TLS.log"
	for log in "$top/_build/$1"/tests/mhd_*.sh.log \
		"$top/_build/$1/tests/ulfius.sh.log"; do
		echo "== $(basename "$log" .sh.log)"
		cat "$log"
	done
	# This is asked for by itself: what was not tried is not shown.
	test -z "$skipped" || fail_unit "some were skipped"
}

# smoke ARGUMENTS...: a benchmark runs to its verdict. Whatever that is: so few
# counts, beside whatever else runs here, say nothing.
smoke() {
	TAILBOX_BUILD=$top/_build/main "$src/bench/run.sh" "$@" >"$logs/smoke" 2>&1 || :
	cat "$logs/smoke"
	grep -q -E ': (ok|MISSED)$' "$logs/smoke"
}

# --- the parts of --full -----------------------------------------------------

# uninstalled PREFIX: nothing is left there but folders.
uninstalled() {
	left=$(find "$1" ! -type d)
	test -z "$left" || {
		echo "left behind: $left"
		return 1
	}
}

full_run() {
	# Each source once, not for a static library too.
	once="--enable-werror --disable-static"
	CK_TIMEOUT_MULTIPLIER=6
	export CK_TIMEOUT_MULTIPLIER

	say "clang, ASan + UBSan: build and every test"
	# shellcheck disable=SC2086 # words on purpose
	if step "asan build" build asan CC=clang CXX=clang++ CFLAGS='-g1 -O1' \
		--enable-sanitizer=address $once; then
		suite asan check-beside check-alone
		faults asan
	fi

	say "TSan: build and every test"
	# shellcheck disable=SC2086 # words on purpose
	# Without a sign, as char is on aarch64.
	if step "tsan build" build tsan CFLAGS='-g1 -O1 -funsigned-char' \
		--enable-sanitizer=thread $once; then
		# TSan's memory layout and kernels that randomise more bits of
		# an address than it knows do not agree.
		! setarch -R true 2>/dev/null || wrap="setarch -R"
		TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS-}"
		export TSAN_OPTIONS
		suite tsan check-beside check-alone
		faults tsan
		wrap=
		unset TSAN_OPTIONS
	fi
	unset CK_TIMEOUT_MULTIPLIER

	say "SIGKILL under load, 50 times; 10,000 mutated tapes"
	step "kill9" env top_builddir="$top/_build/main" "$src/tests/kill9.sh" \
		50 || :
	step "mutated tapes" "$top/_build/asan/tests/fuzz_tape" 10000 || :

	say "Fuzz the loaders of artifacts"
	step "fuzz" "$src/tests/fuzz" 45 "$top/_build/fuzz" || :

	say "distcheck"
	# Whether the tarball is whole; what has a service ran thrice by now.
	without_service=$(make -s -C "$top/_build/main" print-beside |
		tr ' ' '\n' | grep -v '^tests/cli_' | tr '\n' ' ')
	step "make distcheck" make -C "$top/_build/main" -j "$jobs" distcheck \
		DISTCHECK_CONFIGURE_FLAGS="--disable-static CFLAGS=-O0" \
		TESTS="$without_service" VERBOSE=1 || :

	say "install, a consumer outside, uninstall"
	rm -rf "$prefix"
	if step "make install" make -C "$top/_build/main" install; then
		step "consumer" sh "$src/tests/consumer/run" "$prefix" || :
		step "make uninstall" make -C "$top/_build/main" uninstall || :
		step "uninstall leaves nothing" uninstalled "$prefix" || :
	fi
}

# --- the run -----------------------------------------------------------------

parts="library command shop demo tests"
test $full = no || parts="$parts full"
test "$only" != outside || parts="$parts outside"
# shellcheck disable=SC2086 # words on purpose
tests/needs $parts
prepare

say "Build in _build/main"
if ! step "build" build main --enable-werror --prefix="$prefix"; then
	echo "$passed passed, $failed failed"
	exit 1
fi

if test -n "$only"; then
	"$only" main
	test -z "$skipped" || echo "Skipped:$skipped"
	echo "$passed passed, $failed failed"
	test "$failed" -eq 0
	exit
fi

say "Tests"
suite main check-beside check-alone check-long
faults main
step "lab" env top_srcdir="$src" top_builddir="$top/_build/main" \
	"$src/tests/lab.sh" || :
step "bench record" smoke record || :
step "bench mhd" smoke mhd 4 || :
step "bench analyze" smoke analyze 2000 1 || :
step "demo" demo/run.sh || :
step "demo offline" demo/run.sh --offline-artifact || :
test $full = no || full_run

if test -n "$skipped"; then
	echo "Skipped:$skipped"
fi
echo "$passed passed, $failed failed"
test "$failed" -eq 0
