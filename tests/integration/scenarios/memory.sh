# shellcheck shell=bash disable=SC2034,SC2154
breaks="the worker takes more memory than it said it would, so that the kernel kills it one day"

# within_ceiling NAME FILE [--set …]: runs to the end and never takes more than `explain` printed.
within_ceiling() {
    local which=$1 file=$2 ceiling peak=0 now
    shift 2
    "$build/penstock" explain "$file" "$@" --json >"$which.json" || fail "penstock explain"
    ceiling=$(number_of "$which.json" memory_ceiling_bytes)
    [ -n "$ceiling" ] || fail "explain --json prints no memory_ceiling_bytes"
    worker "$which" "$file" "$@" --until-end --summary json
    while kill -0 "$worker_pid" 2>/dev/null; do
        now=$(sed -nE 's/^VmHWM:[[:space:]]+([0-9]+) kB/\1/p' "/proc/$worker_pid/status" 2>/dev/null || true)
        peak=${now:-$peak}
        sleep 0.05
    done
    expect "$which" "$worker_pid" 0 60
    say "$which: peak $((peak / 1024)) MiB, ceiling $((ceiling / 1048576)) MiB"
    [ "$peak" -gt 0 ] || fail "the worker was never seen running"
    # A sanitizer's shadow is not the worker's memory.
    [ "$scale" -gt 1 ] || [ $((peak * 1024)) -le "$ceiling" ] || fail "$which: more than the ceiling"
}

scenario() {
    topics in out tiny tiny-out headers headers-out
    produce --topic "$prefix.in" --rows "$(rows 200000 2000000)"
    produce --topic "$prefix.tiny" --mode tiny --rows "$(rows 1000000 5000000)"
    produce --topic "$prefix.headers" --mode headers --rows "$(rows 100000 500000)"
    write_main main.yaml
    within_ceiling main main.yaml
    # Records without decoding, in a worker that is as small as it goes.
    for each in tiny headers; do
        cat >"$each.yaml" <<END
pipeline: $prefix-$each
source: {kafka: {brokers: "$brokers", topics: [$prefix.$each]}}
stages:
  - hash: {algorithm: sha256, of: value}
sink: {kafka: {topic: $prefix.$each-out}}
runtime: {lanes: 1, batch_rows: 4096, series_max: 1000}
END
        within_ceiling "$each" "$each.yaml"
        [ "$(summary "$each" rows_out)" -gt 0 ] || fail "$each: nothing came out"
    done
    ! "$build/penstock" run main.yaml --set runtime.memory_max=33MiB --until-end >tight.out 2>tight.err ||
        fail "a ceiling of 33 MiB was accepted"
    says tight 'memory_max'
}
