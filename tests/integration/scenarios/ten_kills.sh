# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that is killed (kill -9, power, OOM) loses or repeats events, or goes on with wrong state"

scenario() {
    local n rate producer i
    n=$(rows 250000 2000000) rate=$(rows 20000 80000)
    topics in out
    write_main main.yaml
    produce --topic "$prefix.in" --rows "$n" --rate "$rate" &
    producer=$!
    pids+=("$producer")
    for i in 1 2 3 4 5 6 7 8 9 10; do
        worker "worker$i" main.yaml
        nap 500 1500
        kill -0 "$worker_pid" 2>/dev/null || fail "the worker died by itself: $(last_words "worker$i")"
        kill_hard "$worker_pid"
    done
    wait "$producer" || fail "the producer failed"
    run_to_end last 120 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    [ "$(number_of verdict.json aborted)" -gt 0 ] || fail "no aborted records: the kills hit nothing"
    say "$(number_of verdict.json aborted) aborted records lie under the clean output"
}
