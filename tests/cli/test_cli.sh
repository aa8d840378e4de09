#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program as a user meets it: exit codes, where output goes, messages, help, signals, the metrics server.
# usage: tests/cli/test_cli.sh path/to/penstock
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export TERM=xterm
unset PS_ISA NO_COLOR

# run CODE ARGUMENT…: leaves stdout and stderr in `out` and `err`.
run() {
    local wanted=$1
    shift
    "$penstock" "$@" >out 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "penstock $*: exit code $code, wanted $wanted; $(head -n 2 err)"
}
out_has() { grep -qF -- "$1" out || fail "stdout lacks '$1': $(head -n 3 out)"; }
silent() { [ ! -s "$1" ] || fail "$1 should be empty: $(head -n 2 "$1")"; }

cat >job.yaml <<'YAML'
pipeline: job
source: {synthetic: {rows: 50000, series: 100}}
decode:
  json: {fields: {host: string, cpu: float, ts: timestamp}}
  series: host
stages:
  - hash: {algorithm: sha256, of: value}
  - detect: {field: cpu, detectors: [ewma]}
sink: {discard: {}}
YAML

version_and_help() {
    run 0 --version
    grep -qE '^penstock [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version: $(cat out)"
    run 0 --help
    out_has "commands:"
    run 0 help
    silent err
    run 2
    for command in $(sed -n '/^commands:/,/^$/p' out | awk 'NR > 1 && NF { print $1 }'); do
        run 0 "$command" --help
        out_has "usage:"
        silent err
    done
    run 0 help runtime
    out_has "batch_rows"
    run 0 help file
    out_has "source file"
    out_has "sink file"
    run 0 help source
    out_has "synthetic"
    run 0 help zscore
    out_has "detector zscore"
    run 0 help commit_interval
    out_has "option of sink kafka"
    run 2 help runtim
    err_has "did you mean 'runtime'?"
    grep -q $'\033' out err && fail "colour in a pipe"
}

usage_faults() {
    run 2 rnu job.yaml
    err_has "unknown command 'rnu'; did you mean 'run'?"
    run 2 run
    err_has "wants FILE"
    run 2 run job.yaml more.yaml
    err_has "one argument too many"
    run 2 run job.yaml --untilend
    err_has "did you mean '--until-end'?"
    run 2 run job.yaml --summary xml
    err_has "'xml' is not one of none, json"
    run 2 run missing.yaml
    err_has "missing.yaml: cannot be read: No such file"
    run 2 gen --rows many
    err_has "--rows: 'many' is not a whole number"
    PS_ISA=mmx run 2 run job.yaml
    err_has "PS_ISA"
}

checks() {
    run 0 check job.yaml
    silent err
    sed -i.bak 's/ewma/ewwma/; s/rows:/row:/; s/sha256/sha257/' job.yaml
    run 2 check job.yaml
    silent out
    err_has "job.yaml:2:22: unknown key 'row' in source synthetic; did you mean 'rows'?"
    err_has "job.yaml:7:23: algorithm: 'sha257' is not one of"
    err_has "job.yaml:8:38: detectors: 'ewwma' is not one of"
    [ "$(grep -c '^job.yaml:' err)" -eq 3 ] || fail "not every fault is told: $(cat err)"
    run 2 run job.yaml
    err_has "job.yaml:2:22:"
    run 2 check job.yaml --log json
    head -n 1 err | grep -q '^{"time":"[^"]*","level":"error","where":"job.yaml:2:22","message":"unknown key' ||
        fail "--log json: $(head -n 1 err)"
    mv job.yaml.bak job.yaml
    "$penstock" check - <job.yaml >out 2>err || fail "check -"
    run 0 check job.yaml --set runtime.lanes=1 --set=stages.0.hash.algorithm=xxh3
    run 2 check job.yaml --set runtime.lanse=1
    err_has "--set runtime.lanse=1: unknown key 'lanse' in runtime; did you mean 'lanes'?"
    # A stage that cannot be planned is told beside a fault elsewhere; what comes behind it is not
    # blamed for what it lacks.
    sed 's/rows:/row:/; s/field: cpu/field: cpi/; s/^sink:/  - filter: {where: "score > 1"}\nsink:/' job.yaml >both.yaml
    run 2 check both.yaml
    err_has "unknown key 'row'"
    err_has "'cpi'"
    grep -q "no field 'score'" err && fail "a stage is blamed for another's fault: $(cat err)"
    # What undoes a promise is refused however it is spelt, without a network.
    if "$penstock" help kafka >/dev/null 2>&1; then
        for property in "enable.auto.commit: 1" "isolation.level: Read_Uncommitted" "nonsense: 1"; do
            sed "s|synthetic:.*|kafka: {brokers: \"localhost:1\", topics: [t], properties: {$property}}}|" job.yaml >undone.yaml
            run 2 check undone.yaml
            err_has "${property%%:*}"
        done
        # All that waits for a start to be refused, before any lane starts.
        cat >refused.yaml <<'YAML'
pipeline: refused
source: {kafka: {brokers: "localhost:1", topics: [telemetry, ""]}}
sink: {kafka: {topic: 'bad topic!'}}
runtime: {lanes: 1, memory_max: 40MiB}
YAML
        for command in check run; do
            run 2 $command refused.yaml
            err_has "refused.yaml:2:62: topics: '' is not a topic's name"
            err_has "refused.yaml:3:23: topic: 'bad topic!' is not a topic's name"
        done
        run 2 check refused.yaml
        err_has "refused.yaml:4:33: the memory ceiling is"
        sed 's/discard: {}/kafka: {topic: out}/' job.yaml >refused.yaml
        run 2 run refused.yaml
        err_has "refused.yaml:9:8: sink kafka needs 'brokers'"
        grep -q started err && fail "lanes start for a sink that has no brokers"
    fi
    # Aliases of aliases: 10^11 nodes.
    {
        echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'
        previous=a
        for each in b c d e f g h i j k; do
            echo "$each: &$each [*$previous,*$previous,*$previous,*$previous,*$previous,*$previous,*$previous,*$previous,*$previous,*$previous]"
            previous=$each
        done
    } >bomb.yaml
    run 2 check bomb.yaml
    err_has "aliases"
    # A secret's text never shows, its file's absence does.
    printf 'hunter2\n' >secret
    sed 's/sink:.*/sink: {discard: {password: file:secret}}/' job.yaml >secret.yaml
    run 2 check secret.yaml
    grep -q hunter2 out err && fail "a secret was printed"
}

runs() {
    run 0 run job.yaml --summary json
    tail -n 1 out | grep -qE '^\{"rows_in":50000,"rows_out":50000,"rows_filtered":0,"rows_rejected":0,"anomalies":[0-9]+,"seconds":[0-9.]+,"rows_per_second":[0-9]+,"bytes_in":[0-9]+,"backend":"cpu","isa":"[a-z0-9]+"\}$' ||
        fail "summary: $(tail -n 1 out)"
    err_has "50,000 rows in"
    run 0 run job.yaml --set source.synthetic.rows=1
    err_has " 1 row in, 1 out, 0 filtered, 0 rejected, 0 anomalies"
    run 0 run job.yaml
    silent out
    # What does not fit is told at its place by all who read the file; explain shows it all the same.
    sed '$a runtime: {lanes: 2, memory_max: 40MiB}' job.yaml >tight.yaml
    for command in run check explain; do
        run 2 $command tight.yaml
        err_has "tight.yaml:10:33: the memory ceiling is"
    done
    out_has "does not fit"
    run 2 explain tight.yaml --json
    out_has '"memory_fits":false'
    PS_ISA=scalar run 0 run job.yaml --summary json
    out_has '"isa":"scalar"'
    run 2 check job.yaml --set 'metrics.listen=[::1]:9464'
    err_has "wants quotes"
    run 0 check job.yaml --set 'metrics.listen="[::1]:9464"'
    run 1 run job.yaml --set metrics.listen=203.0.113.1:9
    err_has "metrics.listen: cannot listen on 203.0.113.1:9"
}

# Files of different tools in one job: each is read by its own header line, what is no record is shown.
reads_files() {
    mkdir csv
    printf '\xef\xbb\xbfhost,cpu,note\r\na,1,x\r\nb,90,"x,""y"""\r\n' >csv/1.csv
    printf 'note,"cpu",host\n\n,91,c\n"",2,d' >csv/2.csv
    : >csv/3.csv
    cat >csv.yaml <<'YAML'
pipeline: csv
source: {file: {paths: ["csv/*.csv"], format: csv, header: true}}
decode:
  csv: {fields: {cpu: float, host: string}}
  series: host
stages: [{filter: {where: "cpu > 50"}}]
sink: {file: {path: csv.out, form: value}}
dead_letter: {file: csv.dead}
runtime: {lanes: 2}
YAML
    run 0 run csv.yaml --summary json
    out_has '"rows_in":5,"rows_out":2,"rows_filtered":2,"rows_rejected":1'
    cat csv.out/part-* >got
    printf 'b,90,"x,""y"""\n,91,c\n' | cmp -s - got || fail "rows by header: $(cat got)"
    grep -q '"source":"files/1/0","error":"empty"' csv.dead || fail "a blank line is not shown: $(cat csv.dead)"
    printf 'host,load\ne,3\n' >csv/4.csv
    rm -r csv.out
    run 2 run csv.yaml
    err_has "csv/4.csv: field 'cpu' reads column 'cpu', which the header line does not name"
    [ -e csv.out/part-00000-00000000000000000000.txt ] && fail "rows went out before all files were checked"
    # One mistake, one exit code: neither the file nor the folder on the way to it is there.
    for missing in none.csv none/1.csv "none/*.csv" "csv/*.tsv" "csv/1.csv/*"; do
        run 2 run csv.yaml --set "source.file.paths=[\"$missing\"]"
        err_has "no file matches '$missing'"
    done
    printf 'x\n\n"y' >short.csv
    cat >short.yaml <<'YAML'
pipeline: short
source: {file: {paths: [short.csv], format: csv}}
decode: {csv: {fields: {host: string, cpu: float}}}
sink: {discard: {}}
dead_letter: {file: short.dead}
YAML
    run 0 run short.yaml
    grep -qF "\"truncated\",\"reason\":\"the record ends before field 'cpu'\"" short.dead ||
        fail "a missing column is not named: $(cat short.dead)"
    grep -qF '"truncated","reason":"the record ends too early, at byte 2"' short.dead ||
        fail "an unclosed quote is not told: $(cat short.dead)"
    run 0 run short.yaml --set 'decode.csv.fields={host: string, cpu: {type: float, required: true}}' --set dead_letter.file=must.dead
    grep -qF "\"missing_field\",\"reason\":\"field 'cpu' is required, and absent or null\"" must.dead ||
        fail "a required column that is absent is not told: $(cat must.dead)"
    printf '{"a":1}\n\n{"a":2}\n' >lines.ndjson
    cat >lines.yaml <<'YAML'
pipeline: lines
source: {file: {paths: [lines.ndjson]}}
decode: {json: {fields: {a: int}}}
sink: {file: {path: lines.out}}
dead_letter: {file: lines.dead}
YAML
    run 0 run lines.yaml
    grep -q '"source":"files/0/1","error":"empty"' lines.dead || fail "a blank line is not shown: $(cat lines.dead)"
    [ "$(wc -l <lines.dead)" -eq 1 ] || fail "the end of the file is no blank line: $(cat lines.dead)"
}

# Dead letters in a file: listed, shown, filtered; strangers' bytes do not reach the terminal.
reads_dead_letters() {
    "$penstock" help | grep -q '^  dead ' || return 0
    printf '{"a":1}\n{"a":"x"}\nbad \033[2J\377 \n\n{"a":1\n' >dead.ndjson
    cat >dead.yaml <<'YAML'
pipeline: dead
source: {file: {paths: [dead.ndjson]}}
decode: {json: {fields: {a: int}}}
sink: {discard: {}}
dead_letter: {file: letters.ndjson}
YAML
    run 0 run dead.yaml
    run 0 dead ls dead.yaml
    head -n 1 out | grep -qE '^SOURCE +CODE +TIME +SIZE +KEY +REASON$' || fail "dead ls: $(head -n 1 out)"
    [ "$(wc -l <out)" -eq 5 ] || fail "dead ls: $(cat out)"
    err_has "4 dead letters: 1 wrong_type, 1 syntax, 1 empty, 1 truncated"
    out_has "field 'a' is not of its declared type, int"
    run 0 dead show dead.yaml files/0/2
    out_has 'value    bad \x1b[2J\xff '
    grep -q $'\033' out && fail "a letter moved the cursor"
    run 1 dead show dead.yaml files/0/9
    err_has "no such letter"
    run 0 dead ls dead.yaml --code too_deep
    run 0 dead ls dead.yaml --code syntax,empty --json
    [ "$(wc -l <out)" -eq 2 ] || fail "dead ls --code: $(cat out)"
    python3 -c 'import json; [json.loads(line) for line in open("out")]' || fail "dead ls --json: $(cat out)"
    run 0 dead show dead.yaml --json
    cmp -s out letters.ndjson || fail "dead show --json is not what the file has"
    run 0 dead ls dead.yaml --partition 1
    silent out
    run 0 dead ls dead.yaml --limit 1
    err_has "1 dead letter: 1 wrong_type"
    run 0 dead ls dead.yaml --from 1h
    silent out
    run 2 dead lst dead.yaml
    err_has "did you mean 'ls'?"
    run 2 dead ls dead.yaml --code emty
    err_has "did you mean 'empty'?"
    run 2 dead ls dead.yaml --until soon
    err_has "--until: 'soon' is no time"
    run 2 dead ls dead.yaml files/2
    err_has "'files/2' is not TOPIC/PARTITION/OFFSET"
    run 2 dead ls dead.yaml --dry-run
    err_has "only replay takes --dry-run"
    run 2 dead replay dead.yaml
    err_has "no Kafka to replay to"
    run 2 dead ls job.yaml
    err_has "no dead_letter"
    run 1 dead ls dead.yaml --set dead_letter.file=nowhere.ndjson
    err_has "nowhere.ndjson: No such file"
}

explains() {
    run 0 explain job.yaml
    # If this fails, explain does not say what a threshold comes to, or names options that have no say.
    out_has "detectors=[ewma] vote=1 scores=false severity=false threshold=6 sensitivity=auto quiet=0s span=288 warmup=30"
    run 0 explain job.yaml --set 'stages.1.detect.detectors=[slim, cusum]' --set stages.1.detect.sensitivity=high \
        --set stages.1.detect.weights.slim=4
    out_has "weights={slim: 4} scores=false severity=false preset=generic threshold=slim 4.333, cusum 4 sensitivity=high quiet=0s span=288"
    run 0 explain job.yaml
    out_has "memory ceiling"
    out_has "sha256"
    run 0 explain job.yaml --json
    python3 - <<'PY' || fail "explain --json: $(head -c 300 out)"
import json
plan = json.load(open("out"))
assert plan["memory_ceiling_bytes"] == sum(t["times"] * t["bytes"] for t in plan["memory"])
assert plan["restore_bytes_max"] == 0 # a sink that keeps no state
assert plan["backend"] == "cpu" and plan["client"] == "none" and plan["delivery"] == "none"
assert plan["client_why"] == "neither source nor sink is Kafka"
assert [c["kernel"] for c in plan["calls"]][0] == "sha256"
PY
    if "$penstock" help kafka >/dev/null 2>&1; then
        explains_the_client
    fi
    run 0 devices --json
    python3 -c 'import json; d = json.load(open("out")); assert d["self_test"] == "ok" and d["cores"] >= 1' ||
        fail "devices --json: $(head -c 300 out)"
    run 0 devices
    out_has "self-test ok"
    if grep -qE '^back-end opencl: [1-9]' out; then
        # A driver that builds its kernels for the first time keeps nobody waiting without a word. Under a
        # sanitizer that takes a minute, and says no more.
        if [ "${PS_SCALE:-1}" -eq 1 ]; then
            XDG_CACHE_HOME=$work/cold POCL_CACHE_DIR=$work/cold timeout 4 "$penstock" devices >out 2>err
            [ $? -ne 124 ] || err_has "builds its kernels, once"
        fi
        out_has "back-end opencl:"
        drivers_are_counted
        PS_GPU=ignore run 0 devices
        out_has "back-end opencl: 0 devices, PS_GPU=ignore"
        PS_GPU=ignore run 0 devices --json
        out_has '"name":"opencl","devices":0'
    fi
}

# Sizes that the file leaves open follow from memory_max, and what does not fit is refused with a way out that works.
# If this fails, `detectors: [ewma, slim]` and nothing else does not start, or starts above its ceiling.
sizes_itself() {
    local lane='--set=runtime.lanes=1' pid i
    cat >sized.yaml <<'YAML'
pipeline: sized
source: {synthetic: {rows: 20000, series: 20000}}
decode:
  json: {fields: {host: string, cpu: float, ts: timestamp}}
  series: host
stages:
  - detect: {field: cpu, detectors: [ewma, slim], time: ts}
sink: {discard: {}}
YAML
    run 0 explain sized.yaml
    out_has "series_max "
    out_has "of \`runtime\` follow from memory_max; for 1000000 series set memory_max to "
    run 0 explain sized.yaml --json
    python3 -c '
import json
plan = json.load(open("out"))
assert plan["memory_fits"] and plan["memory_ceiling_bytes"] <= plan["memory_max_bytes"] == 512 << 20
assert 50000 <= plan["series_max"] < 1000000 and 1024 <= plan["batch_rows"] < 32768, plan["series_max"]
assert "follow from memory_max" in plan["sized"]' || fail "explain --json: sizes: $(head -c 200 out)"
    run 0 run sized.yaml --summary json
    err_has "follow from memory_max"
    tail -n 1 out | grep -q '"rows_out":20000,' || fail "sized: $(tail -n 1 out)"
    # Light state has as many series as ever, and nothing is said of it.
    run 0 explain sized.yaml --set 'stages.0.detect.detectors=[ewma]' "$lane" --json
    grep -q '"series_max":1000000,"batch_rows":32768,"sized":""' out || fail "light state is sized: $(head -c 300 out)"
    # What is written stays as it is.
    run 2 run sized.yaml --set runtime.series_max=200000 "$lane"
    err_has "lower series_max from 200000 to "
    local less more
    less=$(grep -oE 'from 200000 to [0-9]+' err | grep -oE '[0-9]+$')
    more=$(grep -oE 'raise memory_max to [0-9]+MiB' err | grep -oE '[0-9]+MiB')
    err_has "use fewer detectors, which keep 3680 bytes of a series"
    run 0 explain sized.yaml --set "runtime.series_max=$less" "$lane"
    run 0 explain sized.yaml --set runtime.series_max=200000 --set "runtime.memory_max=$more" "$lane"
    # More series than the derived number: the longest idle are forgotten and counted, no row is lost.
    port=$((20000 + RANDOM % 9000))
    "$penstock" run sized.yaml --set source.synthetic.rows=0 --set source.synthetic.rate=20000 --set runtime.memory_max=80MiB \
        --set "metrics.listen=$port" --set runtime.lanes=1 --summary json >out 2>err &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        get /metrics 2>/dev/null | tr -d '\r' >metrics
        awk '/^penstock_series_evicted_total/ { gone = $NF } END { exit !(gone > 1000) }' metrics && break
        sleep 0.1
    done
    [ $i -lt 100 ] || fail "nobody is forgotten: $(grep '^penstock_series' metrics) $(cat err)"
    less=$(grep -oE 'series_max [0-9]+' err | grep -oE '[0-9]+')
    awk -v most="$less" '/^penstock_series\{/ && $NF <= most && $NF > most / 2 { right = 1 } END { exit !right }' metrics ||
        fail "more series than $less: $(grep '^penstock_series' metrics)"
    kill -TERM $pid
    wait $pid || fail "sized: exit code $?"
    tail -n 1 out | python3 -c '
import json, sys
told = json.load(sys.stdin)
assert told["rows_in"] == told["rows_out"] > 0' || fail "sized: $(tail -n 1 out)"
}

# Which Kafka client, and why; what only librdkafka can do is refused where the other one is asked for by name.
explains_the_client() {
    cat >kafka.yaml <<'YAML'
pipeline: kafka
source: {kafka: {brokers: "127.0.0.1:1", topics: [in]}}
sink: {kafka: {topic: out}}
YAML
    local rack=(--set source.kafka.properties.client.rack=a)
    run 0 explain kafka.yaml
    grep -q 'librdkafka older than' out && return
    run 0 explain kafka.yaml --set runtime.client=native
    out_has "client   native: runtime.client asks for it"
    run 0 explain kafka.yaml "${rack[@]}"
    out_has "client   librdkafka: native does not go with 'client.rack' (source kafka)"
    run 0 explain kafka.yaml "${rack[@]}" --json
    out_has '"client":"librdkafka","client_why":"native does not go with '"'client.rack' (source kafka)"'"'
    for command in check explain run; do
        run 2 "$command" kafka.yaml "${rack[@]}" --set runtime.client=native
        err_has "client: native does not go with 'client.rack' (source kafka): use auto or librdkafka"
    done
    timeout 2 "$penstock" run kafka.yaml --set runtime.client=librdkafka >out 2>err </dev/null
    err_has "Kafka client librdkafka: runtime.client asks for it"
}

# What a driver takes of the host's memory is in the ceiling, or the driver is left alone.
drivers_are_counted() {
    local backend
    cat >driver.yaml <<END
pipeline: driver
source: {synthetic: {rows: 100000}}
stages:
  - hash: {algorithm: sha256, of: value}
sink: {discard: {}}
runtime: {lanes: 1, batch_rows: 4096, series_max: 1000}
END
    export PS_GPU=look
    run 0 explain driver.yaml --set runtime.memory_max=64MiB
    out_has "back-end cpu: runtime.memory_max asks for a small worker"
    # It is not the worker's to plan: with the defaults of everything, a device is there for the asking.
    run 0 explain driver.yaml --set runtime.backend=opencl --set runtime.lanes=2 --set runtime.batch_rows=32768 \
        --set runtime.series_max=1000000
    out_has "of runtime.memory_max 512.0 MiB: fits"
    for backend in auto opencl; do
        run 0 explain driver.yaml --set "runtime.backend=$backend"
        out_has "driver of a device, in the host's memory"
        run 0 explain driver.yaml --set "runtime.backend=$backend" --json
        [ "${PS_SCALE:-1}" -eq 1 ] || continue # a sanitizer's shadow is not the worker's memory
        XDG_CACHE_HOME=$work/cold2 POCL_CACHE_DIR=$work/cold2 python3 - "$backend" "$penstock" <<'PY' || fail "more memory than the ceiling on $backend"
import json, os, subprocess, sys
backend, penstock = sys.argv[1:]
for memory_max, ceiling in (("512MiB", json.load(open("out"))["memory_ceiling_bytes"]),) + ((("64MiB", 64 << 20),) if backend == "auto" else ()):
    job = subprocess.Popen([penstock, "run", "driver.yaml", "--set", f"runtime.backend={backend}", "--set", f"runtime.memory_max={memory_max}"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(job.pid, 0)
    assert status == 0 and usage.ru_maxrss * 1024 <= ceiling, (memory_max, status, usage.ru_maxrss, ceiling)
PY
    done
    unset PS_GPU
}

generates() {
    run 0 gen --rows 1000 --series 10 --seed 3
    mv out first
    run 0 gen --rows 1000 --series 10 --seed 3
    cmp -s first out || fail "gen: same seed, other bytes"
    [ "$(wc -l <out)" -eq 1000 ] || fail "gen: $(wc -l <out) lines"
    python3 -c 'import json
for line in open("out"): assert isinstance(json.loads(line)["cpu"], float)' || fail "gen: not JSON"
    "$penstock" gen --rows 0 2>err | head -n 1 >out
    [ "${PIPESTATUS[0]}" -eq 0 ] || fail "gen: a reader that has enough is no failure"
    silent err
}

measures_kernels() {
    export PENSTOCK=$penstock
    "$penstock" help bench >/dev/null 2>&1 || return 0 # a build without the bench
    run 2 bench chaos sha1
    err_has "'sha1': chaos has no cases to choose from"
    run 2 bench kernels sha1
    err_has "no case 'sha1'"
    # If this fails, what others score on NAB is of no corpus, and no table finds it.
    run 0 bench detect --nab "$root/tests/golden/nab" --scores "$root/tests/golden/nab/data" --json scores.json
    grep -qF '"case":"nab"' scores.json || fail "bench detect --scores: $(head -c 300 scores.json)"
    run 0 bench kernels crc32c fnv1a --json kernels.json
    out_has "crc32c        keys"
    python3 - <<'PY' || fail "bench kernels --json: $(head -c 300 kernels.json)"
import json
result = json.load(open("kernels.json"))
assert result["machine"]["cpu"] and result["machine"]["compiler"]
rows = result["rows"]
for kernel in "crc32c", "fnv1a":
    for case in "64", "256", "1024", "4096", "mix", "keys":
        here = [r for r in rows if (r["kernel"], r["case"]) == (kernel, case)]
        assert here[0]["impl"] == "scalar" and here[0]["kind"] == "own", here
        assert sum(r["chosen"] for r in here) == 1, here
        for r in here:
            assert r["ns_per_record"] > 0 and r["gb_per_s"] > 0 and r["spread"] >= 0, r
            assert r["kind"] in ("own", "library"), r
PY
    "$root/scripts/bench-compare" kernels.json kernels.json >out || fail "bench-compare: the same is slower: $(cat out)"
    python3 - <<'PY' >slower.json
import re
def slower(match): return f'"{match[1]}":{float(match[2]) * 10}'
for line in open("kernels.json"):
    if '"crc32c","case":"1024","impl":"scalar"' in line:
        line = re.sub(r'"(ns_per_record|mean_ns|deviation_ns)":([0-9.]+)', slower, line)
    print(line, end="")
PY
    "$root/scripts/bench-compare" kernels.json slower.json >out && fail "bench-compare: ten times as slow is not seen"
    [ "$(grep -c '^slower' out)" -eq 1 ] || fail "bench-compare: $(cat out)"
}

get() { # get PATH: the answer, headers included
    exec 8<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&8
    timeout 5 cat <&8
    exec 8>&- 8<&-
}

serves_and_drains() {
    local pid i
    port=$((20000 + RANDOM % 9000))
    sed "s/rows: 50000/rows: 0, rate: 20000/; s/^sink:/  - statistics: {field: cpu, per: batch}\nsink:/" job.yaml >endless.yaml
    "$penstock" run endless.yaml --set "metrics.listen=$port" --summary json >out 2>err &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        get /ready 2>/dev/null | grep -q '^HTTP/1.[01] 200' && break
        sleep 0.1
    done
    [ $i -lt 100 ] || fail "/ready never answers 200: $(cat err)"
    get /health | grep -q '^HTTP/1.[01] 200' || fail "/health"
    get /metrics >metrics
    for name in $(grep -oE '^\| `[a-z_]+`' "$root/docs/metrics.md" | tr -d '|` '); do
        grep -q "^# TYPE $name " metrics || fail "/metrics lacks $name"
    done
    # What a batch comes to; its rows all have a cpu between 0 and 100.
    for ((i = 0; i < 50; i++)); do
        get /metrics | tr -d '\r' >metrics
        grep -q '^penstock_values_count{.*field="cpu"} [1-9]' metrics && break
        sleep 0.1
    done
    awk '
        /^penstock_batch_value.*of="count"/ { count += $NF }
        /^penstock_batch_value.*of="mean"/ && $NF > 0 && $NF < 100 { mean = 1 }
        /^penstock_batch_quantile.*quantile="0.5"/ && $NF > 0 && $NF < 100 { median = 1 }
        /^penstock_values_bucket.*le="-1"/ { negative += $NF }
        /^penstock_values_bucket.*le="16384"/ { within += $NF }
        /^penstock_values_bucket.*le="\+Inf"/ { all += $NF }
        END { exit !(count > 0 && mean && median && negative == 0 && within == all && all > 0) }' metrics ||
        fail "/metrics: per batch: $(grep -E 'batch_value|quantile' metrics | head -n 4)"
    grep -E '^# TYPE' metrics | sort | uniq -d | grep -q . && fail "a metric twice"
    "$penstock" run endless.yaml --set "metrics.listen=$port" --set pipeline=other >out2 2>err2
    [ $? -eq 1 ] && grep -q "Address already in use" err2 || fail "a port in use: $(cat err2)"
    kill -TERM $pid
    kill -TERM $pid # as coreutils' timeout does; impatience comes later
    wait $pid || fail "SIGTERM: exit code $?"
    tail -n 1 out | grep -q '^{"rows_in":' || fail "SIGTERM: no summary"
}

# A signal while nothing has begun yet: the summary is there all the same, of no rows.
stops_before_it_begins() {
    local pid i
    "$penstock" help | grep -q "^  quickstart " || return 0 # a build without Kafka
    sed -e 's|^source:.*|source: {kafka: {brokers: "127.0.0.1:1", topics: [in]}}|' job.yaml >away.yaml
    : >err
    "$penstock" run away.yaml --summary json >out 2>err </dev/null &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        grep -q 'still trying' err && break
        sleep 0.1
    done
    kill -TERM $pid
    wait $pid || fail "SIGTERM before the start: exit code $?"
    tail -n 1 out | grep -q '^{"rows_in":0,' || fail "SIGTERM before the start: no summary: $(cat out)"
}

# The service manager (systemd, Type=notify) is told when rows flow, not before.
tells_that_it_is_ready() {
    python3 - "$penstock" <<'PY' || fail "the service manager is not told that the worker is ready"
import os, socket, subprocess, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind("notify")
    manager.settimeout(20)
    for name in os.path.abspath("notify"), "relative", "/no/such/socket":
        environment = dict(os.environ, NOTIFY_SOCKET=name)
        worker = subprocess.Popen([sys.argv[1], "run", "endless.yaml"], env=environment, stderr=subprocess.DEVNULL)
        if name.endswith("/notify") and manager.recv(100) != b"READY=1":
            sys.exit(1)
        worker.terminate()
        if worker.wait(20) != 0 and name.endswith("/notify"):
            sys.exit(1)
PY
}

documents() {
    # The manual of a build without Kafka is shorter: only the whole one is compared.
    if "$penstock" help | grep -q "^  quickstart "; then
        "$penstock" help --markdown | diff - "$root/docs/configuration.md" >&2 ||
            fail "docs/configuration.md is stale: penstock help --markdown >docs/configuration.md"
    fi
    "$penstock" help --metrics | diff - "$root/docs/metrics.md" >&2 ||
        fail "docs/metrics.md is stale: penstock help --metrics >docs/metrics.md"
}

terminal() {
    command -v script >/dev/null || return 0
    sed "s/rows: 50000/rows: 60000, rate: 60000/" job.yaml >paced.yaml
    script -qec "stty cols 120; '$penstock' run paced.yaml" /dev/null </dev/null >screen 2>&1
    grep -q 'rows/s' screen || fail "no live line on a terminal"
    grep -q '%' screen || fail "no progress where the end is known"
    "$penstock" gen --rows $((2000000 / ${PS_SCALE:-1})) >long.ndjson
    sed 's/synthetic: .*}/file: {paths: [long.ndjson]}}/' job.yaml >long.yaml
    script -qec "stty cols 120; '$penstock' run long.yaml --set runtime.lanes=1" /dev/null </dev/null >screen 2>&1
    grep -qE '[1-9][0-9]? %.* lag [1-9]' screen || fail "no progress or lag of a file: $(tr '\r' '\n' <screen | tail -n 3)"
    # A narrow terminal shows as much, in fewer columns, and no line that is cut off.
    script -qec "stty cols 80; '$penstock' run long.yaml --set runtime.lanes=1" /dev/null </dev/null >screen 2>&1
    tr '\r' '\n' <screen | grep -qE '\[#*-*\] +[0-9]+%.* rows .*/s .*MB/s .*lag [1-9].* rejects [0-9]+ anomalies [0-9]' ||
        fail "80 columns lack something: $(tr '\r' '\n' <screen | tail -n 3)"
    script -qec "stty cols 60; '$penstock' run long.yaml --set runtime.lanes=1" /dev/null </dev/null >screen 2>&1
    tr '\r' '\n' <screen | grep -qE 'rows.* rejects [0-9]+ anomalies [0-9]' ||
        fail "60 columns lack rejects or anomalies: $(tr '\r' '\n' <screen | tail -n 3)"
    rm long.ndjson
    script -qec "'$penstock' help" /dev/null </dev/null >screen 2>&1
    grep -q $'\033' screen || fail "no colour on a terminal"
    NO_COLOR=1 script -qec "'$penstock' help" /dev/null </dev/null >screen 2>&1
    grep -q $'\033' screen && fail "colour in spite of NO_COLOR"
}

for part in version_and_help usage_faults checks runs reads_files reads_dead_letters explains sizes_itself generates measures_kernels serves_and_drains stops_before_it_begins tells_that_it_is_ready documents terminal; do
    $part
done
[ $failures -eq 0 ] || {
    echo "cli: $failures failed" >&2
    exit 1
}
echo "cli: all passed"
