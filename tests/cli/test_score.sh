#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# penstock score as a user meets it: what it writes, where, exit codes, messages.
# usage: tests/cli/test_score.sh path/to/penstock
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# run CODE ARGUMENT…: leaves stdout and stderr in `out` and `err`.
run() {
    local wanted=$1
    shift
    "$penstock" score "$@" >out 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "score $*: exit code $code, wanted $wanted; $(head -n 2 err)"
}
nab=$root/tests/golden/nab/data
speed=$nab/realTraffic/speed_7578.csv

# If this fails, a row is lost or its own text is not what the file has.
run 0 --detector ewma "$speed"
[ "$(head -n 1 out)" = "timestamp,value,anomaly_score,alert" ] || fail "first line: $(head -n 1 out)"
cut -d, -f1,2 out | diff -q - <(tr -d '\r' <"$speed" | awk 1) >/dev/null || fail "timestamp and value are not the file's"
err_has "1127 rows of 1 series"
grep -qE ',[01]$' out || fail "no alert column"
cp out whole

# Several files go to a folder that is made, under their names.
run 0 --detector ewma,zscore --vote 2 --threshold 5 -o a/b "$speed" "$nab"/realKnownCause/rogue_agent_key_hold.csv
for name in speed_7578.csv rogue_agent_key_hold.csv; do
    [ -s a/b/$name ] || fail "files missing: $(ls a/b)"
done
[ -e a/b/speed_7578.csv.part ] && fail "a part is left"
run 0 --detector ewma -o a/b "$speed"
cmp -s a/b/speed_7578.csv whole || fail "a file in a folder is not what stdout has"
run 0 --detector vote --levels "$speed"
err_has "sensitivity  threshold"
err_has "high"

# Rows without a value stay, with an empty score; the state goes on behind them.
{
    echo timestamp,value
    for i in $(seq 1 40); do echo "$((1700000000 + i)),$((i % 3))"; done
    echo "2023-11-14T22:14:40Z,"
    echo "1700000101000,nan"
    echo "1700000102,1000"
} >gaps.csv
run 0 --detector zscore gaps.csv
grep -qx '2023-11-14T22:14:40Z,,,0' out || fail "blank: $(tail -n 3 out)"
grep -qx '1700000101000,nan,,0' out || fail "nan: $(tail -n 3 out)"
grep -qx '1700000102,1000,300,1' out || fail "spike: $(tail -n 1 out)"

# If this fails, an anomaly that lasts is an alert at each of its rows, or a silenced one reaches the threshold.
alerts() { grep -c ',1$' out; }
run 0 --detector slim --preset events "$nab"/realKnownCause/rogue_agent_key_hold.csv
once=$(alerts)
awk -F, 'NR > 1 && ($3 >= 8) != $4 { exit 1 }' out || fail "an alert is not where the score reaches the threshold"
run 0 --detector slim --preset events --quiet 0s "$nab"/realKnownCause/rogue_agent_key_hold.csv
[ "$once" -gt 0 ] && [ "$(alerts)" -gt "$once" ] || fail "$once alerts with suppression, $(alerts) without"

# What is wrong is said with file and line, and leaves nothing behind.
printf 'timestamp,value\n1,2\n2,two\n' >bad.csv
run 2 --detector ewma -o c bad.csv
err_has "bad.csv:3: value 'two' is not a number"
[ -z "$(ls c)" ] || fail "left behind: $(ls c)"
run 1 --detector ewma nowhere.csv
err_has "nowhere.csv"
run 2 "$speed"
err_has "--detector"
run 2 --detector slimes "$speed"
err_has "slimes"
run 2 --detector ewma
run 2 --detector ewma "$speed" gaps.csv
err_has "-o"
run 2 --detector ewma -o x gaps.csv ./gaps.csv
err_has "same base name"
run 2 --detector ewma -o . gaps.csv
err_has "would be overwritten"
run 2 --detector ewma --field x "$speed"
err_has "unknown option '--field'"
run 0 --help
grep -q -- '--span N' out || fail "help lacks the stage's options"

[ $failures -eq 0 ] || {
    echo "score: $failures failed" >&2
    exit 1
}
echo "score: all passed"
