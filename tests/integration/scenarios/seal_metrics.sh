# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=tests/integration/sealing.sh
. "$here/sealing.sh"
breaks="monitoring does not see that logs grow, that nothing is signed, or that witnesses are gone"

get() { # get PATH: status line, headers and body
    exec 8<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&8
    timeout 5 cat <&8
    exec 8>&- 8<&-
}

# total METRIC: over all partitions.
total() { awk -v name="$1" '$1 ~ "^" name "([{]|$)" { n += $NF } END { printf "%d", n }' metrics.txt; }

# reaches METRIC NUMBER: within 20 s.
reaches() {
    local deadline=$((SECONDS + 20))
    until get /metrics >metrics.txt && [ "$(total "$1")" -ge "$2" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "$1 never reaches $2: $(grep "^$1" metrics.txt)"
        sleep 0.1
    done
    [ "$(total "$1")" -eq "$2" ] || [ "${3-}" = more ] || fail "$1 is $(total "$1"), not $2"
}

scenario() {
    local n logs first deadline
    n=$(rows 8000)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    topics in out dead
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_seal seal.yaml "$prefix" seal "$prefix.out"
    echo "metrics: {listen: \"127.0.0.1:$port\"}" >>seal.yaml
    # The witness is not there: no key of that kind cosigns, nobody listens.
    printf 'witness w example.org/w+%s http://127.0.0.1:9\nquorum w\n' "$(witness_key)" >policy
    sed -i 's|key: seal.key|key: seal.key, rollup: roll, policy: policy|' seal.yaml
    produce --topic "$prefix.in" --rows "$n" --mode some-bad
    worker first seal.yaml
    first=$worker_pid
    wait_committed 60
    reaches penstock_log_signed_entries "$n"
    [ "$(total penstock_log_entries)" -eq "$n" ] || fail "penstock_log_entries is $(total penstock_log_entries), not $n"
    [ "$(total penstock_log_sealed_total)" -eq "$n" ] || fail "penstock_log_sealed_total is not $n"
    [ "$(total penstock_log_unsigned_entries)" -eq 0 ] || fail "all is signed, and some is said not to be"
    [ "$(total penstock_log_faults_total)" -eq 0 ] || fail "faults where nothing went wrong"
    # As the checkpoints themselves have it, partition by partition.
    for logs in seal/"$prefix.in"/*/checkpoint; do
        grep -qF "penstock_log_signed_entries{topic=\"$prefix.in\",partition=\"$(basename "$(dirname "$logs")")\"} $(sed -n 2p "$logs")" metrics.txt ||
            fail "$logs has another size: $(grep signed_entries metrics.txt)"
    done
    logs=$(find seal -name checkpoint | wc -l)
    reaches penstock_rollup_entries "$logs" more
    reaches penstock_rollup_quorum_missing_total 1 more
    [ "$(total penstock_rollup_published_entries)" -eq 0 ] || fail "published without a quorum"
    [ "$(total penstock_rollup_cosignatures_total)" -eq 0 ] || fail "nobody has cosigned"
    # The age grows while nothing comes; a partition that changes its lane begins anew.
    deadline=$((SECONDS + 20))
    until get /metrics >metrics.txt && awk '/^penstock_log_checkpoint_age_seconds[{]/ { n++; young += $NF < 2 } END { exit n == 0 || young > 0 }' metrics.txt; do
        [ $SECONDS -lt "$deadline" ] || fail "the ages: $(grep checkpoint_age metrics.txt)"
        sleep 0.5
    done
    awk '/^penstock_log_checkpoint_age_seconds[{]/ { old += $NF > 60 } END { exit old > 0 }' metrics.txt ||
        fail "the ages: $(grep checkpoint_age metrics.txt)"
    kill -TERM "$first"
    leaves first "$first" 0 30

    # Another worker goes on with these logs: it has them, and has sealed none of it.
    produce --topic "$prefix.in" --rows 1000
    worker second seal.yaml
    wait_committed 60
    reaches penstock_log_signed_entries $((n + 1000))
    [ "$(total penstock_log_sealed_total)" -eq 1000 ] || fail "the second worker says that it has sealed $(total penstock_log_sealed_total)"
    kill -TERM "$worker_pid"
    leaves second "$worker_pid" 0 30
}

# A key of a witness, of which there is no secret.
witness_key() {
    python3 -c 'import base64, hashlib
key = bytes([4]) + bytes(range(32))
print(hashlib.sha256(b"example.org/w\n" + key).hexdigest()[:8] + "+" + base64.b64encode(key).decode())'
}
