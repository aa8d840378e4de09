# shellcheck shell=bash disable=SC2034,SC2154
breaks="one record that is too large for the worker or for the output topic stops or loops the job"

scenario() {
    # The output takes 600 kB; records of 700 kB decode, but the broker refuses what comes of them.
    topics in dead
    admin create "$prefix.out" 4 max.message.bytes=600000
    write_main main.yaml
    sed -i "s/^  - detect.*//" main.yaml
    sed -i "s/commit_interval: 100ms/commit_interval: 100ms, properties: {batch.size: 100000}/" main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    produce --topic "$prefix.in" --rows "$(rows 5000)" --seed 1
    awk 'BEGIN { printf "{\"host\":\"big\",\"cpu\":1,\"note\":\""; for (i = 0; i < 700000; i++) printf "x"; print "\"}" }' |
        kcat -P -b "$brokers" -t "$prefix.in" -k big -p 1 -X message.max.bytes=2000000 \
            -H x-expect=output_refused 2>/dev/null || fail "kcat could not write the big record"
    produce --topic "$prefix.in" --rows "$(rows 5000)" --seed 2
    run_to_end worker 60 main.yaml
    judge --dead "$prefix.dead" --expect x-expect
    accounts worker
    [ "$(number_of verdict.json dead)" -eq 1 ] || fail "the big record is not the only dead letter"
}
