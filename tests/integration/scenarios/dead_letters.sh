# shellcheck shell=bash disable=SC2034,SC2154
breaks="a record that was repaired upstream cannot be put back, or comes back twice, or changed"

dead() { # dead NAME VERB ARGUMENT…: its output in NAME.out and NAME.err
    local which=$1 verb=$2
    shift 2
    timeout 60 "$build/penstock" dead "$verb" main.yaml "$@" >"$which.out" 2>"$which.err" ||
        fail "penstock dead $verb $*: $(tail -n 1 "$which.err")"
}

count() { # count ARGUMENT…: how many letters `ls` finds
    dead count ls --json "$@"
    wc -l <count.out
}

holds() { # holds TOPIC TIMES [CODE]: the bad records of the source, so often and as they came
    "$build/accept_replayed" "$brokers" "$prefix.in" "$@" >holds.json ||
        broken "$1 does not hold what was replayed: $(cat holds.json)"
}

# Killed again and again somewhere in the middle; each goes on where the transactions of the last one
# ended. Says how many were killed, and leaves the status of the one that was not.
kill_replays() { # kill_replays TOPIC MOST: naps `window` ms, longer when nothing had been written yet
    local pid end before=0
    for ((kills = 0; kills < $2; kills++)); do
        "$build/penstock" dead replay main.yaml --to "$1" >/dev/null 2>>killed.err &
        pid=$!
        pids+=("$pid")
        nap $((window / 2)) $((window * 3 / 2))
        if ! kill -0 "$pid" 2>/dev/null; then
            wait "$pid" || fail "a replay failed after a kill: $(tail -n 1 killed.err)"
            return
        fi
        kill_hard "$pid"
        end=$(admin end "$1")
        [ "$end" -gt "$before" ] || window=$((window * 5 / 4 + 10))
        before=$end
    done
    dead last replay --to "$1"
}

# What a whole one takes was measured a moment ago, on a machine that does other things too: where
# too little was cut off, the kills come earlier, on another topic.
replay_killed() { # replay_killed MILLISECONDS: what a whole one takes
    local window=$(($1 / 4)) kills try aborted least=3 letters=1000 most=30
    # A sanitizer makes each take many seconds, and start and work take other shares of them.
    [ "$scale" -eq 1 ] || most=4 least=0 letters=0
    for try in $(seq 12); do
        admin create "$prefix.killed-$try" 4
        kill_replays "$prefix.killed-$try" "$most"
        aborted=$(($(admin end "$prefix.killed-$try") - all))
        say "$kills replays were killed, $aborted aborted records and markers"
        holds "$prefix.killed-$try" 1
        if [ "$kills" -ge "$least" ] && [ "$aborted" -ge "$letters" ]; then return; fi
        window=$((window * 2 / 3))
    done
    fail "hardly a replay was killed at work: the test tested nothing"
}

# One that sleeps while another does its work must not do it again when it wakes.
replay_frozen() { # replay_frozen MILLISECONDS
    local pid try status=0 window=$(($1 * 8 / 10)) topic
    for try in 1 2 3 4 5 6; do
        topic=$prefix.frozen-$try
        admin create "$topic" 4
        "$build/penstock" dead replay main.yaml --to "$topic" >frozen.out 2>frozen.err &
        pid=$!
        pids+=("$pid")
        nap $((window / 2)) "$window"
        kill -STOP "$pid" 2>/dev/null || true
        sleep 0.05
        # One that has just ended takes a signal, too.
        ! grep -qs '^State:.*stopped' "/proc/$pid/status" || break
        wait "$pid" || fail "a replay that nothing disturbed: $(tail -n 1 frozen.err)"
        [ "$try" -lt 6 ] || fail "every replay ended before it was frozen: the test tested nothing"
        window=$((window / 2))
    done
    dead other replay --to "$topic"
    kill -CONT "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 0 ] || grep -q 'taken over' frozen.err || fail "the frozen replay: $(tail -n 1 frozen.err)"
    say "the frozen replay ended with $status: $(tail -n 1 frozen.err)"
    holds "$topic" 1
}

# One whose beginning is under way while another does all of the work: what was replayed is read
# after the other can write no more, not before.
replay_late() { # replay_late MILLISECONDS
    local pid status=0 deadline=$((SECONDS + 20)) topic=$prefix.late
    start_proxy
    sed "s/brokers: .*/brokers: \"$proxied\"/" main.yaml >late.yaml
    admin create "$topic" 4
    echo "22 hold $(($1 * 2 + 3000))" >&7 # InitProducerId
    "$build/penstock" dead replay late.yaml --to "$topic" --json >late.out 2>late.err &
    pid=$!
    pids+=("$pid")
    until grep -qx '22 hold' proxy.out; do
        [ $SECONDS -lt "$deadline" ] || fail "no request came by to be held"
        sleep 0.05
    done
    dead other replay --to "$topic"
    kill -0 "$pid" 2>/dev/null || fail "the other took too long: the test tested nothing"
    wait "$pid" || status=$?
    [ "$status" -eq 0 ] || fail "the late replay: $(tail -n 1 late.err)"
    holds "$topic" 1
}

scenario() {
    local all before took
    topics in out dead again repaired
    # Many transactions, so that a kill meets one; a sanitizer makes each take long enough.
    produce --topic "$prefix.in" --mode bad --rows "$([ "$scale" -eq 1 ] && echo 160000 || echo 40000)"
    write_main main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    run_to_end worker 60 main.yaml
    all=$(summary worker rows_rejected)

    # What is listed, by code and partition and time.
    [ "$(count)" -eq "$all" ] || fail "ls shows $(count) of $all letters"
    [ $(($(count --partition 0) + $(count --partition 1) + $(count --partition "$prefix.in/2,3"))) -eq "$all" ] ||
        fail "the partitions do not add up"
    [ "$(count --partition "$prefix.out/0")" -eq 0 ] || fail "--partition took another topic's"
    [ "$(count --from 2h)" -eq 0 ] || fail "--from let old letters through"
    local early # a letter has this very time: it is on one side only
    early=$(count --until 2023-11-14T22:13:30.501Z)
    [ "$early" -gt 100 ] || fail "--until left only $early letters"
    [ $((early + $(count --from 1700000010501))) -eq "$all" ] || fail "the times do not add up"
    dead codes ls --json --code syntax
    ! grep -v '"error":"syntax"' codes.out || fail "--code let others through"
    local source
    source=$(sed -nE '1s/.*"source":"([^"]*)".*/\1/p' codes.out)
    dead one show "$source"
    grep -qF "$source" one.out || fail "show: $(cat one.out)"
    grep -q 'header   x-expect: syntax' one.out || fail "show: $(cat one.out)"

    # A part, then all, then again; a dry run writes nothing, not even the topic that remembers.
    dead dry replay --to "$prefix.again" --dry-run
    ! admin exists "$prefix.replay" || fail "a dry run made a topic"
    [ "$(admin end "$prefix.again")" -eq 0 ] || fail "a dry run wrote records"
    dead part replay --to "$prefix.again" --code syntax
    holds "$prefix.again" 1 syntax
    took=$(date +%s%N)
    dead whole replay --to "$prefix.again" --json
    took=$((($(date +%s%N) - took) / 1000000))
    [ "$(number_of whole.out known)" -eq "$(wc -l <codes.out)" ] || fail "what was replayed is not known: $(cat whole.out)"
    holds "$prefix.again" 1
    dead twice replay --to "$prefix.again" --json
    grep -qx "{\"replayed\":0,\"known\":$all}" twice.out || fail "a second replay: $(cat twice.out)"
    holds "$prefix.again" 1

    replay_killed "$took"
    replay_frozen "$took"
    [ "$scale" -ne 1 ] || replay_late "$took" # a sanitizer's whole replay outlasts what a client waits

    # Back into the source, while the pipeline runs: bad again, dead again, and a letter of its own.
    before=$(admin end "$prefix.in")
    worker second main.yaml
    local second=$worker_pid
    dead back replay
    wait_committed 60
    kill -TERM "$second"
    leaves second "$second" 0 30
    [ "$(admin end "$prefix.in")" -gt "$before" ] || fail "nothing was put back"
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --dead "$prefix.dead" --expect x-expect
    [ "$(number_of verdict.json dead)" -eq $((2 * all)) ] || broken "not every record came back once"
    dead again replay --dry-run --json
    [ "$(wc -l <again.out)" -eq "$all" ] || fail "letters of replayed records are letters of their own"

    file_letters
}

# The same from a file of dead letters, and a file that holds other lines, too.
file_letters() {
    local all
    sed -i -e "s/^pipeline: .*/pipeline: $prefix-file/" -e '/^dead_letter/d' -e "s/topic: $prefix.out/topic: $prefix.repaired/" main.yaml
    echo "dead_letter: {file: letters.ndjson}" >>main.yaml
    run_to_end filed 60 main.yaml
    all=$(summary filed rows_rejected)
    echo '{"no":"letter"}' >>letters.ndjson
    [ "$(count)" -eq "$all" ] || fail "ls shows $(count) of $all letters in a file"
    says_file 'no penstock wrote'
    dead full show --json
    head -n -1 letters.ndjson | cmp - full.out || fail "show --json is not what the file has"
    admin create "$prefix.filed" 4
    dead filed1 replay --to "$prefix.filed"
    dead filed2 replay --to "$prefix.filed" --json
    grep -q "\"replayed\":0," filed2.out || fail "a second replay of a file: $(cat filed2.out)"
    holds "$prefix.filed" 1
}

says_file() { grep -q -- "$1" count.err || fail "no message matches '$1': $(cat count.err)"; }
