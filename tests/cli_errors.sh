#!/bin/sh
# SPDX-License-Identifier: MIT
# Wrong input to validate, export and timeline: the exit status, what is said,
# and nothing on standard output.
. "$(dirname "$0")/cli_common.sh"
data=$top_srcdir/tests/data

# --- files that are none ------------------------------------------------------

printf '' >"$d/empty"
printf 'hello, world\n' >"$d/words"
printf '{"schema_version": 2' >"$d/cut.json"
printf '{"schema_version": 2}' >"$d/shape.json"
dd if="$data/tiny.tailbox" of="$d/cut.tailbox" bs=1 count=100 2>/dev/null
dd if="$data/tiny.tailbox" of="$d/damaged.tailbox" 2>/dev/null
printf 'XXXX' | dd of="$d/damaged.tailbox" bs=1 seek=200 conv=notrunc 2>/dev/null
mkdir "$d/folder"

for command in validate "export --to json" timeline; do
	run 1 $command "$d/missing"
	has err "$d/missing: "
	has err "No such file or directory"
	for file in empty words cut.json shape.json cut.tailbox damaged.tailbox; do
		run 1 $command "$d/$file"
		has err "tailbox: $d/$file: "
	done
	run 1 $command "$d/folder"
	run 1 $command - # standard input is empty
	has err "tailbox: standard input: "
done
run 1 validate "$d/cut.json"
has err "offset "

# The artifact cut at each byte up to 200 is never taken.
n=0
while test $n -lt 200; do
	dd if="$data/tiny.tailbox" of="$d/cut" bs=1 count=$n 2>/dev/null
	run 1 validate "$d/cut"
	n=$((n + 7))
done

# --- findings -----------------------------------------------------------------

sed 's/"finalized_at_unix_ms": 1767225603000/"finalized_at_unix_ms": null/' \
	"$data/spec-example.json" >"$d/live.json"
cmp -s "$d/live.json" "$data/spec-example.json" && fail "nothing was replaced"
run 1 validate "$d/live.json"
expect err <<EOT
tailbox: DIR/live.json: invalid: not finalized, a live snapshot
EOT

sed 's/"stage": "inventory_db"/"stage": " "/; s/"worker_count": 4/"worker_count": 0/' \
	"$data/spec-example.json" >"$d/wrong.json"
run 1 validate "$d/wrong.json"
cut -d: -f1,2 "$d/err" >"$d/codes"
diff - "$d/codes" <<EOT || fail "other findings"
stage[0].stage: empty_required_field
runtime snapshot[0].worker_count: invalid_worker_count
tailbox: $d/wrong.json
EOT
has err "invalid: 2 findings"
run 0 validate --permissive "$d/wrong.json"
has out "valid: 1 request"
has out "2 findings"
has err "warning: stage[0].stage: empty_required_field: "
run 1 validate --json "$d/wrong.json"
has err '"code": "empty_required_field"'
run 0 validate --json "$data/spec-example.json"
has out '"valid": true'

run 0 validate "$data/spec-example.json"
expect out <<EOT
TOP/tests/data/spec-example.json: valid: 1 request, 1 stage, 1 queue, 1 gauge move, 1 sample
EOT
run 0 validate "$data/tiny.tailbox"

# --- options and commands -----------------------------------------------------

run 2 frobnicate
has err "tailbox: frobnicate: no such command"
run 2 --frobnicate
run 2 help frobnicate
run 2 validate
has err "an argument is missing"
run 2 validate a b
has err "b: too many arguments"
run 2 validate --frob "$data/tiny.tailbox"
has err "--frob: no such option"
run 2 export "$data/tiny.tailbox"
has err "--to is missing"
run 2 export --to xml "$data/tiny.tailbox"
run 2 export --to
has err "--to: needs a value"
run 2 timeline --slowest x "$data/tiny.tailbox"
run 2 timeline --slowest 1001 "$data/tiny.tailbox"
run 2 timeline --width 63 "$data/tiny.tailbox"
run 0 timeline --width 64 "$data/tiny.tailbox"
run 0 timeline --width 400 "$data/tiny.tailbox"
run 2 timeline --width 401 "$data/tiny.tailbox"
for time in 30 0s s 1.s -1s 30x 25h 99999999999999999999s ''; do
	run 2 capture -- "$time" shop
done
run 2 capture 1s shop -o -
run 2 arm --duration 30 shop
run 2 arm --mode dark shop
run 2 arm --policy maybe shop
run 1 timeline --route /none "$data/tiny.tailbox"
has err "no request of route /none"
run 1 timeline --request none "$data/tiny.tailbox"

# --- targets ------------------------------------------------------------------

for target in shop 4194305 shop#1 '#1' 'a#' '' "$d/no.sock"; do
	run 1 status "$target"
done
run 1 status
has err "no recorded service was found"
run 1 status "$data/tiny.tailbox"
has err "is an artifact"
run 1 timeline "$data/tiny.tailbox#1"
printf 'not a tape' >"$d/run/shop.1.tape"
run 1 status shop
run 0 ls
has err "shop.1.tape: "
rm "$d/run/shop.1.tape"
run 0 ls --json
expect out <<EOT
{
  "services": []
}
EOT

# --- output that cannot be written --------------------------------------------

run 1 export --to json "$data/tiny.tailbox" -o "$d/none/run.json"
run 0 export --to json "$data/tiny.tailbox" -o "$d/run.json"
run 0 validate "$d/run.json"
cp "$d/run.json" "$d/before.json"
run 1 export --to json "$d/words" -o "$d/run.json"
cmp "$d/run.json" "$d/before.json" || fail "a failed export changed its file"
test -z "$(find "$d" -name '*.tailbox.*')" || fail "a temporary file was left"
if test -c /dev/full; then
	run 1 export --to json "$data/tiny.tailbox" -o /dev/full
	for command in validate timeline "export --to json"; do
		if "$tailbox" $command "$data/tiny.tailbox" >/dev/full 2>"$d/err"; then
			fail "$command: a full disk went unseen"
		fi
		grep -q "cannot write to standard output" "$d/err" ||
			fail "$command: does not say that the disk is full"
	done
fi
done_well
