# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=tests/integration/sealing.sh
. "$here/sealing.sh"
breaks="delivered at least once, a sealed topic's log misses records or has them twice after kill -9"
delivery=at_least_once

scenario() {
    local n producer
    n=$(rows 60000 600000)
    topics in out dead
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_seal seal.yaml "$prefix" seal "$prefix.out"
    # Null keys and values; and offsets that no record has: markers, and transactions that were aborted, which takes 500 of them away.
    produce --topic "$prefix.in" --rows 2000 --mode odd-json --transaction-rows 100 --abort-every 4
    produce --topic "$prefix.in" --rows "$n" --rate $((n / 12)) --mode some-bad &
    producer=$!
    pids+=("$producer")
    killed_workers 4 seal.yaml
    wait "$producer" || fail "the producer failed"
    run_to_end last 90 seal.yaml
    whole seal $((n + 1500)) "$prefix.out"
    [ "$(admin end "$prefix.in")" -gt $((n + 1500)) ] || fail "the topic has no gaps"
    topic_verdict 0
    # One that ends by itself leaves nothing to be repeated.
    run_to_end idle 60 seal.yaml
    [ "$(summary idle rows_in)" -eq 0 ] || fail "rows came again after a clean end"
}
