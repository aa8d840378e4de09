# shellcheck shell=bash disable=SC2034,SC2154
breaks="a file job that is killed or runs out of disk loses, repeats or garbles lines when it is run again"
no_broker=yes

write_files() { # write_files FILE OUT [CODEC]
    cat >"$1" <<END
pipeline: $prefix-$2
source:
  file: {paths: ["$work/in/*.ndjson"], format: ndjson}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float, ts: timestamp}}
  series: host
stages:
  - hash: {algorithm: sha256, of: value}
  - detect: {field: cpu, detectors: [ewma], threshold: $threshold}
  - statistics: {field: cpu}
  - entropy: {}
sink:
  file: {path: $work/$2/, form: json, codec: ${3:-none}, roll: 8MiB}
dead_letter: {file: $work/$2.dead.ndjson}
runtime: {lanes: 1, batch_rows: 4096}
END
}

same() { # same OUT: what lies there is what the uninterrupted run wrote
    diff -r --exclude='.*' whole "$1" >&2 || broken "$1 differs from the uninterrupted run"
    # Lanes share the file of dead letters: its lines are in order per partition only.
    cmp <(sort whole.dead.ndjson) <(sort "$1.dead.ndjson") || broken "the dead letters of $1 differ"
}

kill_until_done() { # kill_until_done NAME
    local i pid status most=20
    [ "$scale" -eq 1 ] || most=6 # a sanitizer's worker would be killed before it has done anything
    for i in $(seq $most); do
        worker "$1$i" "$1.yaml"
        pid=$worker_pid
        nap 60 220
        if ! kill -0 "$pid" 2>/dev/null; then
            status=0
            wait "$pid" || status=$?
            [ "$status" -eq 0 ] || fail "the worker failed after a kill: $(last_words "$1$i")"
            kills=$((i - 1))
            return
        fi
        kill_hard "$pid"
    done
    worker "${1}_last" "$1.yaml"
    expect "${1}_last" "$worker_pid" 0 60
    kills=$most
}

scenario() {
    local n i line kills=0 hash codec
    n=$(rows 150000 1000000)
    mkdir in
    for i in 1 2 3; do
        "$build/penstock" gen --rows "$n" --seed "$i" >"in/$i.ndjson" || fail "penstock gen"
        [ "$i" -eq 3 ] || sed -i -e '1000s/.*/not json/' -e '2000s/.$//' "in/$i.ndjson"
    done
    write_files whole.yaml whole
    write_files killed.yaml killed
    write_files full.yaml full
    worker whole whole.yaml --summary json
    expect whole "$worker_pid" 0 60
    accounts whole
    [ "$(summary whole rows_in)" -eq $((3 * n)) ] || fail "not every line was read"
    [ "$(find whole -type f ! -name '.*' -exec cat {} + | wc -l)" -eq "$(summary whole rows_out)" ] ||
        broken "the output has other lines than the summary says"
    "$build/accept_lines" 2 in/3.ndjson whole/part-00002-* >verdict.json ||
        broken "wrong lines: $(grep -o '"examples":.*' verdict.json)"
    # And digests of a few lines by a tool that is nobody's here.
    for i in 1 500 999; do
        line=$(sed -n "${i}p" in/1.ndjson)
        hash=$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)
        cat whole/part-00000-* | sed -n "${i}p" | grep -q "\"sha256\":\"$hash\"" || fail "line $i has another SHA-256"
    done

    kill_until_done killed
    say "$kills kills"
    same killed

    # Compressed, the same lines in files of the same names, as everybody's tools read them.
    for codec in zstd lz4; do
        write_files "$codec.yaml" "$codec" "$codec"
        kill_until_done "$codec"
        for line in "$codec"/part-*; do
            "$codec" -dcq "$line" >"${line%.*}" || fail "$codec -d does not read $line"
            rm "$line"
        done
        say "$codec: $kills kills"
        same "$codec"
    done

    # EFBIG stands in for a full disk: no root needed. An ignored SIGXFSZ is inherited.
    (
        trap '' XFSZ
        ulimit -f 6144
        exec "$build/penstock" run full.yaml >full.out 2>full.err </dev/null
    ) &
    pids+=($!)
    expect full $! 1 60
    says full 'full|large|space|write'
    worker again full.yaml
    expect again "$worker_pid" 0 60
    same full
}
