# shellcheck shell=bash disable=SC2034,SC2154
breaks="state that only an aborted transaction wrote again is deleted: scores of old series begin anew"

scenario() {
    local pid rounds begin needed deadline
    topics in out
    write_main main.yaml
    # So much state a series that a second of rows writes more of it than starts a deletion.
    widen main.yaml 15
    echo "runtime: {lanes: 1, state: delta, series_max: 40000, batch_rows: 8192, memory_max: 1GiB}" >>main.yaml
    produce --topic "$prefix.in" --series 8000 --rows "$(rows 40000)"
    run_to_end first 60 main.yaml
    rounds=$(admin end "$prefix.state")
    # One transaction that is open while old state is looked at three times (every 16 MiB of state), with sweep
    # rounds between: if these counted, all that lies before it would go.
    sed -e 's/commit_interval: 100ms/commit_interval: 10s/' -e 's/{lanes: 1,/{lanes: 1, depth: 16, linger: 700ms,/' \
        main.yaml >open.yaml
    stream --topic "$prefix.in" --series 8000 --rows "$(rows 80000)" --rate "$(rows 9500)" --seed 2
    worker open open.yaml
    pid=$worker_pid
    # A restore deletes what it does not need; after that, nothing goes.
    deadline=$((SECONDS + 30))
    until grep -q restored "$work/open.err"; do
        [ $SECONDS -lt $deadline ] || fail "nothing was restored: $(last_words open)"
        sleep 0.1
    done
    sleep 1.5
    needed=$(admin begin "$prefix.state")
    sleep 6.5
    kill -0 "$pid" 2>/dev/null || fail "the worker died by itself: $(last_words open)"
    begin=$(admin begin "$prefix.state")
    [ "$(admin committed "$prefix" "$prefix.in")" -eq "$(rows 40000)" ] || fail "the transaction was committed: the test is void"
    kill_hard "$pid"
    [ "$begin" -eq "$needed" ] || broken "state records from $needed to $begin were deleted, and nothing committed says them again"
    wait "$stream_pid"
    run_to_end again 60 main.yaml
    say "state records: $rounds, then $(admin end "$prefix.state")"
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    [ "$(number_of verdict.json aborted)" -gt 0 ] || fail "no aborted records: the test is void"
}
