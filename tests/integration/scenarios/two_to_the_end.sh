# shellcheck shell=bash disable=SC2034,SC2154
breaks="two workers that share a bounded job never end, or end early"

scenario() {
    local one two
    topics in out
    produce --topic "$prefix.in" --rows "$(rows 100000 1000000)"
    write_main main.yaml
    worker one main.yaml --set runtime.instance=one --until-end --summary json
    one=$worker_pid
    worker two main.yaml --set runtime.instance=two --until-end --summary json
    two=$worker_pid
    expect one "$one" 0 60
    expect two "$two" 0 60
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
    accounts one
    accounts two
}
