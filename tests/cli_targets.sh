#!/bin/sh
# SPDX-License-Identifier: MIT
# Each command on each kind of TARGET, good and bad: the exit status, nothing
# on standard output after a failure, and who and why on standard error.
. "$(dirname "$0")/cli_peers.sh"
data=$top_srcdir/tests/data
need gzip

peer hut service hut
hut=$pid
peer ruin service ruin
ruin=$pid
peer gone service gone
gone=$pid
peer deaf service deaf
deaf=$pid
run 0 arm hut
kill -USR1 "$hut"
until_ok sh -c "'$tailbox' ls --json | grep -q '\"finished\": 4'"
run 0 disarm hut
until_ok "$tailbox" fetch hut#1 -o "$d/one.tailbox"
end "$ruin" KILL
end "$gone" HUP
end "$deaf" KILL
mkdir "$d/there" "$d/folder"
run=$d/run
mv "$run/deaf.$deaf.sock" "$d/there/stale.sock"
rm "$run/deaf.$deaf.tape"

good=$data/tiny.tailbox
gzip -c "$good" >"$d/native.gz"
gzip -c "$data/spec-example.json" >"$d/run.json.gz"
printf '' >"$d/empty"
printf 'hello, world\n' >"$d/words"
printf '{"schema_version": 2' >"$d/cut.json"
head -c 100 "$good" >"$d/cut.tailbox"
head -c 40 "$d/native.gz" >"$d/cut.gz"
cp "$good" "$d/damaged.tailbox"
printf 'XXXX' | dd of="$d/damaged.tailbox" bs=1 seek=200 conv=notrunc 2>/dev/null
tape=$run/ruin.$ruin.tape
cp "$d/empty" "$d/empty.tape"
cp "$d/words" "$d/foreign.tape"
head -c 4000 "$tape" >"$d/cut.tape"
head -c 5000 "$tape" >"$d/short.tape"
cp "$tape" "$d/version.tape"
printf '\377' | dd of="$d/version.tape" bs=1 seek=8 conv=notrunc 2>/dev/null
cp "$tape" "$d/damaged.tape" # offsets of its parts
printf '\377\377\377\377\377\377' |
	dd of="$d/damaged.tape" bs=1 seek=24 conv=notrunc 2>/dev/null

# row STATUSES TARGET WHO WHY: the exit statuses of the commands in this order;
# after a failure standard error holds WHO and matches WHY (alternatives:
# commands about a service and those about an artifact say different things).
commands="ls status arm disarm capture fetch validate export timeline"
# off and on take what disarm takes.
row() {
	statuses=$1
	for command in $commands; do
		status=${statuses%% *}
		statuses=${statuses#* }
		case $command in
		capture) run "$status" capture -o "$d/got" 1ms "$2" ;;
		fetch) run "$status" fetch -o "$d/got" "$2" ;;
		export) run "$status" export --to json "$2" ;;
		disarm)
			run "$status" disarm "$2"
			run "$status" off "$2"
			run "$status" on "$2"
			;;
		*) run "$status" $command "$2" ;;
		esac
		# Nothing armed may be left for the next one.
		test "$status:$command" != 0:arm ||
			until_ok sh -c "'$tailbox' disarm '$2' | grep -q 'nothing was armed'"
		test "$status" != 0 || continue
		has err "$3"
		grep -qE -- "$4" "$d/err" || {
			cat "$d/err"
			fail "$show: does not say \"$4\""
		}
	done
}

# --- a live service -----------------------------------------------------------

#    ls st ar di ca fe va ex ti
row "0 0 0 0 0 0 1 0 0" hut "hut: " 'is a service; .*hut#ID'
row "0 0 0 0 0 0 1 0 0" "$hut" "hut: " 'is a service; .*hut#ID'
row "0 0 0 0 0 0 1 0 0" "$run/hut.$hut.sock" "hut: " 'is a service; .*hut#ID'
row "0 0 0 0 0 0 1 0 0" "$run/hut.$hut.tape" "hut: " 'is a service; .*hut#ID'
for id in hut#1 "$hut#1" "$run/hut.$hut.sock#1" "$run/hut.$hut.tape#1"; do
	row "1 1 1 1 1 0 0 0 0" "$id" "$id: " 'is about the service: leave out #1'
done
row "1 1 1 1 1 1 1 1 1" hut#99 hut 'leave out #99|no artifact 99; tailbox ls hut lists'
row "1 1 1 1 1 1 1 1 1" 'hut#a b' "hut#: " 'no artifact.s number or name'
row "1 1 1 1 1 1 1 1 1" 'hut#.x' "hut#: " 'no artifact.s number or name'
row "1 1 1 1 1 1 1 1 1" '#1' "#: " 'no artifact.s number or name'
row "1 1 1 1 1 1 1 1 1" '' '"" is no TARGET' 'tailbox help target'

# --- left behind --------------------------------------------------------------

for target in ruin "$ruin" "$run/ruin.$ruin.tape" "$run/ruin.$ruin.sock"; do
	row "1 0 1 1 1 1 1 0 0" "$target" ruin \
		"has ended: its tape can be read: tailbox timeline $run/ruin|is a (tape|service)"
done
row "1 0 1 1 1 1 1 0 0" gone gone 'has ended|is a (tape|service)'
row "1 1 1 1 1 1 1 1 1" ruin#1 ruin 'leave out #1|has ended'
stale=$d/there/stale.sock
row "1 1 1 1 1 1 1 1 1" "$stale" stale.sock 'nobody listens on it|is a service'
run 0 ls
sed -n '/^left behind$/,$p' "$d/out" >"$d/left"
grep -q "^ruin  *$ruin dead" "$d/left" || fail "ls: ruin is not left behind"
grep -q "^gone  *$gone closed" "$d/left" || fail "ls: gone is not left behind"
grep -q "^hut " "$d/left" && fail "ls: hut is left behind"
run 0
has out "left behind"
has out "tailbox capture 10s hut"

# --- artifacts ----------------------------------------------------------------

for file in "$good" "$d/native.gz" "$data/spec-example.json" "$d/run.json.gz" \
	"$d/one.tailbox"; do
	row "1 1 1 1 1 1 0 0 0" "$file" "$file: " 'is an artifact; .* is about a service'
	input=$file
	row "1 1 1 1 1 1 0 0 0" - "standard input" 'is an artifact; .* is about a service'
	input=
done
row "1 1 1 1 1 1 1 1 1" "$good#1" "$good: " 'is an artifact by itself, it has no #1'
run 1 timeline -- -#1
has err "standard input: is an artifact by itself, it has no #1"
cp "$good" "$d/with#1"
row "1 1 1 1 1 1 0 0 0" "$d/with#1" "$d/with#1: " 'is an artifact; .* is about a service'

# --- bad files ----------------------------------------------------------------

row "1 1 1 1 1 1 1 1 1" "$d/missing" "$d/missing: " 'No such file'
row "1 1 1 1 1 1 1 1 1" "$d/folder" "$d/folder: " 'is a folder'
row "1 1 1 1 1 1 1 1 1" "$d/words" "$d/words: " 'is another kind of file|offset|neither'
row "1 1 1 1 1 1 1 1 1" "$d/empty" "$d/empty: " 'is empty|empty|ends'
for file in cut.json cut.tailbox cut.gz damaged.tailbox; do
	row "1 1 1 1 1 1 1 1 1" "$d/$file" "$d/$file: " \
		'is an artifact; .* is about a service|offset [0-9]+: .|truncated: .'
	input=$d/$file
	row "1 1 1 1 1 1 1 1 1" - "standard input" \
		'is an artifact; .* is about a service|offset [0-9]+: .|truncated: .'
	input=
done
row "1 1 1 1 1 1 1 1 1" - "standard input" 'is about a service|empty|ends'
for file in empty foreign cut short version damaged; do
	row "1 1 1 1 1 1 1 1 1" "$d/$file.tape" "$d/$file.tape: " ': [a-z].* [a-z]'
done
long=$(head -c 2000 /dev/zero | tr '\0' x)
row "1 1 1 1 1 1 1 1 1" "$d/$long" "/" 'too long'
row "1 1 1 1 1 1 1 1 1" "$long" "xxx" 'too long|File name too long|no recorded service'
row "1 1 1 1 1 1 1 1 1" nobody nobody 'no recorded service, pid or file'
row "1 1 1 1 1 1 1 1 1" 4194305 4194305 'no recorded service, pid or file'
row "1 1 1 1 1 1 1 1 1" 1 1 'is not recorded|may not look|no recorded'
row "1 1 1 1 1 1 1 1 1" 99999999999999999999 9999 'no recorded service, pid or file'
if test "$(id -u)" != 0; then
	cp "$good" "$d/closed"
	chmod 000 "$d/closed"
	row "1 1 1 1 1 1 1 1 1" "$d/closed" "$d/closed: " 'Permission denied'
else
	echo "$me: left out: a file that may not be read (root reads all)"
fi
# A pipe is an artifact; in the shell <(...).
mkfifo "$d/pipe"
cat "$good" >"$d/pipe" &
run 0 validate "$d/pipe"
run 1 status "$d/pipe"
has err "$d/pipe: is an artifact"

# --- words that mean several things -------------------------------------------

# Each line of the list begins with what to type; all of them must do.
each_works() {
	sed -n 's/^  \([^ ]*\) .*/\1/p' "$d/err" >"$d/words"
	test "$(wc -l <"$d/words")" = "$1" || {
		cat "$d/err"
		fail "$show: the list is not of $1"
	}
	while read -r word; do
		run 0 timeline "$word"
		cp "$d/out" "$d/last"
	done <"$d/words"
}

mkdir "$d/here"
cd "$d/here"
cp "$good" hut
row "1 1 1 1 1 1 1 1 1" hut "hut: means more than one" "^  $hut .*service hut, pid $hut, live"
has err "  ./hut "
run 1 status hut
each_works 2
run 0 timeline ./hut
cp "$good" "$hut"
row "1 1 1 1 1 1 1 1 1" "$hut" "$hut: means more than one" "^  ./$hut .* an artifact"
each_works 2
rm hut "$hut"
# A program under its service's name is no target.
cp "$d/words" hut
run 0 status hut
rm hut
cp "$good" alone
run 0 validate alone

peer number service "$hut"
number=$pid
row "1 1 1 1 1 1 1 1 1" "$hut" "$hut: means more than one" "^  $number .*service $hut, pid $number"
has err "  hut "
each_works 2
end "$number" KILL
# Those that live go before.
run 0 status "$hut"
has out hut
rm "$run/$hut.$number".*

peer second service hut
second=$pid
row "1 1 1 1 1 1 1 1 1" hut "hut: means more than one" "^  $second .*service hut"
has err "  $hut "
each_works 2
row "1 1 1 1 1 1 1 1 1" hut#1 "hut: means more than one" "^  $second .*service hut"
run 1 status
has err "more than one service is recorded"
each_works 2
end "$second" KILL
run 0 status hut
run 0 status
end "$hut" KILL
row "1 1 1 1 1 1 1 1 1" hut "hut: means more than one" "^  $second .*service hut, pid $second, dead"
each_works 2
# Two tapes of one number: the second process had the number of the first.
mv "$run/hut.$second.tape" "$run/hut.$second.1.tape"
cp "$run/hut.$second.1.tape" "$run/hut.$second.tape"
run 1 status "$second"
has err "  $run/hut.$second.1.tape "
each_works 2
rm -r "$run"/*
run 1 status
has err "no recorded service was found"

# --- a number that is somebody else's now -------------------------------------

peer reuse service reuse
reuse=$pid
end "$reuse" KILL
mv "$run/reuse.$reuse.tape" "$d/reuse.tape"
mv "$run/reuse.$reuse.sock" "$run/reuse.$$.sock"
run 0 ls
grep -q "^reuse  *$$ dead" "$d/out" || fail "a stale socket counts as live"
run 1 arm reuse
has err "nobody listens on it"
rm -r "$run"/*
cp "$d/reuse.tape" "$run/reuse.$$.tape"
run 0 ls --json
has out '"state": "dead"'
has out '"is_left_behind": true'

run 0 help target
for word in '#3' http:// TAILBOX_TOKEN --token-file .tape .sock; do
	has out "$word"
done
done_well
