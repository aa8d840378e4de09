# shellcheck shell=bash disable=SC2034,SC2154
breaks="a client that others wrote does not read the logs that a worker writes"

# Sizes around the tiles' edges, one topic each; the logs share the partitions of the seal topic.
sizes="1 255 256 257 70000"

write_sizes() {
    cat >"$1" <<END
pipeline: $prefix
source:
  kafka: {brokers: "$brokers", topics: [$(for i in $sizes; do printf '%s.s%s, ' "$prefix" "$i"; done | sed 's/, $//')]}
stages:
  - seal: {origin: example.org/audit, dir: seal/, checkpoint_interval: 50ms, key: seal.key}
sink:
  kafka: {topic: $prefix.out, commit_interval: 50ms}
END
}

# With nothing of ours but the files (tests/seal_go); 77: no Go here.
build_go() {
    local go
    go=$(command -v go || echo /usr/local/go/bin/go)
    [ -x "$go" ] || return 77
    (cd "$root/tests/seal_go" && GOFLAGS=-mod=readonly "$go" mod download) >go.out 2>&1 || return 77
    (cd "$root/tests/seal_go" && GOFLAGS=-mod=readonly "$go" build -o "$work/seal_go" .) >>go.out 2>&1
}

scenario() {
    local i status=0
    partitions=1 topics out
    for i in $sizes; do partitions=1 topics "s$i"; done
    "$build/penstock" seal keygen example.org/audit -o seal.key >vkey
    write_sizes sizes.yaml
    # Some of each before the worker begins, the rest while it runs: the logs grow.
    for i in $sizes; do produce --topic "$prefix.s$i" --rows $(((i + 1) / 2)) --bytes 200; done
    worker first sizes.yaml
    for i in $sizes; do [ "$i" = 1 ] || produce --topic "$prefix.s$i" --rows $((i / 2)) --bytes 200; done
    sleep 2
    kill_hard "$worker_pid"
    run_to_end last 90 sizes.yaml
    "$build/penstock" seal verify seal >verify.out 2>verify.err || broken "seal verify: $(cat verify.out verify.err)"
    build_go || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || fail "tests/seal_go does not build: $(tail -n 3 go.out)"
    for i in $sizes; do
        [ "$(sed -n 2p "seal/$prefix.s$i/0/checkpoint")" -eq "$i" ] || broken "the log of $i records has another size"
        "$build/penstock" seal prove "seal/$prefix.s$i/0" --index $((i - 1)) -o last.tlog-proof || fail "prove $i"
        [ "$status" -ne 0 ] || ./seal_go "seal/$prefix.s$i/0" "$(cat "seal/$prefix.s$i/0/vkey")" last.tlog-proof >>go.out 2>&1 ||
            broken "others' clients refuse the log of $i records: $(tail -n 1 go.out)"
    done
    [ "$status" -eq 0 ] || say "no Go here: no independent client has read these logs"
}
