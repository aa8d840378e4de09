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

# If this fails, a vote that a pipeline may hold cannot be tried on a file, or is not what --detector vote stands for.
run 0 --detector vote "$speed"
cp out voted
run 0 --detector slim,cusum --weights slim=4,cusum=1 "$speed"
cmp -s out voted || fail "slim and cusum by their weights are not vote"
run 0 --detector slim,cusum --weights cusum=0 "$speed"
cmp -s out voted && fail "weights change nothing"
run 2 --detector slim,cusum --weights slim "$speed"
err_has "is not NAME=N, as in slim=4"
run 2 --detector slim,cusum --weights slim=4,slim=2 "$speed"
err_has "listed twice"
run 2 --detector slim,cusum --weights ewma=4 "$speed"
err_has "'ewma' is not among the detectors"
run 2 --detector slim,cusum --weights slim=999 "$speed"
err_has "not a whole number from 0 to 255"
run 2 --detector slim --weights slim=3 "$speed"
err_has "weights: slim is the only detector, so there is nothing to weigh"

# If this fails, an option is taken and does nothing.
run 2 --detector ewma --window 20 "$speed"
err_has "window: no detector here has it, only hampel"
run 0 --detector ewma --window 63 "$speed"

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

# If this fails, a detector that scores a measure by its past is not there, or trips over a blank.
for name in discord half_space_trees prototype spectral_residual; do
    run 0 --detector $name --warmup 10 gaps.csv
    grep -qx '2023-11-14T22:14:40Z,,,0' out && grep -qx '1700000101000,nan,,0' out || fail "$name: $(tail -n 3 out)"
    grep -qxE '1700000102,1000,[0-9.]+,[01]' out || fail "$name, spike: $(tail -n 1 out)"
done
run 2 --detector discord --length 3 gaps.csv
err_has "4 to 64"

# If this fails, an anomaly that lasts is an alert at each of its rows, or a silenced one reaches the threshold.
alerts() { grep -c ',1$' out; }
run 0 --detector slim --preset events "$nab"/realKnownCause/rogue_agent_key_hold.csv
once=$(alerts)
awk -F, 'NR > 1 && ($3 >= 8) != $4 { exit 1 }' out || fail "an alert is not where the score reaches the threshold"
run 0 --detector slim --preset events --quiet 0s "$nab"/realKnownCause/rogue_agent_key_hold.csv
[ "$once" -gt 0 ] && [ "$(alerts)" -gt "$once" ] || fail "$once alerts with suppression, $(alerts) without"

# If this fails, what is scored in two halves, with the state kept in between, is not what one file scores.
mkdir -p front back
{ head -n 601 "$speed" && echo; } | grep . >front/speed_7578.csv
{ head -n 1 "$speed" && tail -n +602 "$speed"; } >back/speed_7578.csv
for detector in ewma slim "ewma,holt_winters" "holt_winters --season auto --season_max 192"; do
    read -r -a chosen <<<"--detector $detector"
    run 0 "${chosen[@]}" "$speed"
    cp out whole
    run 0 "${chosen[@]}" --save-state "old.warm" front/speed_7578.csv
    head -n 601 whole | cmp -s - out || fail "$detector: keeping the state changes the front"
    run 0 "${chosen[@]}" --load-state old.warm --save-state new.warm back/speed_7578.csv
    { head -n 1 whole && tail -n +602 whole; } | cmp -s - out || fail "$detector: the back does not go on where the front ended"
    run 0 "${chosen[@]}" --save-state whole.warm "$speed"
    cmp -s new.warm whole.warm || fail "$detector: the state of two halves is not that of the whole"
done
# If this fails, a season is not found, or not taken for what it is: a value that is ordinary, at the wrong hour.
awk 'BEGIN {
    print "timestamp,value"
    for (i = 0; i < 400; i++) {
        noise = (i * 7919 % 101 - 50) / 50
        print 1700000000 + i * 3600 "," 50 + 20 * sin(i * 3.14159265 / 12) + noise - (i == 306 ? 25 : 0)
    }
}' >season.csv
run 0 --detector holt_winters season.csv
[ "$(alerts)" -eq 0 ] || fail "without a season it is no anomaly"
run 0 --detector holt_winters --season 24 season.csv
tail -n +98 out >given
run 0 --detector holt_winters --season auto season.csv
[ "$(alerts)" -eq 1 ] && sed -n 308p out | grep -q ',1$' || fail "$(alerts) alerts with a season that is found"
tail -n +98 out | cmp -s - given || fail "a season that was found is another one than 24"

# A series has the name of its file, or that which is given; one that is not there begins blind, and says so.
cp back/speed_7578.csv other.csv
run 0 --detector ewma --save-state old.warm front/speed_7578.csv
run 0 --detector ewma --load-state old.warm other.csv
err_has "series other is not in it"
cp out blind
run 0 --detector ewma other.csv
cmp -s out blind || fail "a series that is not in the state does not begin blind"
run 0 --detector ewma --load-state old.warm --series speed_7578 other.csv
cmp -s out blind && fail "--series finds no state"
run 2 --detector slim --load-state old.warm other.csv
err_has "--load-state: old.warm: is the state of detectors ewma, and this stage has slim"
run 2 --detector ewma --span 50 --load-state old.warm other.csv
err_has "ewma was run with span=288 there, and has span=50 here"
head -c 120 old.warm >cut.warm
run 1 --detector ewma --load-state cut.warm other.csv
err_has "cut.warm"
run 1 --detector ewma --load-state none.warm other.csv
mkdir -p twice
cp gaps.csv twice/gaps
run 2 --detector ewma -o c --save-state x.warm gaps.csv twice/gaps
err_has "are both series gaps"
run 2 --detector ewma -o c --series x gaps.csv "$speed"
# A state that is not whole is not there: the second file is none.
printf 'timestamp,value\n1,2\n2,two\n' >bad.csv
run 1 --detector ewma -o d --save-state x.warm gaps.csv bad.csv
[ -e x.warm ] || [ -e x.warm.part ] && fail "half a state is left"

# If this fails, a pipeline that begins with a state scores otherwise than the file whose state it is.
tr -d '\r' <back/speed_7578.csv | awk -F, 'NR > 1 { sub(" ", "T", $1); printf "{\"host\":\"speed_7578\",\"ts\":\"%sZ\",\"v\":%s}\n", $1, $2 }' >back.ndjson
pipeline() { # pipeline DETECTOR STATE QUIET: its scores, a line each
    rm -rf events
    cat >warm.yaml <<END
pipeline: warm
source: {file: {paths: [back.ndjson], format: ndjson}}
decode: {json: {fields: {host: string, ts: timestamp, v: float}}, series: host}
stages:
  - detect: {field: v, time: ts, detectors: [$1], warm_state: $2, quiet: $3}
sink: {file: {path: events, form: json}}
runtime: {series_max: 1000, batch_rows: 64}
END
    "$penstock" run warm.yaml >/dev/null 2>err || fail "run: $(head -n 3 err)"
    sed -nE 's/.*"score":([-0-9.e+]+).*/\1/p' events/*.ndjson >scores
}
for detector in ewma slim; do
    run 0 --detector $detector --quiet 0s "$speed"
    tail -n +602 out | cut -d, -f3 >wanted
    run 0 --detector $detector --save-state old.warm front/speed_7578.csv
    pipeline $detector old.warm 0s
    err_has "warm state of 1 series"
    cmp -s scores wanted || fail "$detector: a warm pipeline scores $(head -n 2 scores | tr '\n' ' '), wanted $(head -n 2 wanted | tr '\n' ' ')"
done
# Of two stages over one series one may begin warm and the other blind.
run 0 --detector zscore --quiet 0s back/speed_7578.csv
tail -n +2 out | cut -d, -f3 >blind
sed -i '/detect:/a\  - detect: {field: v, detectors: [zscore], as: other}' warm.yaml
rm -rf events
"$penstock" run warm.yaml >/dev/null 2>err || fail "run of two stages: $(head -n 3 err)"
sed -nE 's/.*[{,]"score":([-0-9.e+]+).*/\1/p' events/*.ndjson | cmp -s - wanted || fail "beside a blind stage a warm one scores otherwise"
sed -nE 's/.*"other_score":([-0-9.e+]+).*/\1/p' events/*.ndjson | cmp -s - blind || fail "beside a warm stage a blind one is not blind"
"$penstock" explain warm.yaml 2>&1 | grep -q "warm states" || fail "explain says nothing of the state's memory"
# What check finds fine, run must not refuse: a state whose last series was altered.
"$penstock" check warm.yaml >/dev/null 2>err || fail "check refuses a good state: $(head -n 3 err)"
{ head -c -20 old.warm; printf 'x'; tail -c 19 old.warm; } >harmed.warm
sed 's/old.warm/harmed.warm/' warm.yaml >harmed.yaml
"$penstock" check harmed.yaml >/dev/null 2>err
[ $? -eq 2 ] || fail "check takes a state that is broken: $(head -n 3 err)"
err_has "harmed.warm: is broken behind 0 of 1 series"
sed -i 's/old.warm/none.warm/' warm.yaml
"$penstock" check warm.yaml >err 2>&1
[ $? -eq 2 ] && err_has "warm.yaml:5:" || fail "check of a state that is not there"

# What is wrong is said with file and line, and leaves nothing behind.
printf 'timestamp,value\n1,2\n2,two\n' >bad.csv
run 1 --detector ewma -o c bad.csv # the file is no usage: the work failed
err_has "bad.csv:3: value 'two' is not a number"
printf 'time,value\n1,2\n' >head.csv
run 1 --detector ewma head.csv
err_has "head.csv:1: the first line must be timestamp,value"
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
