# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the scenarios of sealed topics share. Sourced by them.

# write_seal FILE NAME DIR TOPIC: rejects, a filter, and the log before both in their effects.
write_seal() {
    cat >"$1" <<END
pipeline: $2
source:
  kafka: {brokers: "$brokers", topics: [$prefix.in], properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float}}
stages:
  - hash: {algorithm: sha256, of: value}
  - seal: {origin: example.org/audit, dir: $3, checkpoint_interval: 200ms, key: seal.key}
  - filter: {where: "cpu > 40"}
sink:
  kafka: {topic: $4, commit_interval: 100ms, delivery: ${delivery:-exactly_once}}
dead_letter: {topic: $prefix.dead}
END
}

# whole DIR COUNT OUTPUT: every log below DIR, as many entries as the topic has records, each what the record says, and
# each event of OUTPUT names its own.
whole() {
    local entries
    "$build/penstock" seal verify "$1" >verify.out 2>verify.err || broken "seal verify: $(cat verify.out verify.err)"
    entries=$(sed -nE 's/.*: ok: ([0-9,]+) entries.*/\1/p' verify.out | tr -d , | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$entries" -eq "$2" ] || broken "the logs have $entries entries of $2 records"
    "$build/accept_sealed" "$brokers" "$prefix.in" "$1/$prefix.in" "$3" >sealed.json 2>sealed.err ||
        broken "the log is not of these records: $(cat sealed.err)"
    say "sealed: $(cat sealed.json)"
}

# same_files DIR DIR: but for partial tiles of sizes that only one of the two has shown.
same_files() {
    local each
    (cd "$1" && find . -type f ! -path '*.p/*' | sort) >files
    (cd "$2" && find . -type f ! -path '*.p/*' | sort) >files.other
    cmp -s files files.other || broken "$1 and $2 have other files: $(diff files files.other | head -n 5)"
    while read -r each; do
        cmp -s "$1/$each" "$2/$each" || broken "$each is another in $1 than in $2"
    done <files
}

# killed_workers COUNT FILE: each commits something, and is killed a while later.
killed_workers() {
    local i before deadline
    for i in $(seq "$1"); do
        before=$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)
        deadline=$((SECONDS + 60))
        worker "worker$i" "$2"
        until [ "$(admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0)" -gt "$before" ]; do
            [ $SECONDS -lt "$deadline" ] || fail "worker$i commits nothing: $(last_words "worker$i")"
            sleep 0.05
        done
        nap 300 900
        kill_hard "$worker_pid"
    done
}

# topic_verdict CODE [ARGUMENT…]: `seal verify topic` of $prefix.in and the logs in seal/ ends with that code; its words
# in `found`.
topic_verdict() {
    local code=$1 got=0
    shift
    "$build/penstock" seal verify topic "$prefix.in" --dir seal --brokers "$brokers" "$@" >found 2>found.err || got=$?
    [ "$got" -eq "$code" ] || broken "verify topic ends with $got instead of $code: $(cat found found.err)"
}
finds() { grep -qE -- "$1" found || broken "verify topic does not say '$1': $(cat found)"; }
