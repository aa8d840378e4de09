# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The native data path by itself, from a topic to another one with the offsets in the transaction, while its process is
# killed, its answers are lost and its broker goes away.
breaks="the native data plane loses or doubles events where a process, a connection or a broker dies"
own_broker=yes

copy() { # copy BROKERS ARGUMENT…: in the background; $copier is its pid
    local where=$1
    shift
    "$build/accept_wire_copy" --brokers "$where" --from "$prefix.in" --to "$prefix.out" --group "$prefix" --id "$prefix" \
        --headers 1 "$@" >>"$work/copies.json" 2>>"$work/copies.txt" &
    copier=$!
    pids+=("$copier")
}

moves() { # moves SECONDS: until the group has gone on from where it is
    local deadline=$((SECONDS + $1)) before
    before=$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)
    until [ "$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)" -gt "$before" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "nothing was committed within $1 s: $(tail -n 2 "$work/copies.txt")"
        sleep 0.05
    done
}

scenario() {
    local i api when copier
    topics in out
    start_proxy
    stream --topic "$prefix.in" --mode odd --rows 100000000 --rate "$(rows 8000)"
    for i in 1 2 3 4; do
        copy "$brokers" --seconds 600
        moves 30
        nap 0 300
        kill_hard "$copier"
    done
    copy "$proxied" --seconds 600
    for when in before after lose; do
        for api in 0 28 26; do
            fault 40 1 "$api" "$when"
            nap 100 400
            kill -0 "$copier" 2>/dev/null || fail "$api $when ended it: $(tail -n 1 "$work/copies.txt")"
        done
    done
    moves 30
    kafka kill 1 >&2
    sleep 3
    kafka restart 1 >&2
    moves 60
    kill -0 "$copier" 2>/dev/null || fail "a broker that was away ended it: $(tail -n 1 "$work/copies.txt")"
    kill_hard "$stream_pid"
    kill_hard "$copier"
    copy "$brokers"
    wait "$copier" || fail "the last one: $(tail -n 1 "$work/copies.txt")"
    judge --no-hash --read-uncommitted
    [ "$(number_of verdict.json aborted)" -gt 0 ] || fail "no aborted records: the faults hit nothing"
    say "$(number_of verdict.json aborted) aborted records lie under the clean output"
}
