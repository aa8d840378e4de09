# shellcheck shell=bash disable=SC2034,SC2154
breaks="a record that only the broker refuses, when its batch has long been left, stops or loops the job"

keyless() {
    printf '{"host":"none","cpu":%d}\n' 1 2 3 4 5 |
        kcat -P -b "$brokers" -t "$prefix.in" -p 1 -H "x-expect=output_refused" 2>/dev/null ||
        fail "kcat could not write records without a key"
}

scenario() {
    # A compacted topic takes no record without a key, and says so once many others are under way.
    topics in dead
    # Never cleaned in fact: the checker wants all of it, and a log of old time stamps may be rolled and cleaned at any time.
    admin create "$prefix.out" 4 cleanup.policy=compact min.cleanable.dirty.ratio=1
    write_main main.yaml
    sed -i "s/^  - detect.*//" main.yaml
    echo "dead_letter: {topic: $prefix.dead}" >>main.yaml
    produce --topic "$prefix.in" --rows "$(rows 100000)" --seed 1
    keyless
    produce --topic "$prefix.in" --rows "$(rows 100000)" --seed 2
    run_to_end worker 60 main.yaml
    judge --dead "$prefix.dead" --expect x-expect
    accounts worker
    [ "$(number_of verdict.json dead)" -eq 5 ] || fail "other dead letters than the five records"
}
