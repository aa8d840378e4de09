# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker's roll-up lacks checkpoints, signs two histories after kill -9, or stops the worker when a witness is gone"

# write_rolled FILE OPTION…: what the stage has beyond the options here.
write_rolled() {
    local file=$1 more=''
    shift
    more=$(printf ', %s' "$@")
    cat >"$file" <<END
pipeline: $prefix
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in], properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}}
stages:
  - seal: {origin: example.org/audit, dir: seal, checkpoint_interval: 100ms, key: seal.key$more}
sink:
  kafka: {topic: $prefix.out, commit_interval: 50ms}
runtime: {lanes: 2}
END
}

# Every entry, by the key that signs the logs.
verify_rolled() {
    "$build/penstock" seal verify roll --key "$(cat roll/vkey)" "$@" >verify.out 2>verify.err ||
        broken "seal verify: $(cat verify.out verify.err)"
}

# What every log has signed last is in the roll-up: from outside there is nothing to add.
complete() {
    "$build/penstock" seal rollup seal --into roll --signer seal.key --json >rolled 2>rolled.err ||
        broken "seal rollup: $(cat rolled rolled.err)"
    [ "$(grep -c '"result":"unchanged"' rolled)" -eq "$(find seal -name checkpoint | wc -l)" ] ||
        broken "the roll-up lacks checkpoints: $(cat rolled)"
}

# What was signed when workers were killed is the beginning of what is signed now.
one_history() {
    local file
    for file in history/*; do
        "$build/penstock" seal verify consistency "$file" roll >consistency.out 2>&1 ||
            broken "the roll-up is no longer what it was: $(cat consistency.out)"
    done
}

size_of() { sed -n 2p "$1" 2>/dev/null || echo 0; } # of a checkpoint

wait_file() { # wait_file REGEX FILE
    local deadline=$((SECONDS + 20))
    until grep -qs -- "$1" "$2"; do
        [ $SECONDS -lt "$deadline" ] || fail "$2 never has '$1': $(tail -n 3 "$2" 2>&1)"
        sleep 0.1
    done
}

# run_to_here NAME FILE: to where the topic ends, then asked to stop.
run_to_here() {
    worker "$1" "$2"
    wait_committed 60
    kill "$worker_pid"
    expect "$1" "$worker_pid" 0 30
}

# restored NAME SIZE: a worker without a record to read, until the roll-up is so large.
restored() {
    local deadline=$((SECONDS + 30))
    worker "$1" rolled.yaml
    until [ "$(size_of roll/checkpoint)" -ge "$2" ]; do
        [ $SECONDS -lt "$deadline" ] || broken "restored logs are not rolled up: $(size_of roll/checkpoint) of $2"
        sleep 0.1
    done
    kill "$worker_pid"
    expect "$1" "$worker_pid" 0 30
}

# ---------------------------------------------------------------- a witness that others wrote

programs=$root/.deps/torchwood/bin
has_witness() {
    local each
    for each in "$programs/litewitness" "$programs/witnessctl" ssh-agent ssh-add ssh-keygen; do
        command -v "$each" >/dev/null || return 1
    done
}

witness() { # witness PORT: its process id in `witness_pid`
    rm -f witness.log # of one before, which was listening, too
    "$programs/litewitness" -db witness.db -name witness.example/w -key "$(ssh-keygen -lf ssh.pub | cut -d' ' -f2)" \
        -listen "127.0.0.1:$1" -ssh-agent agent.sock >witness.log 2>&1 &
    witness_pid=$!
    pids+=("$witness_pid")
    wait_file 'msg=listening' witness.log
}

introduce() { # introduce PORT: the witness to the log and the log to the witness, which then goes
    ssh-keygen -q -t ed25519 -N '' -f ssh
    ssh-agent -D -a "$work/agent.sock" >agent.log 2>&1 &
    pids+=($!)
    until [ -S agent.sock ]; do sleep 0.1; done
    SSH_AUTH_SOCK=$work/agent.sock ssh-add -q ssh || fail "ssh-add"
    witness "$1"
    echo "witness w $(sed -n 's/.*vkey=//p' witness.log | head -n 1) http://127.0.0.1:$1" >policy
    echo "quorum w" >>policy
    kill "$witness_pid"
    wait "$witness_pid" || true
    "$programs/witnessctl" add-log -db witness.db -origin example.org/audit/rollup >ctl 2>&1 || fail "add-log: $(cat ctl)"
    "$programs/witnessctl" add-key -db witness.db -origin example.org/audit/rollup -key "$(cat roll/vkey)" >ctl 2>&1 ||
        fail "add-key: $(cat ctl)"
}

# A worker whose witness does not answer goes on, and publishes as soon as there is an answer.
witnessed() {
    local port before
    export no_proxy='*'
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    introduce "$port"
    before=$(size_of roll/checkpoint)
    write_rolled witnessed.yaml "rollup: roll" "policy: policy"
    produce --topic "$prefix.in" --rows 2000
    run_to_end alone 60 witnessed.yaml
    says alone 'quorum.*missing: w no answer'
    [ "$(size_of roll/checkpoint)" -eq "$before" ] || broken "published without its quorum"
    [ "$(size_of roll/.signed)" -gt "$before" ] || broken "nothing was signed while the witness was gone"

    worker witnessed witnessed.yaml
    await_words witnessed 30 'quorum.*missing: w no answer'
    witness "$port"
    await_words witnessed 60 'signed and published again'
    before=$(size_of roll/checkpoint)
    produce --topic "$prefix.in" --rows 2000
    wait_committed 30
    kill "$worker_pid"
    expect witnessed "$worker_pid" 0 30
    verify_rolled --policy policy
    [ "$(size_of roll/checkpoint)" -gt "$before" ] || broken "what came after was not published"
    [ "$(size_of roll/checkpoint)" -eq "$(size_of roll/.signed)" ] || broken "the end of a run is not published"

    # Another history than the witness has seen: an alarm, and no reason to stop.
    cp -r kept/. roll/
    produce --topic "$prefix.in" --rows 2000
    run_to_end forked 60 witnessed.yaml
    says forked 'ALARM: roll-up roll: .*(put back to an earlier state|not the beginning)'
}

# ----------------------------------------------------------------

refusals() {
    write_rolled inside.yaml "rollup: seal/../seal/roll"
    if "$build/penstock" check inside.yaml >inside.out 2>&1; then broken "a roll-up inside of dir is taken"; fi
    grep -q 'lie one in the other' inside.out || fail "check says: $(cat inside.out)"
    "$build/penstock" explain rolled.yaml >explained || fail "explain"
    grep -q 'rollup=roll' explained || fail "explain does not say where the roll-up is"
    grep -q 'roll-up of stage seal' explained || fail "explain does not count the roll-up"
}

scenario() {
    local n i first
    n=$(rows 20000 200000)
    topics in out
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_rolled rolled.yaml "rollup: roll"
    refusals
    stream --topic "$prefix.in" --rows "$n" --rate $((n / 10)) --bytes 200
    mkdir history kept
    for i in 1 2 3 4; do
        worker "worker$i" rolled.yaml
        first=$worker_pid
        wait_moving 60
        wait_file . roll/checkpoint
        if [ "$i" = 1 ]; then
            worker second rolled.yaml
            expect second "$worker_pid" 1 30
            says second 'One worker rolls up'
        fi
        nap 500 1500
        kill_hard "$first"
        cp roll/checkpoint "history/$i"
        cp roll/.signed "history/$i.signed"
        verify_rolled
    done
    cp -r roll/. kept
    wait "$stream_pid" || fail "the producer failed"
    produce --topic "$prefix.in" --rows 400 # which what was kept does not have, however far the fourth worker came
    run_to_here last rolled.yaml
    one_history
    verify_rolled
    complete
    say "roll-up: $(size_of roll/checkpoint) checkpoints"

    # What a run had signed that was killed before its roll-up had it: the next one adds it, though no record comes.
    rm -r roll
    restored again "$(find seal -name checkpoint | wc -l)"
    complete
    rm -r roll
    cp -r kept roll
    restored kept $(($(size_of kept/checkpoint) + 1))
    one_history
    if has_witness; then witnessed; else say "no litewitness here: scripts/setup fetches it"; fi
}
