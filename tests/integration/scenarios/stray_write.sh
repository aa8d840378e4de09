# shellcheck shell=bash disable=SC2034,SC2154
breaks="records that a network held back come out in a later transaction: events come twice, or out of order"
# Seen failing with `delivery: at_least_once`: a new producer has another id there, nothing refuses what was held
# back, and 192 events came twice. A worker that was made to go on in its old epoch passes: brokers then refuse a
# stray by the sequences of its batches, the second of the nets under it, and from 3.6 on by its transaction.

committed() { admin committed "$prefix" "$prefix.in"; }
landed() { grep -cx '0 landed' proxy.out || true; }

# moves_on SECONDS: until a thousand rows more are committed, by whoever goes on.
moves_on() {
    local deadline=$((SECONDS + $1)) least=$(($(committed) + $(rows 1000)))
    until [ "$(committed)" -gt "$least" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "nothing more was committed within $1 s: $(last_words worker)"
        sleep 0.05
    done
}

# hold_back: the next Produce, and what follows it on its connection.
hold_back() {
    fault 20 1 0 stray
    held_at=$(committed)
}

# let_go: what was held back reaches the broker, in the midst of what is committed: before it and after it.
let_go() {
    local deadline before
    before=$(landed)
    moves_on 60
    echo "land" >&7
    deadline=$((SECONDS + 20))
    until [ "$(landed)" -gt "$before" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "what was held back never arrived: $(tail -n 3 proxy.out | tr '\n' '|')"
        sleep 0.05
    done
    moves_on 60
    say "$(($(landed) - before)) writes from row $held_at on arrived late, before row $(committed)"
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
    local pid held_at
    topics in out
    start_proxy
    write_main main.yaml
    echo "runtime: {lanes: 1}" >>main.yaml # so that all of it meets the same producer
    sed "s/brokers: .*/brokers: \"$proxied\"/" main.yaml >proxied.yaml
    stream --topic "$prefix.in" --rows 10000000 --rate "$(rows 2000)"
    worker worker proxied.yaml
    pid=$worker_pid
    wait_moving 60

    # For longer than its transaction may last, and asking again is of no use: the transaction is given up.
    hold_back
    for _ in 1 2 3 4 5 6 7 8; do echo "0 drop" >&7; done
    sleep 16
    [ "$(committed)" -eq "$held_at" ] || fail "the transaction was committed: the test is void"
    echo "peace" >&7
    let_go
    kill -0 "$pid" 2>/dev/null || fail "the worker did not survive: $(last_words worker)"

    # On its way when its process dies, and there when another one goes on.
    hold_back
    kill_hard "$pid"
    worker worker main.yaml
    let_go
    kill_hard "$stream_pid"
    wait_committed 60
    kill -TERM "$worker_pid"
    leaves worker "$worker_pid" 0 20
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    in_order
}
