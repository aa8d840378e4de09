# shellcheck shell=bash disable=SC2034,SC2154
breaks="the state topic grows for ever where a pipeline reads several topics, or restores nothing after a trim"

scenario() {
    local pid deadline
    topics in in2 out
    write_main main.yaml
    # So much state a series that old state is looked at every few seconds.
    widen main.yaml 10
    echo "runtime: {lanes: 1, state: delta, batch_rows: 8192, series_max: 40000}" >>main.yaml # one lane has all that shares a partition of the state topic
    sed -i "s/topics: \[.*\]/topics: [$prefix.in, $prefix.in2]/" main.yaml
    # Hardly a row meets its series twice in one transaction: slow or fast, a worker writes as much state for it.
    stream --topic "$prefix.in" --rows 120000 --rate 4000 --series 8000
    stream --topic "$prefix.in2" --rows 120000 --rate 4000 --series 8000 --seed 2
    worker first main.yaml
    pid=$worker_pid
    deadline=$((SECONDS + 150))
    until [ "$(admin begin "$prefix.state" 2>/dev/null || echo 0)" -gt 0 ]; do
        [ $SECONDS -lt $deadline ] || fail "no state record was deleted within 150 s: $(last_words first)"
        kill -0 "$pid" 2>/dev/null || fail "the worker died by itself: $(last_words first)"
        sleep 0.5
    done
    kill_hard "$pid"
    for pid in "${pids[@]}"; do kill_hard "$pid"; done
    run_to_end again 120 main.yaml
    accounts again
}
