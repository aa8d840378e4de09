# shellcheck shell=bash disable=SC2034,SC2154
breaks="a bad record stops the worker, vanishes, or lies in the dead letters under the wrong name"

scenario() {
    topics in out dead
    produce --topic "$prefix.in" --mode bad --rows "$(rows 20000 200000)"
    write_main main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    run_to_end worker 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --dead "$prefix.dead" --expect x-expect
    accounts worker
    [ "$(summary worker rows_rejected)" -eq "$(number_of verdict.json dead)" ] ||
        fail "the summary counts other rejects than the dead letters"
    [ "$(number_of verdict.json dead)" -gt 100 ] || fail "hardly any bad record: the test tested nothing"
}
