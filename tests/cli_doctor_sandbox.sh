#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox doctor and demo/shop in a chroot with no /proc, no /sys, no /dev, and
# a seccomp filter that refuses getsockopt(TCP_INFO) and membarrier: doctor
# names each of these, and the service starts, answers and says so itself.
. "$(dirname "$0")/cli_common.sh"
shop=$top_builddir/demo/.libs/shop
deny=$top_builddir/tests/cli_doctor_deny
test "$(id -u)" = 0 || skip "NOT TESTED: chroot needs root"
test -z "$SANITIZED" || skip "NOT TESTED: a sanitizer needs /proc"
need curl ldd
test -x "$deny" || skip "NOT TESTED: $deny was not built"
# A wrapper of libtool cannot run in a chroot, the program can.
test -x "$shop" || shop=$top_builddir/demo/shop
test -x "$shop" || skip "NOT TESTED: demo/shop was not built"

pid=
quit() {
	test -z "$pid" || kill -KILL "$pid" 2>/dev/null || :
	rm -rf "$d"
}
trap quit EXIT

until_tries=400

# --- a root with two programs and their libraries -----------------------------

root=$d/root
mkdir -p "$root/bin" "$root/tmp"
LD_LIBRARY_PATH=$top_builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
for program in "$tailbox" "$shop"; do
	cp "$program" "$root/bin/"
	ldd "$program" | sed -n 's,^[^/]*\(/[^ ]*\) .*,\1,p' >>"$d/libraries"
done
sort -u "$d/libraries" | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done

# in_root PROGRAM ARGUMENT...
in_root() {
	"$deny" --root "$root" "$@"
}

rc=0
in_root /bin/tailbox --version >"$d/out" 2>"$d/err" || rc=$?
test $rc != 77 || skip "NOT TESTED: $(cat "$d/err")"
test $rc = 0 || {
	cat "$d/err"
	fail "the sandbox does not work: $rc"
}
for missing in proc sys dev; do
	test ! -e "$root/$missing" || fail "the root has a /$missing"
done

doctor() {
	want=$1
	shift
	rc=0
	in_root /bin/tailbox doctor "$@" >"$d/out" 2>"$d/err" || rc=$?
	show="tailbox doctor $*"
	checks=$((checks + 1))
	test "$rc" = "$want" || {
		cat "$d/out" "$d/err"
		fail "$show: exit status $rc, not $want"
	}
}

finds() {
	grep -E "^  $1 +$2 " "$d/out" | grep -qF -- "${3-}" || {
		cat "$d/out"
		fail "$show: no line \"$1 $2 ${3-}\""
	}
}

names_the_sandbox() {
	finds degraded clock "kernel's source cannot be read"
	finds degraded clock "mend: mount /sys"
	finds degraded TCP_INFO "refused: Operation not permitted"
	finds degraded TCP_INFO "mend: allow getsockopt"
	finds degraded membarrier "refused: Operation not permitted"
	finds degraded membarrier "mend: allow membarrier"
	finds degraded /proc "/proc is not there"
	finds degraded /proc "mend: mount /proc"
	finds degraded PSI "/proc/pressure/cpu"
}

# serve: start the shop in there; its address is in $url.
serve() {
	# In place of the shell, so that $! is the service. What an earlier one
	# said goes first: else its address may still be read.
	: >"$d/shop.out"
	(exec "$deny" --root "$root" /bin/shop --port 0 --workers 2) \
		>"$d/shop.out" 2>"$d/shop.err" &
	pid=$!
	until_ok grep -q 'listening on' "$d/shop.out"
	url=http://$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$d/shop.out")
}

answers() {
	test "$(curl -s -o "$d/page" -w '%{http_code}' --max-time 20 "$url$1")" \
		= 200 || fail "$1 is not answered: $(cat "$d/page")"
	checks=$((checks + 1))
}

finish() {
	kill "$pid"
	wait "$pid" || :
	pid=
}

# --- no run folder at all: unrecorded, and it serves --------------------------

unset TAILBOX_DIR
doctor 1
finds fail "run folder" "/dev/shm/tailbox-0: cannot be made: /dev/shm"
finds fail "run folder" "mend: set TAILBOX_DIR"
names_the_sandbox
has out "no recorded service"
doctor 1 --json
test "$(grep -c '"state": "fail"' "$d/out")" = 1 || fail "not one fail in JSON"
has out '"check": "TCP_INFO"'

serve
grep -q 'is not recorded: .*/dev/shm' "$d/shop.err" || {
	cat "$d/shop.err"
	fail "the service does not say that it is not recorded"
}
for path in /items /items/7 /items; do answers $path; done
finish

# --- with a run folder: recorded, and it serves -------------------------------

TAILBOX_DIR=/run-folder
export TAILBOX_DIR
serve
for path in /items /items/7 /items /quote/7 /items; do answers $path; done
for what in 'getsockopt(TCP_INFO) is refused (Operation not permitted)' \
	'membarrier is refused'; do
	grep -qF "$what" "$d/shop.err" || fail "the service's log lacks: $what"
done

# From inside.
doctor 0
names_the_sandbox
finds degraded "run folder" "/run-folder, there"
has out "shop, pid $pid"
doctor 0 shop
finds ok process lives
finds "(ok|degraded)" "admin socket" "answers in"
finds ok recording "requests begun"
finds degraded TCP_INFO "refused, says the service"
finds degraded membarrier "refused, says the service"
finds ok clock "CLOCK_MONOTONIC used"
finds ok MHD
finds ok daemons "1 seen, 1 recorded"
finds ok losses none
finds degraded notes "TCP_INFO) is refused"
! grep -q '^  fail' "$d/out" || fail "$show: a check failed"

# From outside: the same service by its tape in the other root.
rc=0
"$tailbox" doctor "$root/run-folder/shop.$pid.tape" >"$d/out" 2>"$d/err" ||
	rc=$?
show="tailbox doctor from outside"
test $rc = 0 || {
	cat "$d/out" "$d/err"
	fail "$show: exit status $rc"
}
finds degraded TCP_INFO "refused, says the service"
finds degraded /proc "the service has no /proc in its root"
finds ok threads "follower runs"
finds ok artifacts "/run-folder/artifacts"
finds ok MHD "libmicrohttpd"

# And it does its work: a window of what it served.
tailbox_in() {
	in_root /bin/tailbox "$@"
}
tailbox_in arm shop >/dev/null
for path in /items /items/7 /items; do answers $path; done
tailbox_in disarm shop >/dev/null
until_ok sh -c "'$deny' --root '$root' /bin/tailbox fetch shop#1 -o /tmp/one"
run 0 validate "$root/tmp/one"
has out "valid: 3 requests"
finish

# --- memory limits ------------------------------------------------------------

# with_limits SCRIPT: run the script, then doctor, with an empty folder in
# place of the cgroups, in which the script puts limits.
with_limits() {
	unshare -m sh -euc "
		mount --make-rprivate /
		mount -t tmpfs -o mode=700 none '$d/run'
		mount -t tmpfs none /sys/fs/cgroup
		cd /sys/fs/cgroup
		$1
		TAILBOX_DIR='$d/run' exec '$tailbox' doctor" \
		>"$d/out" 2>"$d/err" || { cat "$d/out" "$d/err"; fail "$1"; }
	show="tailbox doctor with $1"
	checks=$((checks + 1))
}

if ! unshare -m mount --make-rprivate / 2>"$d/err" ||
	! test -d /sys/fs/cgroup; then
	echo "$me: NOT TESTED: memory limits: $(cat "$d/err")"
	done_well
	exit 0
fi
with_limits 'echo 67108864 >memory.max' # 1/32 of it is 2 MiB
finds degraded "tape size" "2.0 MiB by default"
finds degraded "tape size" "memory limit 64.0 MiB (cgroup v2)"
with_limits 'mkdir memory; echo 134217728 >memory/memory.limit_in_bytes'
finds degraded "tape size" "4.0 MiB by default"
finds degraded "tape size" "memory limit 128.0 MiB (cgroup v1)"
with_limits 'echo max >memory.max'
finds ok "tape size" "memory limit none"
with_limits 'mkdir memory; echo 9223372036854771712 >memory/memory.limit_in_bytes'
finds ok "tape size" "memory limit none"
with_limits ':'
finds degraded "tape size" "memory limit not known"
# Deeper down, where a service does not see it: 16 MiB of 100.
below=$(sed -n 's/^[0-9]*:[^:]*memory[^:]*:\(.*\)/\1/p; s/^0::\(.*\)/\1/p' \
	/proc/self/cgroup | grep -v '^/$' | head -n 1)
if test -n "$below"; then
	with_limits "echo max >memory.max; mkdir -p 'memory$below' '.$below'
		echo 104857600 >'memory$below/memory.limit_in_bytes'
		echo 104857600 >'.$below/memory.max'"
	finds degraded "tape size" "16.0 MiB by default"
	finds degraded "tape size" "100.0 MiB"
	finds degraded "tape size" "more than 1/8"
fi
done_well
