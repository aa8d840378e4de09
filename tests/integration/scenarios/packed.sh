# shellcheck shell=bash disable=SC2034,SC2154
breaks="packed records lose, repeat or reorder events, or cannot be read by the tools that read such frames"

packed() { # packed FILE CODEC ROWS: the main job, many rows a record
    write_main "$1"
    sed -i -e "s/^pipeline: .*/pipeline: $prefix-$2/" \
        -e "s/topic: $prefix.out, /topic: $prefix.$2, form: packed, pack: {rows: $3, codec: $2}, /" "$1"
    echo "dead_letter: {topic: $prefix.dead-$2}" >>"$1"
}

big() { # big BYTES [CODE]
    awk -v n="$1" 'BEGIN { printf "{\"host\":\"big\",\"cpu\":1,\"note\":\""; for (i = 0; i < n; i++) printf "x"; print "\"}" }' |
        kcat -P -b "$brokers" -t "$prefix.in" -k big -p 1 ${2:+-H "x-expect=$2"} 2>/dev/null ||
        fail "kcat could not write the big record"
}

# Values of one partition one after the other, as whoever knows nothing of us decompresses them.
decompressed() { # decompressed TOPIC COMMAND…
    local topic=$1
    shift
    kcat -C -e -q -b "$brokers" -t "$topic" -p 1 -X isolation.level=read_committed -f '%s' 2>/dev/null >frames.bin
    "$@" <frames.bin
}

scenario() {
    local n codec rows i lines
    n=$(rows 40000 1000000)
    topics in zstd lz4 snappy none dead-zstd dead-lz4 dead-snappy dead-none
    # Tombstones in the middle, which go out between packs.
    produce --topic "$prefix.in" --mode bad --rows $((n / 2))
    for i in 0 1 2 3; do
        printf 'gone-1|\ngone-2|\n' | kcat -P -Z -b "$brokers" -t "$prefix.in" -p $i -K '|' 2>/dev/null ||
            fail "kcat could not write tombstones"
    done
    produce --topic "$prefix.in" --mode bad --first $((n / 2)) --rows $((n / 2))

    # Killed on the way: nothing is lost or there twice.
    packed zstd.yaml zstd 100
    for i in 1 2 3 4; do
        worker "killed$i" zstd.yaml --set runtime.batch_rows=4096
        nap 400 900
        kill -0 "$worker_pid" 2>/dev/null || fail "the worker died by itself: $(last_words "killed$i")"
        kill_hard "$worker_pid"
    done
    for codec in zstd lz4 snappy none; do
        rows=100
        [ $codec != snappy ] || rows=7
        packed "$codec.yaml" "$codec" $rows
        run_to_end "$codec" 60 "$codec.yaml"
        # shellcheck disable=SC2046
        judged=$codec judge $(detector_arguments) --series host --form packed:$codec:$rows \
            --dead "$prefix.dead-$codec" --expect x-expect
        [ $codec = zstd ] || accounts "$codec"
        grep -q ", $rows in the largest" verdict.txt || fail "no pack has its $rows rows: $(tail -n 1 verdict.txt)"
    done
    decompressed "$prefix.none" cat >lines || fail "no lines"
    for codec in zstd lz4; do
        decompressed "$prefix.$codec" $codec -dcq >"lines.$codec" || fail "$codec -d does not read the records"
        cmp lines "lines.$codec" || broken "$codec -d makes other lines of them"
    done
    lines=$(wc -l <lines)
    # Half of the records are good, and a quarter of the series has this partition: about.
    if [ "$lines" -lt $((n / 10)) ] || [ "$lines" -gt $((n / 6)) ]; then fail "$lines lines of $n records"; fi

    # Where the topic takes little, packs end early; where only the client knows that, they are made again,
    # smaller. A row that is too large by itself is a dead letter.
    admin create "$prefix.small" 3 max.message.bytes=20000
    topics client dead-client dead-small
    for codec in client small; do
        packed "$codec.yaml" none 512
        sed -i -e "s/$prefix\.none/$prefix.$codec/; s/$prefix-none/$prefix-$codec/; s/dead-none/dead-$codec/" "$codec.yaml"
        if [ $codec = client ]; then
            sed -i "s/commit_interval: 100ms/&, properties: {message.max.bytes: 20000}/" client.yaml
        else
            big 19900 output_refused
            big 700000 output_refused
            big 15000
        fi
        run_to_end "$codec" 60 "$codec.yaml"
        # shellcheck disable=SC2046
        judged=$codec judge $(detector_arguments) --series host --form packed:none:100 \
            --dead "$prefix.dead-$codec" --expect x-expect --other-partitions
    done
    # The broker refuses two rows, whose neighbours in a request go with them once or twice; never a pack.
    [ "$(grep -c 'going back' small.err)" -le 12 ] || fail "packs grow past the topic's limit and are made again"
}
