# shellcheck shell=bash disable=SC2034,SC2154
breaks="a pipeline whose dead-letter topic is down goes on, and its bad records are nowhere"

recreate() { # recreate OPTION…: the dead-letter topic anew
    local deadline=$((SECONDS + 20))
    admin delete "$prefix.dead" 2>/dev/null || true
    until admin create "$prefix.dead" 4 "$@" 2>create.err; do
        [ $SECONDS -lt $deadline ] || fail "the topic cannot be created anew: $(cat create.err)"
        sleep 0.2
    done
}

# Nothing that a bad record is part of may be committed: the second record of the test is one.
nothing_committed() {
    local committed
    committed=$(admin committed "$prefix" "$prefix.in")
    [ "$committed" -lt 20 ] || fail "$1: $committed rows were committed"
}

scenario() {
    topics in out
    produce --topic "$prefix.in" --mode bad --rows "$(rows 20000)"
    write_main main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml

    worker missing main.yaml --until-end
    expect missing "$worker_pid" 1 30
    says missing "topic '$prefix.dead' does not exist"
    [ "$(grep -c 'does not exist' missing.err)" -eq 1 ] || fail "every lane says the same: $(cat missing.err)"
    nothing_committed "no dead-letter topic"

    # It takes no record that is longer than 100 bytes.
    recreate max.message.bytes=100
    worker narrow main.yaml --until-end
    expect narrow "$worker_pid" 1 40
    says narrow "$prefix.dead (does not take|refuses a) record.*max.message.bytes"
    nothing_committed "a narrow dead-letter topic"

    # It goes away under a worker that has not needed it yet.
    prefix=$prefix-2
    topics in out dead
    produce --topic "$prefix.in" --rows "$(rows 20000)"
    write_main main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    worker deleted main.yaml
    wait_committed 60
    local before
    before=$(admin committed "$prefix" "$prefix.in")
    admin delete "$prefix.dead"
    produce --topic "$prefix.in" --mode bad --rows "$(rows 20000)"
    expect deleted "$worker_pid" 1 100
    says deleted "$prefix.dead"
    [ $(($(admin committed "$prefix" "$prefix.in") - before)) -lt 20 ] ||
        broken "rows were committed whose dead letters are nowhere"
    # A replay from a topic that is not there says so, and writes nothing.
    local end
    end=$(admin end "$prefix.in")
    ! timeout 60 "$build/penstock" dead replay main.yaml >gone.out 2>gone.err || fail "a replay from nowhere ended well"
    says gone "$prefix.dead"
    [ "$(admin end "$prefix.in")" -eq "$end" ] || broken "a replay from nowhere wrote into the source"
    recreate
    run_to_end back 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --dead "$prefix.dead" --expect x-expect

    # What is put back while the topic is away again is bad again: the worker stops before it, and
    # nothing is lost when the topic is back.
    local letters
    letters=$(number_of verdict.json dead)
    before=$(admin committed "$prefix" "$prefix.in")
    timeout 60 "$build/penstock" dead replay main.yaml --json >again.out 2>again.err || fail "penstock dead replay: $(tail -n 1 again.err)"
    grep -qx "{\"replayed\":$letters,\"known\":0}" again.out || fail "the replay: $(cat again.out), of $letters letters"
    recreate max.message.bytes=100
    worker stopped main.yaml --until-end
    expect stopped "$worker_pid" 1 60
    [ $(($(admin committed "$prefix" "$prefix.in") - before)) -lt 20 ] || broken "rows were committed whose dead letters are nowhere"
    recreate
    run_to_end healed 60 main.yaml
    [ "$(summary healed rows_rejected)" -eq "$letters" ] || fail "not every record that was put back is a letter again"
    timeout 60 "$build/penstock" dead replay main.yaml --json --dry-run >letters.out 2>letters.err || fail "the new letters: $(tail -n 1 letters.err)"
    [ "$(wc -l <letters.out)" -eq "$letters" ] || fail "letters of replayed records are letters of their own"
}
