# shellcheck shell=bash disable=SC2034,SC2154
breaks="at_least_once loses events when a connection breaks, or hangs at stop while no broker answers"

scenario() {
    local api when pid begin
    topics in out
    start_proxy
    write_main main.yaml
    sed -i "s/commit_interval: 100ms/delivery: at_least_once, commit_interval: 100ms/" main.yaml
    cp main.yaml direct.yaml
    sed -i "s/brokers: .*/brokers: \"$proxied\"/" main.yaml
    # More than the faults take time for: something must be on its way when the worker is stopped.
    stream --topic "$prefix.in" --rows 10000000 --rate "$(rows 20000)"
    worker worker main.yaml
    pid=$worker_pid
    for when in before after; do
        # Produce, OffsetCommit.
        for api in 0 8; do
            fault 40 1 "$api" "$when"
            nap 200 600
            kill -0 "$pid" 2>/dev/null || fail "the worker did not survive $api $when: $(last_words worker)"
        done
    done
    # A stop while no broker answers is bounded, and forgets nothing that was not confirmed: 20 s for what is on its way, 3 s for
    # the group to let go, and what a loaded machine takes.
    kill_hard "$proxy_pid"
    kill_hard "$stream_pid"
    begin=$SECONDS
    kill -TERM "$pid"
    leaves worker "$pid" 1 35
    says worker 'stopped without an answer'
    say "stopped without a broker after $((SECONDS - begin)) s"
    run_to_end last 60 direct.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --at-least-once
    say "$(($(number_of verdict.json output) - $(number_of verdict.json source))) repeats"
}
