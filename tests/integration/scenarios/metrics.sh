# shellcheck shell=bash disable=SC2034,SC2154
breaks="monitoring sees nothing, or other names than the manual says"

get() { # get PATH: status line, headers and body
    exec 8<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&8
    timeout 5 cat <&8
    exec 8>&- 8<&-
}

commits() {
    get /metrics | awk '/^penstock_commits_total[{ ]/ { n += $NF } END { printf "%d", n }'
}

# What trickles in is committed once an interval (100 ms), and not whenever the slots are full, which would be every
# 20 ms: a slow stream would cost three times as much.
trickle() {
    local before after lanes
    lanes=$(get /metrics | grep -cE '^penstock_commits_total[{ ]')
    before=$(commits)
    produce --topic "$prefix.in" --rows "$1" --rate $(($1 / 3)) --seed 3
    wait_committed 30
    after=$(commits)
    [ $((after - before)) -le $((lanes * 45)) ] ||
        fail "a slow stream of 3 s was committed $((after - before)) times by $lanes lanes, an interval being 100 ms"
}

scenario() {
    local pid deadline metric n
    n=$(rows 20000)
    port=$((20000 + RANDOM % 9000))
    topics in out
    produce --topic "$prefix.in" --rows "$n"
    write_main main.yaml
    echo "metrics: {listen: \"127.0.0.1:$port\"}" >>main.yaml
    echo "runtime: {batch_rows: 256}" >>main.yaml # many batches of what one fetch brings
    worker worker main.yaml
    pid=$worker_pid
    wait_committed 30
    deadline=$((SECONDS + 10))
    until get /ready 2>/dev/null | grep -q '^HTTP/1.[01] 200'; do
        [ $SECONDS -lt $deadline ] || fail "/ready does not answer 200"
        sleep 0.1
    done
    get /health | grep -q '^HTTP/1.[01] 200' || fail "/health does not answer 200"
    # More for a worker that has slept: all of it is read before a lag that is told once a second is told again.
    sleep 1.2
    produce --topic "$prefix.in" --rows "$n" --seed 2
    n=$((2 * n))
    wait_committed 30
    get /metrics >metrics.txt
    grep -q '^HTTP/1.[01] 200' metrics.txt || fail "/metrics does not answer 200"
    grep -oE 'penstock_[a-z0-9_]+' "$root/docs/metrics.md" 2>/dev/null | sort -u >documented.txt || true
    [ -s documented.txt ] || fail "docs/metrics.md names no metric"
    while read -r metric; do
        grep -q "^$metric" metrics.txt || grep -q "^# TYPE $metric" metrics.txt || fail "/metrics lacks $metric"
    done <documented.txt
    grep -qE "^penstock_rows_in(_total)?(\{[^}]*\})? " metrics.txt || fail "/metrics has no penstock_rows_in"
    [ "$(awk '/^penstock_rows_in(_total)?[{ ]/ { n += $NF } END { printf "%d", n }' metrics.txt)" -eq "$n" ] ||
        fail "the counter of rows is wrong"
    # All is committed: a lag that is told a second late would still be there.
    awk '/^penstock_lag_rows[{ ]/ { seen++; lag += $NF } END { if (lag != 0) print "lag " lag; exit !seen || lag != 0 }' metrics.txt >&2 ||
        fail "the lag stays behind what was read"
    # Every source partition by itself, and what it says adds up.
    awk -v n="${partitions:-4}" -v all="$n" '
        /^penstock_partition_rows_[a-z]+_total[{]/ {
            split($1, name, "{"); split(name[1], word, "_"); count[word[4], name[2]] = $NF
            if (word[4] == "in") { seen++; sum += $NF; part[name[2]] = 1 }
        }
        END {
            if (seen != n || sum != all) { print "partitions told of: " seen ", rows: " sum; exit 1 }
            for (p in part)
                if (count["in", p] != count["out", p] + count["filtered", p] + count["rejected", p]) {
                    print p " does not add up"; exit 1
                }
        }' metrics.txt >&2 || fail "the rows of the partitions do not add up"
    trickle "$(rows 6000)"
    kill -TERM "$pid"
    leaves worker "$pid" 0 20
}
