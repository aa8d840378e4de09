# shellcheck shell=bash disable=SC2034,SC2154
breaks="records that a network held back come out in a later transaction: events come twice, or out of order"

committed() { admin committed "$prefix" "$prefix.in"; }
landed() { grep -cx '0 landed' proxy.out || true; }

# await_stray SECONDS: until what was held back has reached the broker, in the midst of what is
# committed by whoever goes on: before it and after it.
await_stray() {
    local deadline=$((SECONDS + $1)) before=$held_at during
    until [ "$(landed)" -gt "$landed_before" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "what was held back never arrived: $(tail -n 3 proxy.out | tr '\n' '|')"
        during=$(committed)
        sleep 0.05
    done
    [ "${during:-0}" -gt "$before" ] || fail "nothing was committed before it arrived: the test tested nothing"
    until [ "$(committed)" -gt $((during + $(rows 1000))) ]; do
        [ $SECONDS -lt "$deadline" ] || fail "nothing was committed after it had arrived: $(last_words worker)"
        sleep 0.05
    done
    say "$(($(landed) - landed_before)) writes arrived late, at row $during, held back at row $before"
}

# hold_back MS: the next Produce, and what follows it on its connection.
hold_back() {
    landed_before=$(landed)
    fault 20 1 0 stray "$1"
    held_at=$(committed)
}

# What a reader of committed records sees: the source's offsets, each once, in order.
in_order() {
    kcat -C -e -q -b "$brokers" -t "$prefix.out" -X isolation.level=read_committed -f '%p %h\n' 2>/dev/null |
        sed -E 's/^([0-9]+) .*ps-source=[^,]*\/([0-9]+)\/([0-9]+).*/\1 \2 \3/' |
        awk '$1 != $2 || $3 != next_of[$2] + 0 { print "partition " $1 " has " $2 "/" $3 " where " next_of[$2] + 0 " is due"; exit 1 }
            { next_of[$2] = $3 + 1; rows++ } END { print rows + 0 }' >order.txt ||
        broken "committed records: $(head -n 1 order.txt)"
    [ "$(tail -n 1 order.txt)" -eq "$(number_of verdict.json output)" ] || fail "another reader sees $(tail -n 1 order.txt) records"
}

scenario() {
    local pid held_at landed_before later=$((scale > 1 ? 6000 : 0)) # a sanitizer's worker takes its time to come back
    topics in out
    start_proxy
    write_main main.yaml
    echo "runtime: {lanes: 1}" >>main.yaml # so that all of it meets the same producer
    sed "s/brokers: .*/brokers: \"$proxied\"/" main.yaml >proxied.yaml
    stream --topic "$prefix.in" --rows 10000000 --rate "$(rows 2000)"
    worker worker proxied.yaml
    pid=$worker_pid
    wait_moving 60

    # Held back for longer than its transaction may last, and asking again is of no use: the transaction is given up.
    hold_back $((21000 + later))
    for _ in 1 2 3 4 5 6 7 8; do echo "0 drop" >&7; done
    sleep 16
    [ "$(committed)" -eq "$held_at" ] || fail "the transaction was committed: the test is void"
    echo "peace" >&7
    await_stray 40
    kill -0 "$pid" 2>/dev/null || fail "the worker did not survive: $(last_words worker)"

    # On its way when its process dies, and there when another one goes on.
    hold_back $((9000 + later))
    kill_hard "$pid"
    worker worker main.yaml
    await_stray 40
    kill_hard "$stream_pid"
    wait_committed 60
    kill -TERM "$worker_pid"
    leaves worker "$worker_pid" 0 20
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    in_order
}
