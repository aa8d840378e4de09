# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=tests/integration/sealing.sh
. "$here/sealing.sh"
breaks="a partition that moves between workers gets two histories, or entries twice or not at all"

# kept: a checkpoint of every log that is signed now, for one_history.
kept() {
    local each
    for each in seal/"$prefix.in"/*; do
        [ ! -e "$each/checkpoint" ] || cp "$each/checkpoint" "kept/$(basename "$each").$SECONDS"
    done
}

# Whatever was signed on the way is the beginning of what is signed now.
one_history() {
    local file partition
    for file in kept/*; do
        partition=$(basename "$file")
        "$build/penstock" seal verify consistency "$file" "seal/$prefix.in/${partition%%.*}" >consistency.out 2>&1 ||
            broken "$file is of another history: $(cat consistency.out)"
    done
    [ "$(find kept -type f | wc -l)" -gt 8 ] || fail "hardly a checkpoint was kept on the way"
}

scenario() {
    local n producer first second i
    n=$(rows 120000 1000000)
    topics in out again dead
    mkdir kept
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_seal seal.yaml "$prefix" seal "$prefix.out"
    produce --topic "$prefix.in" --rows "$n" --rate $((n / 24)) --mode some-bad &
    producer=$!
    pids+=("$producer")
    worker first seal.yaml --set runtime.instance=one
    first=$worker_pid
    wait_moving 30
    sleep 1
    # One joins and leaves as it should; one joins and is killed; the first is killed too, and a last one takes all.
    worker second seal.yaml --set runtime.instance=two
    second=$worker_pid
    await_words second 20 'partitions? assigned'
    for i in 1 2 3; do sleep 1 && kept; done
    kill -TERM "$second"
    leaves second "$second" 0 20
    kept
    worker third seal.yaml --set runtime.instance=three
    second=$worker_pid
    await_words third 20 'partitions? assigned'
    sleep 2
    kept
    kill_hard "$second"
    sleep 1
    worker fourth seal.yaml --set runtime.instance=four
    await_words fourth 20 'partitions? assigned'
    sleep 1
    kill_hard "$first"
    wait "$producer" || fail "the producer failed"
    wait_committed 60
    kill -TERM "$worker_pid"
    leaves fourth "$worker_pid" 0 20
    ! grep -h ALARM ./*.err || broken "a move of a partition was taken for tampering"
    whole seal "$n" "$prefix.out"
    one_history
    topic_verdict 0
    ! grep -v ': ok: ' found || broken "not all match: $(cat found)"

    # The same topic by one worker that nobody disturbs: the same files.
    write_seal again.yaml "$prefix-again" again "$prefix.again"
    run_to_end again 90 again.yaml
    same_files seal again
}
