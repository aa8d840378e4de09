# shellcheck shell=bash disable=SC2034,SC2154
breaks="binary payloads, tombstones, odd keys or headers do not pass through byte for byte"

scenario() {
    topics in out
    produce --topic "$prefix.in" --mode odd --rows "$(rows 4000 20000)"
    cat >raw.yaml <<END
pipeline: $prefix
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in]}
stages:
  - hash: {algorithm: sha256, of: value}
sink:
  kafka: {topic: $prefix.out, properties: {message.max.bytes: 2000000}}
END
    run_to_end worker 60 raw.yaml
    judge
    accounts worker
}
