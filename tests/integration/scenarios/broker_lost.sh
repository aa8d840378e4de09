# shellcheck shell=bash disable=SC2034,SC2154
breaks="a broker that is away for longer than the transaction timeout stops the job or costs events"
own_broker=yes

# Two workers live through the same half minute without a broker: longer than a transaction may last
# (15 s), so that the producer of the one that writes in transactions turns fatal.
scenario() {
    local pid pids_of=() which
    topics in out out2
    write_main once.yaml
    sed -e "s/^pipeline: .*/pipeline: $prefix-least/" -e "s/topic: $prefix.out,/topic: $prefix.out2, delivery: at_least_once,/" \
        once.yaml >least.yaml
    stream --topic "$prefix.in" --rows 10000000 --rate "$(rows 10000)"
    for which in once least; do
        worker "$which" "$which.yaml"
        pids_of+=("$worker_pid")
    done
    group=$prefix wait_moving 20
    group=$prefix-least wait_moving 20
    sleep 0.5
    kafka kill 1 >&2
    kill_hard "$stream_pid"
    sleep 30
    kafka restart 1 >&2
    produce --topic "$prefix.in" --rows "$(rows 50000)" --seed 2
    group=$prefix wait_committed 60
    group=$prefix-least wait_committed 60
    for pid in "${pids_of[@]}"; do
        kill -0 "$pid" 2>/dev/null || fail "a worker did not survive: $(last_words once) $(last_words least)"
        kill -TERM "$pid"
    done
    leaves once "${pids_of[0]}" 0 20
    leaves least "${pids_of[1]}" 0 20
    # Who leads is asked anew, not a minute after it is back; for so long as it is away is nobody's fault.
    ! grep -E 'for ([6-9][0-9]|[1-9][0-9]{2,}) s no broker at .* has said where' once.err least.err ||
        fail "a worker goes on asking a leader that was"
    # Who waits says for what, and since when.
    says once "for [0-9]+ s no .* at $brokers"
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --read-uncommitted
    # shellcheck disable=SC2046
    judged=out2 judge $(detector_arguments) --series host --at-least-once
}
