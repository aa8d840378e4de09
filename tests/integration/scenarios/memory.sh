# shellcheck shell=bash disable=SC2034,SC2154
breaks="the worker takes more memory than it said it would, so that the kernel kills it one day"

scenario() {
    local ceiling peak=0 now
    topics in out
    produce --topic "$prefix.in" --rows "$(rows 200000 2000000)"
    write_main main.yaml
    "$build/penstock" explain main.yaml --json >explain.json || fail "penstock explain"
    ceiling=$(number_of explain.json memory_ceiling_bytes)
    [ -n "$ceiling" ] || fail "explain --json prints no memory_ceiling_bytes"
    worker worker main.yaml --until-end --summary json
    while kill -0 "$worker_pid" 2>/dev/null; do
        now=$(sed -nE 's/^VmHWM:[[:space:]]+([0-9]+) kB/\1/p' "/proc/$worker_pid/status" 2>/dev/null || true)
        peak=${now:-$peak}
        sleep 0.05
    done
    expect worker "$worker_pid" 0 60
    say "peak $((peak / 1024)) MiB, ceiling $((ceiling / 1048576)) MiB"
    [ "$peak" -gt 0 ] || fail "the worker was never seen running"
    # A sanitizer's shadow is not the worker's memory.
    [ "$scale" -gt 1 ] || [ $((peak * 1024)) -le "$ceiling" ] || fail "more than the ceiling"
    ! "$build/penstock" run main.yaml --set runtime.memory_max=33MiB --until-end >tight.out 2>tight.err ||
        fail "a ceiling of 33 MiB was accepted"
    says tight 'memory_max'
}
