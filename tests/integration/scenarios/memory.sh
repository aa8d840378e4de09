# shellcheck shell=bash disable=SC2034,SC2154
breaks="the worker takes more memory than it said it would, so that the kernel kills it one day"

# make_group BYTES: a control group with that much memory, swap not counted, in $group; empty where
# we may make none: then only the peak is compared.
make_group() {
    local root
    group=''
    [ "$scale" -eq 1 ] || return 0 # a sanitizer's shadow is not the worker's memory
    for root in /sys/fs/cgroup/memory /sys/fs/cgroup; do
        mkdir "$root/$prefix" 2>/dev/null || continue
        group=$root/$prefix
        echo "$1" 2>/dev/null >"$group/memory.limit_in_bytes" || echo "$1" 2>/dev/null >"$group/memory.max" || {
            rmdir "$group"
            group=''
            continue
        }
        return 0
    done
}

# begin_within NAME FILE [--set …]: a worker in a group of what `explain` prints; its pid in
# $worker_pid, the bytes in $ceiling.
begin_within() {
    local which=$1 file=$2
    shift 2
    "$build/penstock" explain "$file" ${client[@]+"${client[@]}"} "$@" --json >"$which.json" || fail "penstock explain"
    ceiling=$(number_of "$which.json" memory_ceiling_bytes)
    [ -n "$ceiling" ] || fail "explain --json prints no memory_ceiling_bytes"
    make_group "$ceiling"
    (
        [ -z "$group" ] || echo $BASHPID >"$group/cgroup.procs"
        exec "$build/penstock" run "$file" ${client[@]+"${client[@]}"} "$@" --until-end --summary json
    ) >"$work/$which.out" 2>>"$work/$which.err" </dev/null &
    worker_pid=$!
    pids+=("$worker_pid")
}

# end_within NAME SECONDS: until it has ended well, without ever having taken more.
end_within() {
    local peak=0 now
    while kill -0 "$worker_pid" 2>/dev/null; do
        now=$(sed -nE 's/^VmHWM:[[:space:]]+([0-9]+) kB/\1/p' "/proc/$worker_pid/status" 2>/dev/null || true)
        peak=${now:-$peak}
        sleep 0.05
    done
    expect "$1" "$worker_pid" 0 "$2"
    [ -z "$group" ] || rmdir "$group"
    say "$1: peak $((peak / 1024)) MiB, ceiling $((ceiling / 1048576)) MiB, ${group:+in a group of that much}"
    [ "$peak" -gt 0 ] || fail "the worker was never seen running"
    [ "$scale" -gt 1 ] || [ $((peak * 1024)) -le "$ceiling" ] || broken "$1: more than the ceiling"
    [ "$(summary "$1" rows_out)" -gt 0 ] || fail "$1: nothing came out"
}

within_ceiling() { # within_ceiling NAME FILE [--set …]
    begin_within "$@"
    end_within "$1" 90
}

# write_small NAME SOURCE [OPTION…]: records without decoding, in a worker that is as small as it goes.
write_small() {
    cat >"$1.yaml" <<END
pipeline: $prefix-$1
source: {kafka: {brokers: "$brokers", topics: [$prefix.$1]${2:+, $2}}}
stages:
  - hash: {algorithm: sha256, of: value}
sink: {kafka: {topic: $prefix.$1-out}}
runtime: {lanes: 1, batch_rows: 4096, series_max: 1000}
END
}

# A worker whose transactions are held, again and again, and whose broker goes away for a while in
# which as many records come as there were.
stalled() {
    local n
    n=$(rows 100000 1000000)
    start_proxy
    write_main stalled.yaml
    sed -i -e "s/^pipeline: .*/&-stalled/" -e "s/brokers: .*/brokers: \"$proxied\"/" -e "s/$prefix.out/$prefix.stalled-out/" stalled.yaml
    for _ in 1 2 3; do echo "0 hold 3000" >&7; done
    begin_within stalled stalled.yaml
    fault 60 1 28 late 3000
    echo "node 1 hole $([ "$full" = 1 ] && echo 60000 || echo 4000)" >&7
    produce --topic "$prefix.in" --rows "$n" --seed 3
    end_within stalled 200
}

# Batches that a broker sends whole, however little it is asked for.
whole() {
    admin create "$prefix.whole" 1 max.message.bytes=1048588
    produce --topic "$prefix.whole" --mode tiny --batch-bytes 1048000 --rows "$(rows 1000000 5000000)"
    write_small whole
    within_ceiling whole whole.yaml
    ! grep -q batch_max whole.err || fail "a topic of the brokers' own limit is complained of"
    # Ten times that, which the file says, and of which a small ceiling has no room. All in one partition:
    # also the few rows of a sanitizer's run are more than a megabyte.
    admin create "$prefix.wide" 1 max.message.bytes=10485760
    produce --topic "$prefix.wide" --mode tiny --batch-bytes 10000000 --rows "$(rows 1500000 5000000)"
    write_small wide "batch_max: 10MiB"
    within_ceiling wide wide.yaml --set runtime.memory_max=1GiB
    ! "$build/penstock" run wide.yaml ${client[@]+"${client[@]}"} --set runtime.memory_max=128MiB --until-end >narrow.out 2>narrow.err ||
        fail "batches of 10 MiB were accepted within 128 MiB"
    says narrow 'source.kafka.batch_max'
    # The file does not say it: then the log does, before and when they come, and the worker goes on.
    sed "s/, batch_max: 10MiB//; s/^pipeline: .*/&-untold/" wide.yaml >untold.yaml
    worker untold untold.yaml
    await_words untold 60 'sent a batch of [0-9]+ bytes'
    moving=wide group=$prefix-wide-untold wait_moving 60
    kill_hard "$worker_pid"
    says untold "topic $prefix.wide takes batches of up to 10485760 bytes"
    # A megabyte that becomes seventy, and one of lz4 (58 times), which is copied while it grows.
    packed zstd 70000000 80
    packed lz4 56000000 84
}

# packed CODEC BYTES TIMES: records of 8 KB in batches of so many bytes before they are compressed.
packed() {
    topics "$1-out"
    admin create "$prefix.$1" 1 max.message.bytes=1048588
    produce --topic "$prefix.$1" --mode sparse --codec "$1" --batch-bytes "$2" --rows "$(rows 18000 100000)"
    write_small "$1" "expansion: $3"
    within_ceiling "$1" "$1.yaml"
}

scenario() {
    topics wide-out whole-out
    whole
    topics in out stalled-out tiny tiny-out headers headers-out even even-out large large-out keys keys-out many-out
    produce --topic "$prefix.in" --rows "$(rows 200000 2000000)"
    write_main main.yaml
    within_ceiling main main.yaml
    stalled
    produce --topic "$prefix.tiny" --mode tiny --rows "$(rows 600000 5000000)"
    produce --topic "$prefix.headers" --mode headers --rows "$(rows 60000 500000)"
    for each in tiny headers; do
        write_small $each
        within_ceiling "$each" "$each.yaml"
    done
    # Records of 8 KB that become 900 times smaller: said in the file, it is counted.
    produce --topic "$prefix.even" --mode even --codec zstd --rows "$(rows 40000 400000)"
    write_small even "expansion: 1000, batch_max: 16KiB"
    within_ceiling even even.yaml
    produce --topic "$prefix.large" --mode large --rows "$(rows 200 1000)"
    write_small large
    within_ceiling large large.yaml
    # Ten thousand times more series than the table holds.
    produce --topic "$prefix.keys" --series 1000000000 --rows "$(rows 100000 2000000)"
    write_main keys.yaml
    sed -i -e "s/^pipeline: .*/&-keys/" -e "s/$prefix.in/$prefix.keys/" -e "s/$prefix.out/$prefix.keys-out/" keys.yaml
    within_ceiling keys keys.yaml --set runtime.series_max=10000
    admin create "$prefix.many" "$(rows 200 1000)"
    produce --topic "$prefix.many" --rows "$(rows 100000 1000000)"
    write_main many.yaml
    sed -i -e "s/^pipeline: .*/&-many/" -e "s/$prefix.in/$prefix.many/" -e "s/$prefix.out/$prefix.many-out/" many.yaml
    within_ceiling many many.yaml
    ! "$build/penstock" run main.yaml ${client[@]+"${client[@]}"} --set runtime.memory_max=33MiB --until-end >tight.out 2>tight.err ||
        fail "a ceiling of 33 MiB was accepted"
    says tight 'memory_max'
}
