# shellcheck shell=bash disable=SC2034,SC2154
breaks="adding or removing a worker (scaling, a rolling restart) loses, repeats or reorders events, or stalls, or one that is idle burns a processor"

scenario() {
    local n rate first second producer
    n=$(rows 240000 2000000) rate=$(rows 20000 80000)
    topics in out
    write_main main.yaml
    produce --topic "$prefix.in" --rows "$n" --rate "$rate" &
    producer=$!
    pids+=("$producer")
    worker first main.yaml --set runtime.instance=one
    first=$worker_pid
    sleep 2
    worker second main.yaml --set runtime.instance=two
    second=$worker_pid
    sleep 4
    kill -TERM "$second"
    leaves second "$second" 0 20
    worker third main.yaml --set runtime.instance=three
    second=$worker_pid
    sleep 3
    kill_hard "$second"
    wait "$producer" || fail "the producer failed"
    wait_committed 60
    sleeps first "$first"
    kill -TERM "$first"
    leaves first "$first" 0 20
    # That the partitions move is told in our own words, if at all.
    ! grep -hE "\(null\)|generation id" ./*.err >raw.txt || fail "raw words of a library: $(head -n 1 raw.txt)"
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
}
