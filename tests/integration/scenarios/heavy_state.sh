# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker with a kilobyte of state a series and more goes on with other state after kill -9"

# Twenty-one statistics and a detector: policy replay by itself.
write_heavy() {
    write_main "$1"
    widen "$1" 21
    echo 'runtime: {series_max: 20000, memory_max: 1GiB}' >>"$1"
}

scenario() {
    local n rate producer i before deadline most of again=0
    n=$(rows 150000 1000000) rate=$(rows 10000 60000)
    topics in out
    write_heavy main.yaml
    "$build/penstock" explain main.yaml ${client[@]+"${client[@]}"} --json >explain.json
    grep -q '"state_policy":"replay"' explain.json || fail "explain does not say policy replay"
    most=$(number_of explain.json replay_rows_max)
    [ "${most:-0}" -gt 0 ] || fail "explain --json prints no replay_rows_max"
    produce --topic "$prefix.in" --series 5000 --rows "$n" --rate "$rate" &
    producer=$!
    pids+=("$producer")
    for i in 1 2 3 4; do
        before=$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)
        # A slow machine, or a sanitizer's worker, may have done all before its turn to be killed.
        [ "$before" -lt "$n" ] || break
        deadline=$((SECONDS + 60))
        worker "worker$i" main.yaml
        until [ "$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)" -gt "$before" ]; do
            [ $SECONDS -lt "$deadline" ] || fail "worker$i commits nothing: $(last_words "worker$i")"
            sleep 0.05
        done
        nap 200 600
        kill_hard "$worker_pid"
    done
    wait "$producer" || fail "the producer failed"
    run_to_end last 120 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    # The last worker may find all done: then those before it have read again.
    for i in worker[1-4].err last.err; do
        of=$(sed -nE 's/.* again from offset ([0-9]+) to ([0-9]+):.*/\1 \2/p' "$i" | awk '{ sum += $2 - $1 } END { print sum + 0 }')
        [ "$of" -le "$most" ] || fail "$i read $of records again, explain said $most at most"
        again=$((again + of))
    done
    [ "$again" -gt 0 ] || fail "no worker read a record again"
    say "the workers read $again records again, each of them $most at most"
    # What the messages advise where such state cannot go on: forgotten, in place.
    "$build/penstock" reset main.yaml --state >reset.out 2>reset.err || fail "reset --state: $(tail -n 1 reset.err)"
    produce --topic "$prefix.in" --series 5000 --rows 5000
    run_to_end after 60 main.yaml
    ! grep -q ' again from offset ' after.err || fail "state that was forgotten was rebuilt"
    grep -q ' 5,000 rows in' after.err || fail "after reset --state: $(last_words after)"
}
