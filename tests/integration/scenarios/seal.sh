# shellcheck shell=bash disable=SC2034,SC2154
breaks="a sealed topic's log misses records, is another after kill -9, or is continued over a topic that was made anew"

# write_seal FILE NAME DIR: rejects, a filter, and the log before both in their effects.
write_seal() {
    cat >"$1" <<END
pipeline: $2
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in], properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float}}
stages:
  - hash: {algorithm: sha256, of: value}
  - seal: {origin: example.org/audit, dir: $3, checkpoint_interval: 200ms, key: seal.key}
  - filter: {where: "cpu > 40"}
sink:
  kafka: {topic: $4, commit_interval: 100ms, delivery: ${delivery:-exactly_once}}
dead_letter: {topic: $prefix.dead}
END
}

# whole DIR VKEY-LESS: every log below it, and as many entries as the topic has records.
whole() {
    local entries
    "$build/penstock" seal verify "$1" >verify.out 2>verify.err || broken "seal verify: $(cat verify.out verify.err)"
    entries=$(sed -nE 's/.*: ok: ([0-9,]+) entries.*/\1/p' verify.out | tr -d , | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$entries" -eq "$2" ] || broken "the logs have $entries entries of $2 records"
    "$build/accept_sealed" "$brokers" "$prefix.in" "$1/$prefix.in" "$3" >sealed.json 2>sealed.err ||
        broken "the log is not of these records: $(cat sealed.err)"
    say "sealed: $(cat sealed.json)"
}

scenario() {
    local n i total producer before deadline
    n=$(rows 60000 600000)
    topics in out again dead
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_seal seal.yaml "$prefix" seal "$prefix.out"
    chmod 644 seal.key
    worker open_key seal.yaml --until-end
    expect open_key "$worker_pid" 2 30
    says open_key 'others may read.*chmod 600'
    chmod 600 seal.key
    produce --topic "$prefix.in" --rows 2000 --mode odd-json
    produce --topic "$prefix.in" --rows 2000 --mode headers
    produce --topic "$prefix.in" --rows "$n" --rate $((n / 12)) --mode some-bad &
    producer=$!
    pids+=("$producer")
    for i in 1 2 3; do
        before=$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)
        deadline=$((SECONDS + 60))
        worker "worker$i" seal.yaml
        until [ "$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)" -gt "$before" ]; do
            [ $SECONDS -lt "$deadline" ] || fail "worker$i commits nothing: $(last_words "worker$i")"
            sleep 0.05
        done
        nap 300 900
        kill_hard "$worker_pid"
    done
    wait "$producer" || fail "the producer failed"
    run_to_end last 90 seal.yaml
    total=$((n + 4000))
    whole seal "$total" "$prefix.out"

    # The same topic by a worker that nobody disturbs: the same files, but for partial tiles of sizes that only one has shown.
    write_seal again.yaml "$prefix-again" again "$prefix.again"
    run_to_end again 90 again.yaml
    whole again "$total" "$prefix.again"
    (cd seal && find . -type f ! -path '*.p/*' | sort) >files
    (cd again && find . -type f ! -path '*.p/*' | sort) >files.again
    cmp -s files files.again || broken "after kill -9 there are other files: $(diff files files.again | head -n 5)"
    while read -r i; do
        cmp -s "seal/$i" "again/$i" || broken "after kill -9 $i is another than without"
    done <files

    # Files that were lost come back from the topic.
    rm -rf seal/*/1 seal/*/0/tile/0/001
    rm -f seal/*/0/checkpoint
    run_to_end rebuilt 60 seal.yaml
    produce --topic "$prefix.in" --rows 1000
    run_to_end more 60 seal.yaml
    whole seal $((total + 1000)) "$prefix.out"

    # A log does not go back, whoever moves offsets; and is not continued over another topic.
    deadline=$((SECONDS + 30))
    until admin move "$prefix" "$prefix.in" 100 2>move.err; do # a member that has left is one until its session ends
        [ $SECONDS -lt "$deadline" ] || fail "the offsets could not be moved: $(cat move.err)"
        sleep 0.5
    done
    worker back seal.yaml --until-end
    expect back "$worker_pid" 1 60
    says back 'ALARM.*sealed up to offset'
    cp seal/"$prefix.in"/0/checkpoint signed
    admin delete "$prefix.in"
    sleep 2
    admin create "$prefix.in" "${partitions:-4}"
    produce --topic "$prefix.in" --rows 5000
    worker recreated seal.yaml --until-end
    expect recreated "$worker_pid" 1 60
    says recreated 'ALARM.*(made anew|sealed up to offset)'
    cmp -s signed seal/"$prefix.in"/0/checkpoint || broken "a log of another topic was signed"
}
