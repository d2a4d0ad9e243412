#!/bin/sh
# SPDX-License-Identifier: MIT
# A process in other namespaces, by its number as it is seen from here: its
# number, its root, its folders and its user are others inside.
. "$(dirname "$0")/cli_peers.sh"
need unshare mount

# By root, or by a user namespace of our own where that is allowed.
as=
test "$(id -u)" = 0 || as="--user --map-root-user"
unshare $as --pid --mount --fork --mount-proc true 2>"$d/unshare.err" ||
	skip "namespaces are not permitted here: $(cat "$d/unshare.err")"

# inside KEY SETUP NAME: a service after the shell commands SETUP, in
# namespaces of its own with a root of its own, $d/root. Its number here is in
# $pid, and inside in $inner.
mkdir "$d/root"
inside() {
	MARK=$d/$1 UP=$2 SERVICE=$3 PEER=$peer_program ROOT=$d/root \
	unshare $as --pid --mount --fork --mount-proc sh -c '
		unset TAILBOX_DIR
		set -e
		mount --rbind / "$ROOT"
		mount -t proc proc "$ROOT/proc"
		mount -t tmpfs tmpfs "$ROOT/dev/shm"
		mount -t tmpfs tmpfs "$ROOT/mnt"
		eval "$UP"
		export MARK PEER SERVICE PEER_DIR
		# Numbers 1 and 2 are taken, so that it is another one.
		chroot "$ROOT" sh -c "\"\$PEER\" service \"\$SERVICE\"; true"
	' >"$d/peer.$1" 2>&1 </dev/null &
	until_ok test -s "$d/peer.$1"
	read -r inner rest <"$d/peer.$1"
	case $inner in
	'' | *[!0-9]*) cat "$d/peer.$1"; fail "service $1 did not start" ;;
	esac
	pid=
	for status in /proc/[0-9]*/status; do
		p=${status%/status}
		awk -v n="$inner" '/^NSpid:/ && NF > 2 && $NF == n { ok = 1 }
			END { exit !ok }' "$status" 2>/dev/null &&
			tr '\0' '\n' <"$p/environ" 2>/dev/null |
			grep -qx "MARK=$d/$1" && pid=${p#/proc/} && break
	done
	test -n "$pid" || fail "service $1: not seen from here"
	test "$pid" != "$inner" || fail "service $1: has our number"
	pids="$pids $pid"
}

# all_work NAME [WORD]: all that one does with a service, by its number; what
# it is told to type is WORD.
all_work() {
	run 0 status "$pid"
	has out "$1"
	run 0 status --tape "$pid"
	run 0 timeline "$pid"
	has out "/peer"
	run 0 export --to json "$pid"
	run 0 arm "$pid"
	has out "tailbox disarm ${2:-$pid}"
	kill -USR1 "$pid"
	until_ok sh -c "'$tailbox' export --to json '$pid' | grep -o '\"request_id\"' | grep -c . | grep -qx 4"
	run 0 disarm "$pid"
	until_ok "$tailbox" fetch "$pid#1" -o "$d/got"
	run 0 validate "$d/got"
	run 0 validate "$pid#1"
	run 0 ls "$pid"
	has out "#1"
	run 1 validate "$pid"
	has err "${2:-$pid}#ID"
}

# --- the folder that is chosen when nothing else is said ----------------------

inside plain : box
all_work box
run 0 doctor "$pid"
has out "ok        /proc "
kill -STOP "$pid"
run 0 status "$pid"
has out STOPPED
run 1 arm "$pid"
has err "tailbox timeline /proc/$pid/root/dev/shm/tailbox-0/box.$inner.tape"
run 0 timeline "/proc/$pid/root/dev/shm/tailbox-0/box.$inner.tape"
kill -CONT "$pid"
if test "$(id -u)" = 0 && command -v setpriv >/dev/null 2>&1 &&
	setpriv --reuid 65534 --clear-groups "$tailbox" --version >/dev/null 2>&1
then
	rc=0
	setpriv --reuid 65534 --clear-groups "$tailbox" status "$pid" \
		>"$d/out" 2>"$d/err" || rc=$?
	show="status by nobody"
	test $rc = 1 && test ! -s "$d/out" || fail "$show: not refused"
	has err "tailbox: $pid: we may not look into this process"
else
	echo "$me: left out: another user's look (needs root and setpriv)"
fi
end "$pid" KILL
run 1 status "$pid"
has err "no recorded service"

# --- folders of the environment -----------------------------------------------

# Longer than the address of a socket holds; below a link that is absolute and
# leads nowhere from here.
long=$(printf '%0100d' 1)
inside long "mkdir -p \$ROOT/mnt/real/$long; ln -s /mnt/real \$ROOT/mnt/link
	export TAILBOX_DIR=/mnt/link/$long/run" far
test ! -e "/mnt/real" || fail "/mnt/real is there, so that nothing is proved"
all_work far
end "$pid" KILL

inside systemd 'export RUNTIME_DIRECTORY=/mnt/a:/mnt/b; mkdir $ROOT/mnt/a' unit
all_work unit
end "$pid" KILL

# --- a folder that only the program knows -------------------------------------

inside program 'PEER_DIR=/mnt/own' own
all_work own
end "$pid" KILL
# In our own namespaces too.
PEER_DIR=$d/own
export PEER_DIR
unset TAILBOX_DIR
peer own service own
unset PEER_DIR
all_work own
run 0 timeline "$d/own/own.$pid.tape"
# Removed behind its back, as logind does with files of who has logged out.
rm "$d/own/own.$pid.tape" "$d/own/own.$pid.sock"
run 0 status "$pid"
has out "own  pid $pid  LIVE"
run 0 timeline "$pid"
has out "/peer"
show="doctor of a removed tape"
rc=0
"$tailbox" doctor "$pid" >"$d/out" 2>"$d/err" || rc=$?
test $rc = 1 || fail "$show: exit status $rc, not 1 for its socket"
has out "degraded  run folder    the tape was removed"
end "$pid" KILL

# --- a link of the container into our files -----------------------------------

# The service is moved off its folder, and a link of that name leads to a
# folder of ours with a tape and a socket that are not its own.
TAILBOX_DIR=$d/run
export TAILBOX_DIR
peer ours service ours
ours=$pid
inside lure : lure
folder=/proc/$pid/root/dev/shm
mkdir "$d/bait"
cp "$d/run/ours.$ours.tape" "$d/bait/lure.$inner.tape"
ln -s "$d/run/ours.$ours.sock" "$d/bait/lure.$inner.sock"
mv "$folder/tailbox-0" "$folder/moved"
ln -s "$d/bait" "$folder/tailbox-0"
run 0 arm "$pid"
has out "window 1 of"
run 0 disarm ours
has out "nothing was armed"
rm "$folder/tailbox-0"
mv "$folder/moved" "$folder/tailbox-0"
# Its socket as a link to ours.
mv "$folder/tailbox-0/lure.$inner.sock" "$folder/aside"
ln -s "$d/run/ours.$ours.sock" "$folder/tailbox-0/lure.$inner.sock"
run 1 disarm "$pid"
has err "has no admin socket"
run 0 status "$pid"
end "$pid" KILL

# --- one folder for both sides ------------------------------------------------

# The list shows numbers as they are here, and names lead to them.
rm -rf "$d/run"
mkdir -m 700 "$d/run"
inside shared "export TAILBOX_DIR=$d/run" both
run 0 ls
grep -q "^both  *$pid live" "$d/out" || {
	cat "$d/out"
	fail "ls shows another number than the one here, $pid"
}
all_work both both
run 0 status both
has out both
end "$pid" KILL
run 0 ls
has out "left behind"

# --- what is none -------------------------------------------------------------

run 1 status $$
has err "tailbox: $$: this process runs, but is not recorded"
done_well
