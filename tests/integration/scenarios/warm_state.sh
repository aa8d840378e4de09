# shellcheck shell=bash disable=SC2034,SC2154
breaks="a deployment that begins with a warm state scores otherwise than one that has run all the time"

# lines_job FILE FROM SINK [STAGES…]: a job over lines in a file.
lines_job() {
    local file=$1 from=$2 sink=$3
    shift 3
    printf 'pipeline: %s\nsource: {file: {paths: [%s], format: ndjson}}\n' "$prefix-lines" "$from" >"$file"
    printf 'decode: {json: {fields: {host: string, cpu: float, ts: timestamp}}, series: host}\n%s\n' "$*" >>"$file"
    printf 'sink: %s\nruntime: {lanes: 1, series_max: 1000, batch_rows: 512}\n' "$sink" >>"$file"
}

# kafka_job FILE STATE: the deployment that begins with a file.
kafka_job() {
    cat >"$1" <<END
pipeline: $prefix
source: {kafka: {brokers: "$brokers", topics: [$prefix.in], properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}}}
decode: {json: {fields: {host: string, cpu: float, ts: timestamp}}, series: host}
stages:
  - detect: {field: cpu, time: ts, detectors: [$detectors], warm_state: $2}
sink: {kafka: {topic: $prefix.out, form: json, commit_interval: 100ms}}
runtime: {lanes: 1, series_max: 1000, batch_rows: 512}
END
}

scores() { sed -nE 's/.*"host":"([^"]*)".*"score":([-0-9.e+]+).*/\1 \2/p' "$@"; }

# give FILE: its lines into the topic, whose one partition keeps their order.
give() {
    lines_job give.yaml "$1" "{kafka: {topic: $prefix.in, delivery: at_least_once, form: json, brokers: \"$brokers\"}}"
    sed -i "s/^pipeline:.*/pipeline: $prefix-$(basename "$1" .ndjson)/" give.yaml
    "$build/penstock" run give.yaml >/dev/null 2>give.err || fail "the lines did not get into the topic: $(tail -n 1 give.err)"
}

one() {
    local detectors=$1 host
    prefix=$prefix-${detectors%%,*}
    partitions=1 topics in out
    "$build/penstock" gen --rows 9000 --series 20 --bytes 200 --anomalies 0.01 --seed 3 >all.ndjson 2>/dev/null
    head -n 6000 all.ndjson >past.ndjson
    sed -n '6001,7500p' all.ndjson >first.ndjson
    tail -n +7501 all.ndjson >second.ndjson
    lines_job all.yaml all.ndjson '{file: {path: all-out, form: json}}' "stages: [detect: {field: cpu, time: ts, detectors: [$detectors]}]"
    rm -rf all-out past
    "$build/penstock" run all.yaml >/dev/null 2>all.err || fail "without a break: $(tail -n 1 all.err)"
    scores all-out/*.ndjson | tail -n 3000 >wanted
    mkdir past
    sed -nE 's/.*"host":"([^"]*)","ts":([0-9]+),.*"cpu":([-0-9.e+]+).*/\1 \2 \3/p' past.ndjson |
        awk '{ file = "past/" $1 ".csv" } !(file in seen) { seen[file] = 1; print "timestamp,value" >file } { print $2 "," $3 >file }'
    "$build/penstock" score --detector "$detectors" --quiet 0s --save-state past.warm -o scored past/*.csv 2>score.err ||
        fail "score: $(tail -n 1 score.err)"
    rm past/host-000003.csv # another file: it knows one series less, and must not matter any more
    "$build/penstock" score --detector "$detectors" --quiet 0s --save-state other.warm -o scored past/*.csv 2>score.err ||
        fail "score: $(tail -n 1 score.err)"
    give first.ndjson
    kafka_job main.yaml past.warm
    run_to_end "$detectors-first" 60 main.yaml
    give second.ndjson
    kafka_job main.yaml other.warm
    worker "$detectors-killed" main.yaml
    until [ "$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)" -gt 1500 ]; do sleep 0.02; done
    kill_hard "$worker_pid"
    run_to_end "$detectors-last" 60 main.yaml
    kcat -b "$brokers" -t "$prefix.out" -C -e -q -o beginning -X isolation.level=read_committed >out.ndjson 2>kcat.err ||
        fail "kcat: $(tail -n 1 kcat.err)"
    scores out.ndjson >got
    cmp -s got wanted || broken "$detectors: $(diff got wanted | grep -c '^[<>]') of $(wc -l <wanted) scores differ, see $work/got and wanted"
    say "$detectors: $(wc -l <got) scores are those of a job that has run all the time"
}

scenario() {
    local all=$prefix
    one ewma
    prefix=$all
    one slim,cusum
}
