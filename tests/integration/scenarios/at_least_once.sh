# shellcheck shell=bash disable=SC2034,SC2154
breaks="at_least_once loses events, mixes their order up, or goes on with wrong state after a crash"

scenario() {
    local producer i
    topics in out
    write_main main.yaml
    sed -i 's/commit_interval: 100ms/delivery: at_least_once, commit_interval: 100ms/' main.yaml
    produce --topic "$prefix.in" --rows "$(rows 120000 1000000)" --rate "$(rows 30000 80000)" &
    producer=$!
    pids+=("$producer")
    for i in 1 2 3; do
        worker "worker$i" main.yaml
        nap 700 1500
        kill_hard "$worker_pid"
    done
    wait "$producer" || fail "the producer failed"
    run_to_end last 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --at-least-once
    say "$(($(number_of verdict.json output) - $(number_of verdict.json source))) repeats after three kills"
}
