# SPDX-License-Identifier: MIT
# Read by the check-* scripts. `make check` sets the variables; by hand, from
# anywhere: `top_builddir=BUILD tests/check-x`.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
: "${CC:=cc}" "${CXX:=}" "${TEST_CFLAGS:=}" "${SANITIZED:=}"
: "${TEST_LIBS:=-lmicrohttpd -lz}"
LC_ALL=C
export LC_ALL
me=$(basename "$0")

folders="core middleware sampler controller agent analyzer cli demo bench tests"

# skip WHY: the test could not be made; automake counts 77 as skipped.
skip() {
	echo "$me: skipped: $1"
	exit 77
}

fail() {
	echo "$me: $1"
	exit 1
}

need() {
	for tool; do
		command -v "$tool" >/dev/null 2>&1 || skip "$tool is missing"
	done
}

# A folder of our own in $d, gone at the end.
scratch() {
	d=$(mktemp -d)
	trap 'rm -rf "$d"' EXIT
	trap 'exit 1' HUP INT TERM
}

public_headers() {
	for h in "$top_srcdir"/*/tailbox.h "$top_srcdir"/*/tailbox/*.h; do
		test -e "$h" && echo "$h"
	done
}

# The sources of the given folders, one path from the top a line.
sources() {
	(cd "$top_srcdir" && find "$@" -name '*.[ch]' | sort)
}

# include_path: -I for those who read the headers from the tree.
include_path="-I$top_srcdir/core -I$top_srcdir/middleware -I$top_srcdir/sampler -I$top_srcdir/controller"
