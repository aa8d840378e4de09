# shellcheck shell=bash disable=SC2034,SC2154
breaks="aborted input is processed, the filter or the dead letters lose rows, or --until-end never ends"

scenario() {
    topics in out dead
    # Every third transaction is aborted, the last one among them: nothing but markers behind the end.
    produce --topic "$prefix.in" --mode bad --rows 15000 --transaction-rows 500 --abort-every 3
    write_main main.yaml
    sed -i "s/^sink:/  - filter: {where: \"score > 0.3 and dc = 'eu'\"}\nsink:/" main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    run_to_end worker 60 main.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host --dead "$prefix.dead" --expect x-expect \
        --keep 'dc="eu"' --keep-score-above 0.3
    accounts worker
    [ "$(summary worker rows_filtered)" -eq "$(number_of verdict.json filtered)" ] ||
        fail "the summary counts other filtered rows than the checker"
    [ "$(summary worker rows_in)" -eq 10000 ] || fail "rows_in counts aborted records"
    run_to_end again 20 main.yaml
}
