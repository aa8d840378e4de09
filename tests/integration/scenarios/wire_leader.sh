# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# A leader is killed while ingest/wire reads, comes back, and the next one is killed.
breaks="a native reader loses, doubles or changes records when a leader dies, or stands still"
own_broker=yes
broker_options="--nodes 3"

# kill_leader: that of the topic's partition 0.
kill_leader() {
    node=$(admin leader "$prefix.in" 0)
    kafka kill "$node" >&2
}

scenario() {
    local node theirs reader
    admin create "$prefix.in" 6
    produce --topic "$prefix.in" --mode odd --rows 20000 --transaction-rows 100 --abort-every 3
    theirs=$("$build/accept_wire_read" --brokers "$brokers" --topic "$prefix.in" --by librdkafka 2>>"$work/reads.txt") ||
        fail "librdkafka: $(tail -n 1 "$work/reads.txt")"
    # 14 pauses of half a second: both leaders die in the middle.
    "$build/accept_wire_read" --brokers "$brokers" --topic "$prefix.in" --bytes 100000 --slow-us 500000 \
        >"$work/ours.json" 2>>"$work/reads.txt" &
    reader=$!
    pids+=("$reader")
    sleep 1
    kill_leader
    sleep 1
    kafka restart "$node" >&2
    kill_leader
    wait "$reader" || fail "$(tail -n 1 "$work/reads.txt")"
    [ "$(cat "$work/ours.json")" = "$theirs" ] || broken "$(cat "$work/ours.json"), but librdkafka: $theirs"
    say "$theirs"
}
