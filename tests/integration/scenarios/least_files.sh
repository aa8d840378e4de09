# shellcheck shell=bash disable=SC2034,SC2154
breaks="files to Kafka at least once: a job ends before its place is kept, and the next run writes all rows again"

scenario() {
    topics out
    "$build/penstock" gen --rows 5000 --seed 3 >"$work/events.ndjson" || fail "no events"
    cat >"$work/files.yaml" <<END
pipeline: $prefix
source: {file: {paths: ["$work/events.ndjson"], format: ndjson}}
decode:
  json: {fields: {host: string, cpu: float}}
  series: host
stages:
  - detect: {field: cpu, detectors: [ewma], threshold: 6}
sink: {kafka: {brokers: "$brokers", topic: $prefix.out, delivery: at_least_once, commit_interval: 10s}}
END
    # Far shorter than commit_interval: what is merged goes out because the job ends.
    run_to_end first 60 files.yaml
    [ "$(admin end "$prefix.out")" -eq 5000 ] || fail "$(admin end "$prefix.out") records of 5000 rows"
    run_to_end again 60 files.yaml
    [ "$(admin end "$prefix.out")" -eq 5000 ] || broken "a second run wrote rows again: $(admin end "$prefix.out") records of 5000"
    # State that the broker refuses: the job says so.
    admin create "$prefix-x.out" 4
    admin create "$prefix-x.state" 1 max.message.bytes=200
    sed "s/$prefix/$prefix-x/g" "$work/files.yaml" >"$work/refused.yaml"
    worker refused refused.yaml --until-end
    if wait "$worker_pid"; then fail "state was refused, and the job ended well: $(last_words refused)"; fi
    grep -q "$prefix-x.state" "$work/refused.err" || fail "nothing was said of the state topic: $(last_words refused)"
}
