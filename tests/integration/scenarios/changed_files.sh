# shellcheck shell=bash disable=SC2034,SC2154
breaks="a job over files loses lines because its list of files changed, or reset says that it moved what it did not move"

scenario() {
    local name
    topics out in
    mkdir list
    for name in a b; do "$build/penstock" gen --rows 1000 --seed 1 >"list/$name.ndjson" || fail "penstock gen"; done
    cat >job.yaml <<END
pipeline: $prefix
source: {file: {paths: ["$work/list/*.ndjson"]}}
decode: {json: {fields: {host: string, cpu: float}}}
stages:
  - hash: {algorithm: sha256, of: value}
sink: {kafka: {brokers: "$brokers", topic: $prefix.out}}
END
    run_to_end first 60 job.yaml
    [ "$(summary first rows_out)" -eq 2000 ] || broken "not every line came out"
    run_to_end again 60 job.yaml
    [ "$(summary again rows_in)" -eq 0 ] || broken "lines came out twice"
    # `b` is now where `a` was: its lines must not be taken for read.
    rm list/a.ndjson
    "$build/penstock" gen --rows 5000 --seed 2 >list/c.ndjson || fail "penstock gen"
    worker changed job.yaml
    expect changed "$worker_pid" 2 60
    says changed "list of files"
    # The folder decides, so moving the group would move nothing.
    write_main into.yaml
    sed -i '/^sink:/,$d' into.yaml
    printf 'sink: {file: {path: %s/into}}\n' "$work" >>into.yaml
    ! "$build/penstock" reset into.yaml --to earliest >reset.out 2>reset.err || fail "reset moved a group that nobody asks"
    grep -q "delete that folder" reset.err || fail "reset says: $(cat reset.err)"
}
