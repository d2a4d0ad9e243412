#!/bin/sh
# SPDX-License-Identifier: MIT
# tailbox config: check and show of files, show and reload of a live service.
. "$(dirname "$0")/cli_common.sh"
samples=$top_srcdir/tests/config

# --- files --------------------------------------------------------------------

run 0 config check "$samples/flat.toml"
expect out <<EOT
TOP/tests/config/flat.toml: valid
EOT
expect err </dev/null
run 0 config check "$samples/controller.toml"
run 0 config check "$samples/controller-least.toml"
run 1 config check "$samples/mistakes.toml"
expect err <<EOT
TOP/tests/config/mistakes.toml:1:1: unknown table [windw]; did you mean [window]?
TOP/tests/config/mistakes.toml:4:1: window.mode is "lite": it takes "light" or "investigation"
TOP/tests/config/mistakes.toml:5:1: window.duration is a number without a unit: it takes a duration with its unit, "1ms" to "1d"
TOP/tests/config/mistakes.toml:6:1: unknown key window.mod; did you mean window.mode?
TOP/tests/config/mistakes.toml:7:1: window.drain_timeout: "10" needs a whole number and a unit, ms s m h or d
TOP/tests/config/mistakes.toml:9:1: tape.size is 1KiB: it takes a size with its unit, "1MiB" to "1GiB"
TOP/tests/config/mistakes.toml:10:1: table tape is there already, in line 8
TOP/tests/config/mistakes.toml:11:7: 1.5: numbers with a point or an exponent are not read
TOP/tests/config/mistakes.toml:12:1: unknown key tape.name; did you mean service.name?
TOP/tests/config/mistakes.toml:13:1: the array of line 12 is not closed by ]
EOT
run 1 config check --json "$samples/mistakes.toml"
has err '"line": 4'
has err '"valid": false'
run 0 config check --json "$samples/flat.toml"
has out '"valid": true'
run 1 config check "$d/none"
has err "$d/none: No such file or directory"
run 1 config check "$d/run"
has err "is a folder"
printf '[controller]\nextra = 1\n' | cat - "$samples/controller-least.toml" |
	sed '3d' >"$d/warned.toml"
run 0 config check "$d/warned.toml"
has err "$d/warned.toml:2:1: warning: unknown key controller.extra"
has out "valid, 1 warning"
awk 'BEGIN { print "[window]"; for (i = 0; i < 40; i++) print "zzzz" i " = 1" }' \
	>"$d/many.toml"
run 1 config check "$d/many.toml"
has err "... and 8 more"
run 0 config check - # standard input is empty
has out "-: valid"

run 0 config show "$samples/flat.toml"
has out 'duration = "5m"  # file, line 36'
has out 'token_file = "/etc/shop/tailbox.token"'
run 0 config show "$samples/controller-least.toml"
has out 'enabled = false  # default of the controller tables'
run 0 config show --json "$samples/flat.toml"
has out '"window.duration": {'
run 1 config show "$samples/mistakes.toml"
has err ":4:1: window.mode"

run 2 config
run 2 config check
has err "check needs a FILE"
run 2 config frobnicate x
has err "not check, show or reload"
run 2 config check a b
run 1 config show shop
run 1 config reload

# --- a service ----------------------------------------------------------------

shop=$top_builddir/demo/shop
test -x "$shop" || { done_well; exit 0; }
pid=
quit() {
	test -z "$pid" || kill -KILL "$pid" 2>/dev/null || :
	rm -rf "$d"
}
trap quit EXIT

cat >"$d/shop.conf" <<EOT
[window]
max_requests = 11
[admin]
token = "not-to-be-shown-0"
EOT
chmod 600 "$d/shop.conf"
TAILBOX_CONFIG=$d/shop.conf "$shop" --port 0 --workers 1 >"$d/shop.out" \
	2>"$d/shop.err" &
tries=0
until grep -q 'listening on' "$d/shop.out"; do
	tries=$((tries + 1))
	test $tries -lt 200 || fail "the shop does not start"
	sleep 0.05
done
pid=$(echo "$d"/run/shop.*.tape | sed 's/.*\.\([0-9]*\)\.tape$/\1/')

run 0 config show shop
has out "max_requests = 11  # file, line 2"
has out 'token = "..."  # file, line 4'
has out 'name = "shop"  # program'
! grep -q not-to-be-shown "$d/out" || fail "the token is shown"
run 0 config show --json
has out '"line": 2'
echo 'max_requests = 12' >>"$d/shop.conf"
run 1 config reload shop
has err "shop.conf:5:1: unknown key admin.max_requests; did you mean window.max_requests?"
run 0 config show shop
has out "max_requests = 11  # file, line 2"
run 0 status shop
has out "shop.conf:5:1: unknown key"
printf '[window]\nmax_requests = 13\n' >"$d/shop.conf"
run 0 config reload shop
has out "is loaded; an armed window keeps its settings"
has out "admin.token" # needs a restart
run 0 config reload --json shop
has out '"result": "reloaded"'
run 0 config show shop
has out "max_requests = 13  # file, line 2"
done_well
