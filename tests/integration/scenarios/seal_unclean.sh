# shellcheck shell=bash disable=SC2034,SC2154
# A replica that had fallen behind becomes the leader: what only the old one had is gone, though it was sealed and signed.
# shellcheck source=tests/integration/sealing.sh
. "$here/sealing.sh"
breaks="an unclean election of a leader loses records, and the log goes on as if nothing had happened, or the auditor is told less"
own_broker=yes
broker_options="--nodes 3"

# mirrored TOPIC: one partition that node 2 leads and node 3 follows, and that either may lead.
mirrored() {
    "$root/scripts/kafka" --dir "$kafka_dir" tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" --create --topic "$1" \
        --replica-assignment 2:3 --config min.insync.replicas=1 --config unclean.leader.election.enable=true \
        --config retention.ms=-1 >&2 || fail "$1 was not created"
}

# led_by NODE TOPIC…: until it leads their partitions.
led_by() {
    local node=$1 each deadline=$((SECONDS + 60))
    shift
    for each; do
        until [ "$(admin leader "$each" 0 2>/dev/null)" = "$node" ]; do
            [ $SECONDS -lt "$deadline" ] || fail "node $node never leads $each"
            sleep 0.3
        done
    done
}

# signed_size LOG SIZE: until a worker has signed so many entries.
signed_size() {
    local deadline=$((SECONDS + 60))
    until [ "$(sed -n 2p "$1/checkpoint" 2>/dev/null)" = "$2" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "$1 never has $2 entries signed: $(sed -n 2p "$1/checkpoint" 2>/dev/null)"
        sleep 0.3
    done
}

# refuses NAME FILE: a worker ends by itself with an alarm, and signs nothing.
refuses() {
    worker "$1" "$2" --until-end
    expect "$1" "$worker_pid" 1 60
    says "$1" 'ALARM'
    cmp -s signed "seal/$prefix.in/0/checkpoint" || broken "$1 has signed over a partition that lost its end"
}

scenario() {
    local live
    mirrored "$prefix.in"
    mirrored "$prefix.live"
    partitions=1 topics out out2 dead
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_seal seal.yaml "$prefix" seal "$prefix.out"
    write_seal live.yaml "$prefix-live" seal "$prefix.out2"
    sed -i "s/topics: \[.*\]/topics: [$prefix.live]/" live.yaml
    produce --topic "$prefix.in" --rows 3000
    produce --topic "$prefix.live" --rows 3000
    run_to_end first 60 seal.yaml
    topic_verdict 0

    # Node 3 falls behind: what comes now only node 2 has.
    kafka freeze 3 >&2
    sleep 7
    produce --topic "$prefix.in" --rows 2000 --seed 2
    produce --topic "$prefix.live" --rows 2000 --seed 2
    run_to_end second 60 seal.yaml
    topic_verdict 0
    finds 'ok: 5,000 records match'
    cp "seal/$prefix.in/0/checkpoint" signed
    group=$prefix-live
    worker live live.yaml
    live=$worker_pid
    signed_size "seal/$prefix.live/0" 5000
    kafka kill 2 >&2
    kafka thaw 3 >&2
    led_by 3 "$prefix.in" "$prefix.live"

    # Whoever was reading is told, and so is who comes later; nothing is signed.
    topic_verdict 1
    finds 'TRUNCATED: offsets 3000 to 4999 \(2,000 entries\)'
    finds 'it lost its end'
    refuses short seal.yaml
    expect live "$live" 1 60
    says live 'ALARM'
    [ "$(sed -n 2p "seal/$prefix.live/0/checkpoint")" = 5000 ] || broken "the log went on: $(cat "seal/$prefix.live/0/checkpoint")"

    # The old leader comes back and forgets what it had; others write where that was.
    kafka restart 2 >&2
    produce --topic "$prefix.in" --rows 1000 --seed 3
    topic_verdict 1
    finds 'MODIFIED: offsets 3000 to 3999'
    finds 'TRUNCATED: offsets 4000 to 4999'
    refuses shorter seal.yaml
    produce --topic "$prefix.in" --rows 3000 --seed 4
    topic_verdict 1
    finds 'REWRITTEN: from offset 3000 to the last sealed one, 4999, nothing matches'
}
