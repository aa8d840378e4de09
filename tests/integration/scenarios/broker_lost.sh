# shellcheck shell=bash disable=SC2034,SC2154
breaks="a broker that is away for longer than the transaction timeout stops the job or costs events"
own_broker=yes

scenario() {
    local producer
    topics in out
    write_main main.yaml
    sed -i 's/commit_interval: 100ms/commit_interval: 100ms, properties: {transaction.timeout.ms: 8000}/' main.yaml
    produce --topic "$prefix.in" --rows "$(rows 100000)"
    worker worker main.yaml
    local pid=$worker_pid
    sleep 1.5
    kafka kill 1 >&2
    # Past the transaction timeout, so that the producer turns fatal.
    sleep "$([ "$full" = 1 ] && echo 30 || echo 11)"
    kafka restart 1 >&2
    produce --topic "$prefix.in" --rows "$(rows 50000)" --seed 2
    wait_committed 60
    kill -0 "$pid" 2>/dev/null || fail "the worker did not survive: $(last_words worker)"
    kill -TERM "$pid"
    expect worker "$pid" 0 20
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
}
