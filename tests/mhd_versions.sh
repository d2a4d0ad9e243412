#!/bin/sh
# SPDX-License-Identifier: MIT
# One build works with the libmicrohttpd of this system and with a newer one:
# the same programs, run with either. The newer one is a package of a later
# Debian, unpacked into a temporary folder and not installed.
#
#     tests/mhd_versions.sh                    what looks at libmicrohttpd
#     tests/mhd_versions.sh tests/e2e_x...     these programs
#     MHD_SUITES="sid" tests/mhd_versions.sh   the suites to take it from
#
# What a program expects of one version only it asks MHD_get_version() for. The
# last part builds the middleware with the headers of each newer version: what it
# uses is in all of them, and means the same.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/beside.sh"
: "${MHD_SUITES:=trixie sid}"
test $# -gt 0 || set -- tests/test_mhd_options tests/e2e_admin \
	tests/e2e_admin_artifacts tests/e2e_admin_busy tests/e2e_admin_windows \
	tests/e2e_attack tests/e2e_admin_mount tests/e2e_main_job \
	tests/e2e_mhd_ends tests/e2e_mhd_ingress tests/e2e_mhd_parity \
	tests/e2e_mhd_phases tests/e2e_mhd_record tests/e2e_report \
	tests/e2e_sampler tests/e2e_snapshot tests/e2e_switch \
	tests/e2e_trigger tests/e2e_window
test -z "$SANITIZED" || skip "of a library that the sanitizer does not know"
for program; do
	test -x "$top_builddir/$program" || skip "$program was not built"
done
test -x "$top_builddir/demo/shop" && test -x "$top_builddir/tailbox" ||
	skip "demo/shop or the command was not built"
need curl ldd
scratch

# --- the versions -------------------------------------------------------------

# asks: prints the version that a program finds, with LD_LIBRARY_PATH as it is.
# "Two" of which one is not there would be one.
cat >"$d/asks.c" <<'END'
#include <microhttpd.h>
#include <stdio.h>
int main(void)
{
	puts(MHD_get_version());
	return 0;
}
END
# shellcheck disable=SC2086 # words on purpose
$CC "$d/asks.c" -o "$d/asks" $TEST_LIBS || fail "cannot build against libmicrohttpd"

system=$("$d/asks")
mkdir "$d/$system"
versions=$system # names of folders in $d; the system's is empty
for suite in $MHD_SUITES; do
	beside_from "$suite"
	package=
	for name in libmicrohttpd12t64 libmicrohttpd12; do
		package=$(beside_has $name) && package=$name && break
	done
	test -n "$package" || skip "Debian $suite has no libmicrohttpd.so.12"
	rm -rf "$d/new"
	beside "$d/new" $package libmicrohttpd-dev
	lib=$(dirname "$(find "$d/new" -name 'libmicrohttpd.so.12' | head -n 1)")
	ldd -r "$lib/libmicrohttpd.so.12" >"$d/ldd" 2>&1 || :
	if grep -q -e 'not found' -e 'undefined symbol' "$d/ldd"; then
		echo "$suite: does not load here: $(grep -e 'not found' \
			-e 'undefined symbol' "$d/ldd" | head -n 1)"
		continue
	fi
	found=$(LD_LIBRARY_PATH=$lib "$d/asks")
	if test -e "$d/$found"; then
		echo "$suite: $found, again"
		continue
	fi
	mkdir "$d/$found"
	mv "$d/new/usr/include" "$d/$found/include"
	mv "$lib" "$d/$found/lib"
	versions="$versions $found"
	echo "$suite: $package is $found, $(wc -l <"$d/ldd") libraries load"
done
test "$versions" != "$system" ||
	skip "none of $MHD_SUITES has another version that loads here"

# --- the programs -------------------------------------------------------------

# row NAME TEXT...: a column for each version.
row() {
	printf '%-28s' "$1"
	shift
	printf ' %-18s' "$@"
	echo
}

bad=0
# shellcheck disable=SC2086 # words on purpose
row program $versions
for program; do
	set --
	for version in $versions; do
		log=$d/$version/$(basename "$program").log
		rc=0
		LD_LIBRARY_PATH=$d/$version/lib:${LD_LIBRARY_PATH-} \
			"$top_builddir/$program" >"$log" 2>&1 || rc=$?
		said=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), .*/\1 checks/p' "$log")
		if test $rc -ne 0; then
			bad=$((bad + 1))
			said="FAILED ($rc)"
			failed="${failed-} $log"
		fi
		set -- "$@" "${said:-passed}"
	done
	row "$(basename "$program")" "$@"
done
for log in ${failed-}; do
	echo "-- $(basename "$log" .log) with $(basename "$(dirname "$log")")"
	tail -n 20 "$log"
done

# --- an artifact of each ------------------------------------------------------

shop=
quit() {
	test -z "$shop" || kill "$shop" 2>/dev/null || :
	wait
	rm -rf "$d"
}
trap quit EXIT

# capture VERSION: the version that the artifact of a window names, in $named.
capture() {
	run=$d/$1/run
	mkdir -m 700 "$run"
	# No function here: its process would be a shell's.
	TAILBOX_DIR=$run LD_LIBRARY_PATH=$d/$1/lib:${LD_LIBRARY_PATH-} \
		"$top_builddir/demo/shop" --port 0 >"$d/shop.out" \
		2>"$d/shop.err" &
	shop=$!
	for _ in $(seq 200); do
		grep -q -s listening "$d/shop.out" && break
		sleep 0.05
	done
	port=$(sed -n 's/^listening.*://p' "$d/shop.out")
	test -n "$port" || fail "$1: the shop did not start: $(cat "$d/shop.err")"
	TAILBOX_DIR=$run "$top_builddir/tailbox" arm shop >"$d/said" 2>&1 ||
		fail "$1: $(cat "$d/said")"
	"$top_builddir/demo/load" --port "$port" --requests 500 \
		--connections 4 >"$d/said" 2>&1 || fail "$1: $(cat "$d/said")"
	TAILBOX_DIR=$run "$top_builddir/tailbox" disarm shop >"$d/said" 2>&1 ||
		fail "$1: $(cat "$d/said")"
	# The service writes it after it has answered.
	for _ in $(seq 200); do
		TAILBOX_DIR=$run "$top_builddir/tailbox" fetch "shop#1" \
			-o "$run/one.tailbox" >"$d/said" 2>&1 && break
		sleep 0.05
	done
	test -s "$run/one.tailbox" || fail "$1: $(cat "$d/said")"
	TAILBOX_DIR=$run "$top_builddir/tailbox" export --to json shop#1 \
		>"$run/run.json" || fail "$1: no Run JSON"
	kill "$shop"
	wait "$shop" || fail "$1: the shop ended with $?"
	shop=
	"$top_builddir/tailbox" validate "$run/run.json" >"$d/said" 2>&1 ||
		fail "$1: $(cat "$d/said")"
	named=$(sed 's/,/\n/g' "$run/run.json" |
		sed -n 's/.*"mhd_version": *"\([^"]*\)".*/\1/p')
}

set --
for version in $versions; do
	capture "$version"
	test "$named" = "$version" || bad=$((bad + 1))
	set -- "$@" "${named:-none}"
done
row "artifact says" "$@"

# --- the headers --------------------------------------------------------------

set -- "$system"
for version in $versions; do
	test "$version" != "$system" || { shift && set -- "as built" "$@"; continue; }
	said=builds
	for c in "$top_srcdir"/middleware/*.c "$top_srcdir"/controller/admin*.c; do
		# shellcheck disable=SC2086 # words on purpose
		$CC $TEST_CFLAGS -std=gnu11 -fsyntax-only -Wall -Wextra -Werror \
			-isystem "$d/$version/include" -I"$top_builddir" \
			-I"$top_srcdir" $include_path -D_GNU_SOURCE "$c" ||
			said=FAILED
	done
	test $said = builds || bad=$((bad + 1))
	set -- "$@" "$said"
done
row "headers" "$@"
test $bad = 0 || fail "$bad of these are not as they should be"
