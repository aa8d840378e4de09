# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that died after its work was done and before the group heard of it never ends when it is run again"

# A group that has heard of nothing, while state or folder stand at the end: as a kill between the
# two leaves them, but sure to happen.
again() { # again NAME
    run_to_end "$1" 60 "$1.yaml"
    [ "$(summary "$1" rows_in)" -eq "$n" ] || fail "$1 read other rows than there are"
    sed "s/topics: \[/group: $prefix-$1-deaf, topics: [/" "$1.yaml" >"$1-again.yaml"
    run_to_end "$1-again" 30 "$1-again.yaml"
    [ "$(summary "$1-again" rows_in)" -eq 0 ] || broken "$1 did its work twice"
    [ "$(admin committed "$prefix-$1-deaf" "$prefix.in")" -ge "$n" ] || fail "$1 did not tell the group"
}

scenario() {
    local n kind
    n=$(rows 20000 200000)
    topics in out
    # Transactions: the end lies behind the last record.
    produce --topic "$prefix.in" --rows "$n" --transaction-rows 1000
    for kind in least files; do
        cat >"$kind.yaml" <<END
pipeline: $prefix-$kind
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in]}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float}}
  series: host
stages:
  - detect: {field: cpu, detectors: [ewma]}
sink:
  kafka: {topic: $prefix.out, delivery: at_least_once}
END
    done
    sed -i -e '/detect/s/.*/  - hash: {algorithm: sha256, of: value}/' -e "s|kafka: {topic.*|file: {path: $work/out/, form: json}|" files.yaml
    again least
    again files
}
