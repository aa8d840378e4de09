# shellcheck shell=bash disable=SC2034,SC2154
breaks="an auditor is told that a topic is as it was sealed when it is not, or is accused of what nobody did"

# sealed TOPIC [PARTITION]: a log of what the topic holds now, or of the entries in `entries` where a third word is there; by a
# key of its own, whose verifier key is in vkeys/.
sealed() {
    local topic=$1 partition=${2:-0} id key=$1.${2:-0}
    id=$(admin id "$topic")
    mkdir -p keys vkeys logs
    [ -e "keys/$key" ] || "$build/penstock" seal keygen "example.org/a/c1/$topic/$id/$partition" -o "keys/$key" >"vkeys/$key" ||
        fail "keygen"
    [ $# -gt 2 ] || "$build/accept_entries" "$brokers" dump "$topic" "$partition" >entries || fail "the entries of $topic"
    "$build/test_seal_write" "keys/$key" "logs/$topic/$partition" - <entries || fail "no log of $topic"
}

# verified CODE ARGUMENT…: `seal verify topic` with that exit code; its words in `found`, its JSON in `found.json`.
verified() {
    local code=$1 got=0 options=() key topic=$2
    shift
    for key in vkeys/"$topic".*; do options+=(--key "$key"); done
    timeout 120 "$build/penstock" seal verify topic --dir logs "$@" --brokers "$brokers" "${options[@]}" >found 2>found.err || got=$?
    [ "$got" -eq "$code" ] || broken "verify topic $* ends with $got instead of $code: $(cat found found.err)"
    got=0
    timeout 120 "$build/penstock" seal verify topic --dir logs "$@" --brokers "$brokers" "${options[@]}" --json >found.json 2>/dev/null ||
        got=$?
    [ "$got" -eq "$code" ] || broken "verify topic $* --json ends with $got instead of $code"
}

# record CODE CLASS TOPIC OFFSET: `seal verify record`.
record() {
    local got=0
    timeout 120 "$build/penstock" seal verify record "$3" --partition 0 --offset "$4" --dir logs --brokers "$brokers" \
        --key "vkeys/$3.0" --json >found.json 2>found.err || got=$?
    [ "$got" -eq "$1" ] || broken "verify record $3/0/$4 ends with $got instead of $1: $(cat found.json found.err)"
    holds "d['class'] == '$2'"
}

holds() { # holds EXPRESSION: of `d`, the JSON object, and `p`, its only or first partition
    python3 -c 'import json, sys
d = json.load(open("found.json"))
p = d.get("partitions", [{}])[0]
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" || broken "not so: $1: $(cat found.json)"
}
has() { grep -qF -- "$1" found || broken "verify topic does not say '$1': $(cat found)"; }

# edited CODE: `entries`, changed by python's CODE, which sees them as the list e.
edited() {
    python3 -c 'import struct, sys
b = open("entries", "rb").read()
e = [b[i:i + 118] for i in range(0, len(b), 118)]
offset = lambda x: struct.unpack(">Q", x[6:14])[0]
at = lambda x, o: x[:6] + struct.pack(">Q", o) + x[14:]
exec(sys.argv[1])
open("entries", "wb").write(b"".join(e))' "$1" || fail "the entries were not changed"
}

dumped() { "$build/accept_entries" "$brokers" dump "$1" 0 >entries || fail "the entries of $1"; }

# Records of every form, in transactions of which some were aborted, compressed or not, and by the broker's clock.
whole() {
    partitions=2 topics whole
    admin create "$prefix.clock" 1 message.timestamp.type=LogAppendTime
    produce --topic "$prefix.whole" --mode odd --rows "$(rows 20000)" --transaction-rows 500 --abort-every 3 --codec zstd
    produce --topic "$prefix.whole" --mode headers --rows 1000
    produce --topic "$prefix.clock" --rows 1000
    sealed "$prefix.whole" 0
    sealed "$prefix.whole" 1
    sealed "$prefix.clock"
    verified 0 "$prefix.whole"
    holds "len(d['partitions']) == 2 and all(x['match'] == x['size'] > 0 and x['signed'] for x in d['partitions'])"
    verified 0 "$prefix.clock"
    # What came since is no fault; nor is what begins later, where that is said.
    produce --topic "$prefix.whole" --rows 1000
    verified 0 "$prefix.whole"
    has "not yet sealed"
    holds "sum(x['unsealed'] for x in d['partitions']) == 1000"
    local last
    last=$(python3 -c 'import json; print(json.load(open("found.json"))["partitions"][0]["last_sealed_offset"])')
    record 0 match "$prefix.whole" "$last"
    record 3 unsealed "$prefix.whole" $((last + 2))
    verified 0 "$prefix.whole" --partition 1
    holds "len(d['partitions']) == 1 and p['partition'] == 1"
    # From the web, and as a pipeline says it.
    local port server
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$build/penstock" seal serve logs --listen "127.0.0.1:$port" 2>serve.err &
    server=$!
    pids+=("$server")
    until grep -q serving serve.err; do sleep 0.1; done
    verified 0 "$prefix.whole" --dir "http://127.0.0.1:$port/"
    holds "len(d['partitions']) == 2 and p['log'] == 'http://127.0.0.1:$port/$prefix.whole/0'"
    verified 0 "$prefix.whole" --dir "http://127.0.0.1:$port/$prefix.whole/1"
    holds "len(d['partitions']) == 1 and p['partition'] == 1"
    kill "$server"
    write_main main.yaml
    "$build/penstock" seal verify topic "$prefix.clock" --dir logs --pipeline main.yaml --key "vkeys/$prefix.clock.0" >found 2>&1 ||
        fail "with a pipeline: $(cat found)"
    # Over TLS, as somebody, with the password in a file; not as nobody.
    printf 'alice-secret' >password
    local secured=(--property security.protocol=sasl_ssl --property sasl.mechanism=SCRAM-SHA-256 --property sasl.username=alice
        --property "sasl.password=file:$work/password" --property "ssl.ca.location=$PS_KAFKA_CA")
    "$build/penstock" seal verify topic "$prefix.clock" --dir logs --brokers "$PS_KAFKA_SASL_SSL" "${secured[@]}" >found 2>&1 ||
        fail "over TLS: $(cat found)"
    # Nothing is accused of what it cannot know: no broker, no such topic, another's key, no log.
    local got=0
    "$build/penstock" seal verify topic "$prefix.none" --dir logs --brokers "$brokers" >found 2>&1 || got=$?
    [ "$got" -eq 3 ] || broken "a topic that is not there: $got, $(cat found)"
    mv "logs/$prefix.whole/1" away
    verified 3 "$prefix.whole"
    mv away "logs/$prefix.whole/1"
    mkdir -p "logs/$prefix.clock2" && cp -r "logs/$prefix.clock/0" "logs/$prefix.clock2/0"
    admin create "$prefix.clock2" 1
    cp "vkeys/$prefix.clock.0" "vkeys/$prefix.clock2.0"
    verified 3 "$prefix.clock2"
}

# One bit of one record, and a topic that was deleted and written again.
changed() {
    topics before after
    produce --topic "$prefix.before" --mode each --rows 4000 --seed 5
    "$build/accept_entries" "$brokers" copy "$prefix.before" "$prefix.after" 123 || fail "the copy"
    dumped "$prefix.before"
    sealed "$prefix.after" 0 as-before
    verified 1 "$prefix.after" --partition 0
    has "$prefix.after/0: MODIFIED: offset 123 (entry 123): not what was sealed: value"
    holds "p['modified'] == 1 and p['match'] == p['size'] - 1 and len(p['faults']) == 1 and p['faults'][0]['offset'] == 123"
    record 1 MODIFIED "$prefix.after" 123
    record 0 match "$prefix.after" 122
    # A log that was changed accuses no record.
    cp -r "logs/$prefix.after" kept
    python3 - "logs/$prefix.after/0/tile/entries/001" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(120 * 7 + 60)
    byte = f.read(1)[0]
    f.seek(120 * 7 + 60)
    f.write(bytes([byte ^ 1]))
END
    verified 1 "$prefix.after" --partition 0
    has "tile/entries/001: entry 263 was changed"
    holds "p['modified'] == 1 and p['match'] == p['size'] - 2 and p['log_faults'] == 1 and p['faults'][1]['class'] == 'LOG'"
    # Nor is a search led past a record's entry by another whose offset was changed: entry 500 is where halving begins.
    python3 - "logs/$prefix.after/0/tile/entries/001" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(120 * (500 - 256) + 2 + 11)
    byte = f.read(1)[0]
    f.seek(-1, 1)
    f.write(bytes([byte ^ 1]))
END
    holds "p['size'] == 1000"
    local got=0
    "$build/penstock" seal verify record "$prefix.after" --partition 0 --offset 900 --dir logs --brokers "$brokers" \
        --key "vkeys/$prefix.after.0" >found 2>&1 || got=$?
    [ "$got" -eq 1 ] || broken "a search that was led astray ends with $got: $(cat found)"
    has "entry 500 and the tiles do not lead to the checkpoint's root"
    rm "logs/$prefix.after/0/tile/entries/002"
    verified 1 "$prefix.after" --partition 0
    holds "p['modified'] == 1 and p['unlogged'] == 0 and p['missing'] == 0"
    rm -r "logs/$prefix.after" && mv kept "logs/$prefix.after"
    admin delete "$prefix.after"
    until ! admin exists "$prefix.after"; do sleep 0.1; done
    topics after
    "$build/accept_entries" "$brokers" copy "$prefix.before" "$prefix.after" || fail "the copy"
    verified 1 "$prefix.after" --partition 0
    has "RECREATED"
    holds "p['recreated'] and p['match'] == p['size']"
}

# Entries without a record, records without an entry, and the topic's end.
gaps() {
    partitions=1 topics gaps short
    produce --topic "$prefix.gaps" --rows 3000 --transaction-rows 1000
    dumped "$prefix.gaps" # offset 1000 is a marker's
    edited 'e = [x for x in e if offset(x) not in (500, 501, 502)]'
    sealed "$prefix.gaps" 0 edited
    verified 1 "$prefix.gaps"
    has "UNLOGGED: offsets 500 to 502 (3 records)"
    holds "p['unlogged'] == 3 and p['match'] == 2997"
    record 1 UNLOGGED "$prefix.gaps" 501
    verified 0 "$prefix.gaps" --from 503
    rm -r "logs/$prefix.gaps"
    dumped "$prefix.gaps"
    edited 'e.insert(1000, at(e[999], 1000))'
    sealed "$prefix.gaps" 0 edited
    verified 1 "$prefix.gaps"
    has "MISSING: offset 1000 (entry 1000)"
    holds "p['missing'] == 1 and p['match'] == 3000"
    record 1 MISSING "$prefix.gaps" 1000
    # A leader that had less, and went on: the end, and what is new behind the break.
    "$build/accept_entries" "$brokers" copy "$prefix.gaps" "$prefix.short" -1 1500 || fail "the copy"
    dumped "$prefix.short"
    edited 'n = len(e); e += [at(e[-1], offset(e[-1]) + 1 + i) for i in range(20)]'
    sealed "$prefix.short" 0 edited
    verified 1 "$prefix.short"
    has "TRUNCATED: offsets"
    has "it lost its end"
    holds "p['truncated'] == 20 and p['match'] == p['size'] - 20"
    record 1 TRUNCATED "$prefix.short" "$(python3 -c 'import json; print(json.load(open("found.json"))["partitions"][0]["last_sealed_offset"])')"
    produce --topic "$prefix.short" --rows 100
    verified 1 "$prefix.short"
    has "REWRITTEN: from offset"
    holds "p['modified'] == 20 and p['unsealed'] == 80"
}

# A bit that turned on the broker's disk: nobody can read that batch any more.
rotten() {
    partitions=1 topics rotten
    produce --topic "$prefix.rotten" --rows 1000
    sealed "$prefix.rotten"
    python3 - "$kafka_dir/data-1/$prefix.rotten-0/00000000000000000000.log" <<'END' || fail "the broker's file was not changed"
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(5000)
    byte = f.read(1)[0]
    f.seek(5000)
    f.write(bytes([byte ^ 1]))
END
    verified 1 "$prefix.rotten"
    has "UNREADABLE: the batch at offset 0 cannot be read"
}

# What retention and compaction take is no fault.
taken() {
    partitions=1 topics expired
    admin create "$prefix.compact" 1 cleanup.policy=compact segment.ms=100 min.cleanable.dirty.ratio=0.01 delete.retention.ms=1
    produce --topic "$prefix.expired" --rows 2000
    produce --topic "$prefix.compact" --rows 3000 --series 100
    sealed "$prefix.expired"
    sealed "$prefix.compact"
    admin forget "$prefix.expired" 0 700
    verified 0 "$prefix.expired"
    has "700 expired"
    holds "p['expired'] == 700 and p['match'] == 1300 and p['first_offset'] == 700"
    record 3 expired "$prefix.expired" 10
    local deadline=$((SECONDS + 60))
    sleep 0.2
    produce --topic "$prefix.compact" --first 1000000 --rows 1 # of a later time: the segment before is closed
    until verified 0 "$prefix.compact" && ! holds_quietly "p['superseded'] == 0"; do
        [ $SECONDS -lt $deadline ] || fail "the broker does not compact: $(cat found.json)"
        sleep 1
    done
    say "compacted: $(cat found)"
    holds "p['superseded'] + p['match'] == p['size'] and p['unsealed'] == 1"
    # A compacted topic hides no other gap: the newest entry of a key must have its record.
    dumped "$prefix.compact"
    edited 'e.insert(0, e[0][:6] + struct.pack(">Q", 5) + e[0][14:22] + bytes(31) + b"\1" + e[0][54:])'
    rm -r "logs/$prefix.compact"
    sealed "$prefix.compact" 0 edited
    verified 1 "$prefix.compact"
    has "MISSING: offset 5 (entry 0)"
    holds "p['missing'] == 1 and p['match'] == p['size'] - 1"
}
holds_quietly() { (broken() { exit 1; }; holds "$1") 2>/dev/null; }

scenario() {
    [ -x "$build/test_seal_write" ] || fail "there is no test_seal_write"
    whole
    changed
    gaps
    rotten
    taken
}
