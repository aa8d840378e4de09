# shellcheck shell=bash disable=SC2034,SC2154
breaks="a group that was moved by hand goes on with state that does not belong there, silently, or a source that has grown can never be read again"

scenario() {
    topics in out out2
    produce --topic "$prefix.in" --rows "$(rows 30000)"
    write_main main.yaml
    run_to_end first 60 main.yaml
    # A static member stays in its group until its session ends, and a group with members cannot be moved.
    local deadline=$((SECONDS + 20))
    until admin move "$prefix" "$prefix.in" 10 2>move.err; do
        [ $SECONDS -lt $deadline ] || fail "the group cannot be moved: $(tail -n 1 move.err)"
        sleep 0.5
    done
    worker moved main.yaml --until-end
    expect moved "$worker_pid" 1 30
    says moved 'penstock reset'
    # It refuses while the worker that has just stopped is still a member, and says so.
    deadline=$((SECONDS + 20))
    until "$build/penstock" reset main.yaml --to earliest --state >reset.out 2>reset.err; do
        grep -q 'stop its workers' reset.err || fail "penstock reset: $(tail -n 1 reset.err)"
        grep -q 'stays a member until its session ends (10 s' reset.err ||
            fail "penstock reset does not say what it waits for: $(tail -n 1 reset.err)"
        [ $SECONDS -lt $deadline ] || fail "penstock reset never got an empty group: $(tail -n 1 reset.err)"
        sleep 0.5
    done
    # By offset: what is not there is refused by name, a partition that is there moves.
    for wrong in 'no partition 9=9=5' "no topic=other/0=5" "offsets 0 to=0=999999999"; do
        ! "$build/penstock" reset main.yaml --to "${wrong#*=}" >reset.out 2>reset.err || fail "reset --to ${wrong#*=} passed"
        grep -q "${wrong%%=*}" reset.err || fail "reset --to ${wrong#*=}: $(tail -n 1 reset.err)"
    done
    "$build/penstock" reset main.yaml --to 0=1 --state >reset.out 2>reset.err || fail "reset --to 0=1: $(tail -n 1 reset.err)"
    "$build/penstock" reset main.yaml --to "$prefix.in/0=0" --state >reset.out 2>reset.err || fail "reset by topic: $(tail -n 1 reset.err)"
    run_to_end after 60 main.yaml --set "sink.kafka.topic=$prefix.out2"
    judged=out2
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host

    # The source grows: run names the way out, and it is one. State that is kept would lie in the wrong partitions.
    partitions=6 topics out3 # or rows go by their keys
    admin widen "$prefix.in" 6
    produce --topic "$prefix.in" --rows "$(rows 20000)" --seed 2
    worker grown main.yaml --until-end
    expect grown "$worker_pid" 2 30
    says grown 'penstock reset FILE --state'
    ! "$build/penstock" reset main.yaml --to latest >reset.out 2>reset.err || fail "a grown source keeps its state"
    grep -q 'add --state' reset.err || fail "reset of a grown source: $(tail -n 1 reset.err)"
    "$build/penstock" reset main.yaml --to earliest --state >reset.out 2>reset.err || fail "reset after growth: $(tail -n 1 reset.err)"
    run_to_end regrown 60 main.yaml --set "sink.kafka.topic=$prefix.out3"
    judged=out3
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
    # Once more, and this time the group stays where it is.
    admin widen "$prefix.in" 8
    "$build/penstock" reset main.yaml --state >reset.out 2>reset.err || fail "reset --state after growth: $(tail -n 1 reset.err)"
    run_to_end stays 60 main.yaml --set "sink.kafka.topic=$prefix.out3"
}
