# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that is killed (kill -9, power, OOM) loses or repeats events, or goes on with wrong state"

scenario() {
    local n rate i before deadline
    n=$(rows 250000 2000000) rate=$(rows 20000 80000)
    # A backlog, while the group waits for the dead: who is slow is still in the midst of it when it is killed.
    [ "$rate" -ge 10000 ] || rate=10000
    topics in out
    write_main main.yaml
    stream --topic "$prefix.in" --rows 100000000 --rate "$rate"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        # An answer to this waits for what the dead one left open, which who comes next should meet.
        [ $((i % 3)) -ne 0 ] || before=$(committed_rows)
        worker "worker$i" main.yaml
        # Most die before the group gives them what the dead one had, every third in the midst of transactions.
        if [ $((i % 3)) -eq 0 ]; then
            deadline=$((SECONDS + 60))
            until [ "$(committed_rows)" -gt "$before" ]; do
                [ $SECONDS -lt "$deadline" ] || fail "worker$i commits nothing: $(last_words "worker$i")"
                sleep 0.05
            done
            nap 0 150
        else
            nap 500 1500
        fi
        kill -0 "$worker_pid" 2>/dev/null || fail "the worker died by itself: $(last_words "worker$i")"
        kill_hard "$worker_pid"
    done
    until [ "$(admin end "$prefix.in")" -ge "$n" ]; do
        kill -0 "$stream_pid" 2>/dev/null || fail "the producer failed: $(tail -n 1 producer.log)"
        sleep 0.2
    done
    kill_hard "$stream_pid"
    run_to_end last 120 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    [ "$(number_of verdict.json aborted)" -gt 0 ] || fail "no aborted records: the kills hit nothing"
    say "$(number_of verdict.json aborted) aborted records lie under the clean output"
}

committed_rows() { admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0; }
