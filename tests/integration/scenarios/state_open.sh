# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker does not wait for a transaction that is still open in the state topic, and takes state that lags for all there is"

scenario() {
    local n other
    n=$(rows 5000 50000)
    topics in out
    write_main main.yaml
    produce --topic "$prefix.in" --rows "$n"
    run_to_end first 60 main.yaml
    produce --topic "$prefix.in" --rows 1000 --first "$n"
    # Somebody's transaction, open for eight seconds and then aborted.
    stream --topic "$prefix.state" --rows 400 --rate 50 --transaction-rows 400 --abort-every 1
    other=$stream_pid
    sleep 2
    worker second main.yaml --until-end --summary json
    while kill -0 "$other" 2>/dev/null; do
        kill -0 "$worker_pid" 2>/dev/null || fail "the worker began and ended beside an open transaction"
        sleep 0.05
    done
    wait "$other" || fail "the other producer failed: $(tail -n 1 producer.log)"
    expect second "$worker_pid" 0 30
    [ "$(summary second rows_in)" -eq 1000 ] || fail "the worker read other rows than the new ones"
}
