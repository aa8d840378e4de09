# shellcheck shell=bash disable=SC2034,SC2154
breaks="a sealed topic's log misses records, is another after kill -9, or is continued over a topic that was made anew"
# shellcheck source=tests/integration/sealing.sh
. "$here/sealing.sh"

scenario() {
    local n total producer deadline
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
    killed_workers 3 seal.yaml
    wait "$producer" || fail "the producer failed"
    run_to_end last 90 seal.yaml
    total=$((n + 4000))
    whole seal "$total" "$prefix.out"

    # The same topic by a worker that nobody disturbs: the same files, but for partial tiles of sizes that only one has shown.
    write_seal again.yaml "$prefix-again" again "$prefix.again"
    run_to_end again 90 again.yaml
    whole again "$total" "$prefix.again"
    same_files seal again

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
