# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What ingest/wire reads is what librdkafka reads: every record of topics of all kinds, with aborted
# transactions left out, compressed or not, whole answers or one batch at a time.
breaks="a native reader loses, doubles or changes records, or shows those of aborted transactions"

# same TOPIC [ARGUMENT…]: both readers print the same line.
same() {
    local topic=$1 ours theirs
    shift
    ours=$("$build/accept_wire_read" --brokers "$brokers" --topic "$topic" "$@" 2>>"$work/reads.txt") ||
        fail "$topic: $(tail -n 1 "$work/reads.txt")"
    theirs=$("$build/accept_wire_read" --brokers "$brokers" --topic "$topic" --by librdkafka 2>>"$work/reads.txt") ||
        fail "$topic: $(tail -n 1 "$work/reads.txt")"
    [ "$ours" = "$theirs" ] || broken "$topic $*: $ours, but librdkafka: $theirs"
    say "$topic $*: $ours"
}

# fill TOPIC ARGUMENT…: a topic of its own.
fill() {
    local topic=$prefix.$1
    shift
    admin create "$topic" 4
    produce --topic "$topic" "$@"
}

scenario() {
    local count mode codec
    count=$(rows 20000 200000)
    for mode in telemetry odd headers tiny; do
        fill "$mode" --mode "$mode" --rows "$count"
        same "$prefix.$mode"
    done
    fill large --mode large --rows 200
    same "$prefix.large"
    same "$prefix.large" --bytes 1000
    for codec in zstd lz4; do
        fill "$codec" --mode headers --rows "$count" --codec "$codec"
        same "$prefix.$codec"
    done
    fill aborted --mode odd --rows "$count" --transaction-rows 100 --abort-every 3
    same "$prefix.aborted"
    same "$prefix.aborted" --bytes 1000
    fill packed --rows "$count" --codec zstd --transaction-rows 500 --abort-every 2
    same "$prefix.packed"
}
