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
        fail "rows were committed whose dead letters are nowhere"
    recreate
    run_to_end back 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --dead "$prefix.dead" --expect x-expect
}
