# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that starts before its broker gives up, or a misspelt topic is waited for forever"
own_broker=yes

scenario() {
    topics in out
    write_main main.yaml
    sed "s/topics: \[.*\]/topics: [$prefix.missing]/" main.yaml >missing.yaml
    worker missing missing.yaml --until-end
    expect missing "$worker_pid" 1 30
    says missing "$prefix.missing"
    sed "s/topic: $prefix.out/topic: $prefix.nowhere/" main.yaml >nowhere.yaml
    worker nowhere nowhere.yaml --until-end
    expect nowhere "$worker_pid" 1 30
    says nowhere "$prefix.nowhere"

    produce --topic "$prefix.in" --rows "$(rows 20000)"
    kafka stop >&2
    worker patient main.yaml --until-end --summary json
    local pid=$worker_pid
    sleep 4
    kill -0 "$pid" 2>/dev/null || fail "the worker did not wait: $(last_words patient)"
    says patient 'broker|connect'
    kafka start >&2
    expect patient "$pid" 0 60
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
}
