# shellcheck shell=bash disable=SC2034,SC2154
breaks="one record that is too large for the worker or for the output topic stops or loops the job"

big() { # big BYTES CODE
    awk -v n="$1" 'BEGIN { printf "{\"host\":\"big\",\"cpu\":1,\"note\":\""; for (i = 0; i < n; i++) printf "x"; print "\"}" }' |
        kcat -P -b "$brokers" -t "$prefix.in" -k big -p 1 -X message.max.bytes=4000000 -H "x-expect=$2" 2>/dev/null ||
        fail "kcat could not write the big record"
}

scenario() {
    # The output takes 600 kB; records of 700 kB decode, but the broker refuses what comes of them.
    topics in dead
    admin create "$prefix.out" 4 max.message.bytes=600000
    write_main main.yaml
    sed -i "s/^  - detect.*//" main.yaml
    sed -i "s/commit_interval: 100ms/commit_interval: 100ms, properties: {batch.size: 100000, message.max.bytes: 4000000}/" main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    produce --topic "$prefix.in" --rows "$(rows 5000)" --seed 1
    big 700000 output_refused
    big 1500000 too_large
    produce --topic "$prefix.in" --rows "$(rows 5000)" --seed 2
    run_to_end worker 60 main.yaml --set runtime.batch_bytes=1MiB
    judge --dead "$prefix.dead" --expect x-expect
    accounts worker
    [ "$(number_of verdict.json dead)" -eq 2 ] || fail "other dead letters than the two big records"
}
