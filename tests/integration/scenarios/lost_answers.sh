# shellcheck shell=bash disable=SC2034,SC2154
breaks="a connection that breaks within a transaction loses or repeats events, or leaves the worker stuck"

# What a transaction asks of a broker, by API key, beside Produce (0): AddPartitionsToTxn,
# AddOffsetsToTxn, TxnOffsetCommit, EndTxn. Where both sides have KIP-890, the first two are not asked.
steps='0 24 25 28 26'
is_librdkafka() { [ "${PS_CLIENT-}" = librdkafka ]; }
is_second_dialect() { ! is_librdkafka && [[ "$PS_KAFKA_VERSION" != 3.* ]]; }

alive() { kill -0 "$1" 2>/dev/null || fail "the worker did not survive $2: $(last_words worker)"; }

scenario() {
    local api when pid
    topics in out
    start_proxy
    ! is_second_dialect || steps='0 28 26'
    write_main main.yaml
    echo "runtime: {lanes: 1}" >>main.yaml # so that faults in a row meet the same producer
    sed -i "s/brokers: .*/brokers: \"$proxied\"/" main.yaml
    stream --topic "$prefix.in" --rows "$(rows 1000000 2000000)" --rate "$(rows 8000)"
    # The first of all: the state topic, made by a broker that answers too late, and not at all.
    echo "19 hold 3000" >&7
    echo "19 after" >&7
    worker worker main.yaml
    pid=$worker_pid
    for when in before after lose; do
        for api in $steps; do
            fault 40 1 "$api" "$when"
            nap 200 600
            alive "$pid" "$api $when"
        done
    done
    # Requests are given up after 4 s, the call after 5 s and the commit after 15 s, when the broker has
    # aborted what it never heard of. The new producer's own beginning (InitProducerId) breaks, too.
    sleep 5 # the last lost answer was to a commit that counts: the next one must be another
    echo "22 after" >&7
    fault 60 4 26 drop
    fault 20 1 26 before
    nap 800 1200 # transactions after it go through
    # Our own client gives a silent connection up in time to ask again.
    ! is_librdkafka || says worker 'a commit was not answered in time'
    # A process that dies with the answer to its commit: whether it counts is the broker's word.
    for when in drop lose; do
        fault 40 1 26 "$when"
        kill_hard "$pid"
        worker worker main.yaml
        pid=$worker_pid
    done
    kill_hard "$stream_pid"
    wait_committed 60
    alive "$pid" "the end"
    kill -TERM "$pid"
    leaves worker "$pid" 0 20
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    [ "$(number_of verdict.json aborted)" -gt 0 ] || fail "no aborted records: the faults hit nothing"
    say "$(number_of verdict.json aborted) aborted records lie under the clean output"
}
