# shellcheck shell=bash disable=SC2034,SC2154
breaks="at least once, a worker that slept past its session writes old state beside its heir's: scores begin from there"

scenario() {
    local sleeper heir
    topics in out
    write_main main.yaml
    sed -i 's/commit_interval: 100ms/delivery: at_least_once, commit_interval: 2s/' main.yaml
    sed 's/^sink:/runtime: {instance: heir}\nsink:/' main.yaml >heir.yaml
    stream --topic "$prefix.in" --rows "$(rows 160000)" --rate "$(rows 8000)"
    worker sleeper main.yaml
    sleeper=$worker_pid
    worker heir heir.yaml
    heir=$worker_pid
    sleep 4
    # Past the session (6 s), with state that is merged and not yet written.
    kill -STOP "$sleeper"
    sleep 9
    kill -CONT "$sleeper"
    # Before the heir writes again what the sleeper might have written over.
    sleep 0.5
    kill_hard "$heir"
    kill_hard "$sleeper"
    wait "$stream_pid" || fail "the producer failed"
    run_to_end last 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --at-least-once
}
