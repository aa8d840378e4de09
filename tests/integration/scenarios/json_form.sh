# shellcheck shell=bash disable=SC2034,SC2154
breaks="form json changes bytes of the objects it appends to, or writes something that is not JSON"

scenario() {
    topics in out
    produce --topic "$prefix.in" --mode odd-json --rows "$(rows 8000 40000)"
    cat >json.yaml <<END
pipeline: $prefix
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in]}
decode:
  json: {fields: {cpu: float}}
stages:
  - hash: {algorithm: sha256, of: value}
  - detect: {field: cpu, detectors: [ewma], threshold: $threshold}
sink:
  kafka: {topic: $prefix.out, form: json, properties: {message.max.bytes: 2000000}}
END
    run_to_end worker 60 json.yaml
    # shellcheck disable=SC2046
    judge $(detector_arguments) --form json
    accounts worker
    # Another reader must be able to parse every value.
    kcat -C -e -q -b "$brokers" -t "$prefix.out" -X isolation.level=read_committed -f '%s\n' 2>/dev/null |
        awk 'length($0) > 2 && $0 !~ /"penstock":\{"source":/ && !/^[ \t]*$/ { bad++ } END { exit bad > 0 }' ||
        fail "a value without its member penstock"
}
