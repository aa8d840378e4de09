# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that died in the middle of a rebalance and comes back leaves partitions that nobody reads"

scenario() {
    topics in out
    write_main main.yaml
    echo "runtime: {lanes: 2, instance: half}" >>main.yaml
    produce --topic "$prefix.in" --rows "$(rows 20000)"
    "$build/accept_halfway" "$brokers" "$prefix" "$prefix.in" "$prefix-half-0" "$prefix-half-1" >/dev/null ||
        fail "the group could not be left halfway"
    run_to_end last 60 main.yaml
    grep -q "partitions have no owner" "$work/last.err" || fail "the group was whole: the test is void"
    accounts last
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
}
