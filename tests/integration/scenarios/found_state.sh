# shellcheck shell=bash disable=SC2034,SC2154
breaks="drift, forecast, risk or multivariate go on with other state after kill -9, or say other things with other batches and lanes"

# write_found FILE NAME RUNTIME…: a pipeline of that name, whose output is the topic of that name.
write_found() {
    cat >"$1" <<END
pipeline: $prefix-$2
source:
  kafka:
    brokers: "$brokers"
    topics: [$prefix.in]
    properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float, mem: float, ts: timestamp}}
  series: host
stages:
  - drift: {field: cpu, baseline: 100, window: 64, threshold: 2, effect: 0}
  - forecast: {field: cpu, horizon: 2, season_max: 12}
  - risk: {fields: [cpu, mem], limits: {cpu: 200, mem: "< 0"}, confidence: 0.1, time: ts}
  - multivariate: {fields: [cpu, mem], method: pca, warmup: 40, span: 100, refit: 7}
sink:
  kafka: {topic: $prefix.$2, form: json, commit_interval: 100ms}
runtime: {series_max: 2000, memory_max: 1GiB, $3}
END
}

# dump NAME: the lines of its topic, sorted, in NAME.lines. Two lanes hand partitions on, and leave no part hidden.
dump() {
    cat >"dump-$1.yaml" <<END
pipeline: $prefix-dump-$1
source: {kafka: {brokers: "$brokers", topics: [$prefix.$1]}}
sink: {file: {path: dump-$1, form: value}}
runtime: {lanes: 2}
END
    run_to_end "dump-$1" 60 "dump-$1.yaml"
    cat "dump-$1"/part-* | LC_ALL=C sort >"$1.lines"
}

committed_by() { admin committed "$prefix-$1" "$prefix.in" 2>/dev/null || echo 0; }

scenario() {
    local n rate producer i each killed before deadline
    local -A pid
    n=$(rows 60000 600000) rate=$(rows 6000 60000)
    topics in once delta replay
    write_found delta.yaml delta "state: delta"
    write_found replay.yaml replay "state: replay"
    write_found once.yaml once "lanes: 1, batch_rows: 256"
    produce --topic "$prefix.in" --series 40 --rows "$n" --rate "$rate" &
    producer=$!
    pids+=("$producer")
    killed=0
    for i in 1 2 3 4; do
        before=$(committed_by delta)
        [ "$before" -lt "$n" ] || break
        for each in delta replay; do
            worker "$each$i" "$each.yaml"
            pid[$each]=$worker_pid
        done
        deadline=$((SECONDS + 60))
        until [ "$(committed_by delta)" -gt "$before" ]; do
            [ $SECONDS -lt "$deadline" ] || fail "delta$i commits nothing: $(last_words "delta$i")"
            sleep 0.05
        done
        nap 100 400
        for each in delta replay; do kill_hard "${pid[$each]}"; done
        killed=$((killed + 1))
    done
    wait "$producer" || fail "the producer failed"
    [ "$killed" -gt 1 ] || fail "all was done before a worker could be killed twice"
    for each in delta replay once; do
        run_to_end "$each-last" 120 "$each.yaml"
        dump "$each"
    done
    [ "$(wc -l <once.lines)" -eq "$n" ] || broken "$(wc -l <once.lines) lines of $n rows"
    for each in '"drift":' '"forecast_low":' '"risk":' '"joint_score":'; do
        [ "$(grep -c "$each" once.lines)" -gt $((n / 100)) ] || broken "no $each in the output"
    done
    for each in delta replay; do
        cmp -s once.lines "$each.lines" ||
            broken "$each: after $killed kills the output is another: $(diff once.lines "$each.lines" | head -n 3)"
    done
    say "$n lines are the same after $killed kills, by either policy, as by one lane in one go"
}
