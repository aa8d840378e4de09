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
    kcat -C -e -q -b "$brokers" -t "$prefix.out" -X isolation.level=read_committed -f '%S %s\n' >values 2>/dev/null ||
        fail "kcat does not read the output"
    python3 - values <<'PY' || fail "a value that another reader cannot parse, or without its member penstock"
import json, sys
data, at, seen = open(sys.argv[1], "rb").read(), 0, 0
while at < len(data):  # each value by its length: it may hold line ends
    space = data.index(b" ", at)
    length = int(data[at:space])
    value, at = data[space + 1 : space + 1 + max(length, 0)], space + 2 + max(length, 0)
    if length <= 0:
        continue  # a tombstone stays one
    pairs = json.loads(value, object_pairs_hook=list)
    name, told = pairs[-1]
    if name != "penstock" or "source" not in dict(told):
        sys.exit(f"not its last member: {value[-200:]}")
    seen += 1
print(f"{seen} values parsed by another reader")
sys.exit(seen == 0)
PY
}
