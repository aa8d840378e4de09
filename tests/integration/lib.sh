# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034
# What every scenario uses. Sourced by run, which sets here, build, base and name.

root=$(cd "$here/../.." && pwd)
scale=${PS_SCALE:-1} full=${PS_FULL:-0}
# What the detector of the pipelines here is told or has by default: the checker needs it too.
ewma_span=288 ewma_warmup=30 threshold=6
pids=()
breaks='' work='' passed=no
# What a worker, and `explain`, are told of the Kafka client to use: before a scenario's own words, which win.
client=()
[ -z "${PS_CLIENT-}" ] || client=(--set "runtime.client=$PS_CLIENT")

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die_usage() {
    printf 'run: %s\n' "$*" >&2
    exit 2
}
fail() {
    say "FAILED: $*"
    exit 1
}
# A failure that no second try undoes: what was lost, doubled or killed once was. scripts/test looks for these words.
broken() {
    say "BROKEN PROMISE: $*"
    exit 1
}

# Sizes: rows CI-SIZE [FULL-SIZE].
rows() {
    if [ "$full" = 1 ]; then echo "${2:-$1}"; else echo $(($1 / scale)); fi
}

# ---------------------------------------------------------------- brokers

kafka() { "$root/scripts/kafka" "$@" --dir "$kafka_dir"; }

# start_broker FOLDER [OPTION…]: sets brokers and the rest of `scripts/kafka env`.
start_broker() {
    kafka_dir=$1
    shift
    kafka start --fresh --base-port auto "$@" >&2 || fail "the test broker did not start"
    load_broker "$kafka_dir"
}

load_broker() {
    kafka_dir=$1
    eval "$(kafka env)"
    brokers=$PS_KAFKA_BROKERS
}

shared_start() {
    mkdir -p "$base"
    start_broker "$base/${PS_BROKER:-kafka}"
    # The first transaction of a broker's life waits a second for its coordinator: not in a scenario.
    admin create warm-up 1
    "$build/accept_producer" --brokers "$brokers" --topic warm-up --rows 10 --transaction-rows 10 2>/dev/null
}

shared_stop() {
    kafka_dir=$base/${PS_BROKER:-kafka}
    [ ! -d "$kafka_dir" ] || kafka stop --remove >&2
}

# ---------------------------------------------------------------- topics and tools

admin() { "$build/accept_admin" "$brokers" "$@"; }
produce() { "$build/accept_producer" --brokers "$brokers" "$@" 2>>"$work/producer.log" ||
    fail "the test's own producer failed: $(tail -n 1 "$work/producer.log")"; }

# stream ARGUMENT…: the producer in the background, to be ended by its pid, $stream_pid.
stream() {
    "$build/accept_producer" --brokers "$brokers" "$@" 2>>"$work/producer.log" &
    stream_pid=$!
    pids+=("$stream_pid")
}

# topics SUFFIX… : creates them with 4 partitions under this run's own prefix.
topics() {
    local each
    for each; do admin create "$prefix.$each" "${partitions:-4}"; done
}

# judge ARGUMENT…: the checker on this run's topics `in` and `out`; fails the scenario on a fault.
judge() {
    local verdict=0
    "$build/accept_checker" --brokers "$brokers" --source "$prefix.in" --output "$prefix.${judged:-out}" "$@" \
        >"$work/verdict.json" 2>"$work/verdict.txt" || verdict=$?
    if [ "$verdict" -ne 0 ]; then
        sed 's/^/    /' "$work/verdict.txt" >&2
        grep -o '"examples":.*' "$work/verdict.json" | tr ',' '\n' | sed 's/^/    /' >&2 || true
        [ "$verdict" -ne 1 ] || broken "the checker found faults, see $work/verdict.json"
        fail "the checker could not tell, see $work/verdict.txt"
    fi
    say "checker: $(number_of "$work/verdict.json" source) in, $(number_of "$work/verdict.json" output) out," \
        "$(number_of "$work/verdict.json" dead) dead, $(number_of "$work/verdict.json" filtered) filtered: clean"
}

detector_arguments() { echo --field cpu --span "$ewma_span" --warmup "$ewma_warmup" --threshold "$threshold"; }

# number_of FILE NAME: a number out of a line of flat JSON.
number_of() { sed -nE "s/.*\"$2\": ?(-?[0-9.e+]+).*/\1/p" "$1" | tail -n 1; }

# ---------------------------------------------------------------- pipelines

# write_main FILE: the main job of the acceptance, kafka → json → sha256 → ewma → kafka.
write_main() {
    cat >"$1" <<END
pipeline: $prefix
source:
  kafka:
    brokers: "$brokers"
    topics: [$prefix.in]
    properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}
decode:
  json: {fields: {host: {type: string, required: true}, cpu: float, n: int, ok: bool, ts: timestamp, dc: string}}
  series: host
stages:
  - hash: {algorithm: sha256, of: value}
  - detect: {field: cpu, detectors: [ewma], threshold: $threshold}
sink:
  kafka: {topic: $prefix.out, commit_interval: 100ms}
END
}

# widen FILE COUNT: so many statistics more, each some 56 bytes of state a series.
widen() {
    local i
    for i in $(seq "$2"); do
        printf '  - statistics: {field: cpu, outputs: [mean], as: s%s}\n' "$i"
    done >"$work/statistics"
    sed -i "/detect:/r $work/statistics" "$1"
}

# ---------------------------------------------------------------- the proxy between worker and broker

# start_proxy: in front of the broker; $proxied is its address, orders go to file descriptor 7.
start_proxy() {
    local behind=${PS_KAFKA_FAULT##*:} deadline=$((SECONDS + 5))
    proxied=127.0.0.1:$((behind + 10000))
    rm -f "$work/orders"
    mkfifo "$work/orders"
    exec 7<>"$work/orders"
    "$build/accept_proxy" "${proxied#*:}" "$behind" <"$work/orders" >"$work/proxy.out" 2>&1 7>&- &
    proxy_pid=$!
    pids+=("$proxy_pid")
    until grep -q ready "$work/proxy.out" 2>/dev/null; do
        [ $SECONDS -lt "$deadline" ] || fail "the proxy did not start: $(cat "$work/proxy.out")"
        sleep 0.05
    done
}

# fault SECONDS TIMES API WHEN [MS]: gives the proxy an order and waits until it is obeyed so often.
fault() {
    local deadline=$((SECONDS + $1)) times=$2 before i
    shift 2
    before=$(grep -cx "$1 $2" "$work/proxy.out" || true)
    for i in $(seq "$times"); do echo "$*" >&7; done
    until [ "$(grep -cx "$1 $2" "$work/proxy.out" || true)" -ge $((before + times)) ]; do
        [ $SECONDS -lt "$deadline" ] || fail "no request $1 came by to be broken ($2)"
        sleep 0.05
    done
}

# ---------------------------------------------------------------- workers

# worker NAME ARGUMENT…: `penstock run` in the background; its pid in $worker_pid.
worker() {
    local which=$1
    shift
    "$build/penstock" run ${client[@]+"${client[@]}"} "$@" >"$work/$which.out" 2>>"$work/$which.err" </dev/null &
    worker_pid=$!
    pids+=("$worker_pid")
}

# expect NAME PID STATUS SECONDS: waits for a worker, fails on another exit status.
expect() {
    local which=$1 pid=$2 status=$3 deadline=$((SECONDS + $4)) got=0
    while kill -0 "$pid" 2>/dev/null; do
        [ $SECONDS -lt "$deadline" ] || "${late:-fail}" "worker $which still runs after $4 s: $(last_words "$which")"
        sleep 0.05
    done
    wait "$pid" || got=$?
    [ "$got" -eq "$status" ] || [ "$got" -lt 128 ] ||
        broken "worker $which was ended by signal $((got - 128)): $(last_words "$which")"
    [ "$got" -eq "$status" ] || fail "worker $which ended with $got instead of $status: $(last_words "$which")"
}

# leaves NAME PID STATUS SECONDS: expect for one that was asked to; one that does not is stuck, not slow.
leaves() { late=broken expect "$@"; }

last_words() { tail -n 3 "$work/$1.err" 2>/dev/null | tr '\n' '|'; }

# run_to_end NAME SECONDS ARGUMENT…
run_to_end() {
    local which=$1 seconds=$2
    shift 2
    worker "$which" "$@" --until-end --summary json
    expect "$which" "$worker_pid" 0 "$seconds"
}

# says NAME REGEX: the worker's messages must match.
says() {
    grep -qiE -- "$2" "$work/$1.err" || fail "no message of worker $1 matches '$2': $(last_words "$1")"
}

# await_words NAME SECONDS REGEX: until the worker says it.
await_words() {
    local deadline=$((SECONDS + $2))
    until grep -qiEs -- "$3" "$work/$1.err"; do
        [ $SECONDS -lt "$deadline" ] || fail "worker $1 does not say '$3' within $2 s: $(last_words "$1")"
        sleep 0.1
    done
}

summary() { tail -n 1 "$work/$1.out" >"$work/$1.summary" && number_of "$work/$1.summary" "$2"; }

# accounts NAME: in = out + filtered + rejected, as the worker itself counts.
accounts() {
    local in out filtered rejected
    in=$(summary "$1" rows_in) out=$(summary "$1" rows_out)
    filtered=$(summary "$1" rows_filtered) rejected=$(summary "$1" rows_rejected)
    [ "${in:--1}" -eq $((out + filtered + rejected)) ] ||
        fail "worker $1 does not add up: in '$in', out '$out', filtered '$filtered', rejected '$rejected'"
}

# wait_committed SECONDS: until the group's committed offsets reach the source's end.
wait_committed() {
    local deadline=$((SECONDS + $1)) end
    end=$(admin end "$prefix.in")
    until [ "$(admin committed "${group:-$prefix}" "$prefix.in")" -ge "$end" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "the group did not reach the end within $1 s"
        sleep 0.2
    done
}

# wait_moving SECONDS: until the group has committed something of its topic.
wait_moving() {
    local deadline=$((SECONDS + $1))
    until [ "$(admin committed "${group:-$prefix}" "$prefix.${moving:-in}")" -gt 0 ]; do
        [ $SECONDS -lt "$deadline" ] || fail "the group committed nothing within $1 s"
        sleep 0.2
    done
}

# sleeps NAME PID: for 3 s, in which nothing comes in, a worker takes half a second of a processor at most.
sleeps() {
    local before used
    before=$(processor_ticks "$2")
    sleep 3
    used=$(((1000 / $(getconf CLK_TCK)) * ($(processor_ticks "$2") - before)))
    say "$1: $used ms of a processor in 3 s of nothing"
    [ "$used" -le 500 ] || fail "$1 has nothing to do and took $used ms of a processor in 3 s"
}
processor_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

kill_hard() {
    kill -9 "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# nap MILLISECONDS-MIN MILLISECONDS-MAX: a random while.
nap() { sleep "$(awk -v a="$1" -v b="$2" -v r="$RANDOM" 'BEGIN { printf "%.3f", (a + (b - a) * r / 32767) / 1000 }')"; }

# ---------------------------------------------------------------- the scenario itself

finish() {
    local status=$? pid
    trap - EXIT
    for pid in ${pids[@]+"${pids[@]}"}; do kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ -n "${own_broker-}" ]; then
        kafka_dir=$own_broker
        kafka stop --remove >/dev/null 2>&1 || true
    fi
    if [ "$passed" = yes ] && [ "$status" -eq 0 ]; then
        [ "${PS_KEEP:-0}" = 1 ] || rm -rf "$work"
        say "passed in $((SECONDS - started)) s"
    else
        say "what this means to a user: $breaks"
        say "kept: $work"
        [ "$status" -ne 0 ] || status=1
    fi
    exit "$status"
}

run_scenario() {
    [ -x "$build/penstock" ] || die_usage "there is no $build/penstock"
    started=$SECONDS
    mkdir -p "$base"
    work=$(mktemp -d "$base/$name.XXXXXX")
    # Topics and the group are named after the folder, so that scenarios never meet.
    prefix=$(basename "$work" | tr '[:upper:]' '[:lower:]')-$$
    seed=${PS_SEED:-$(($(date +%s) % 30000 + $$ % 1000))}
    RANDOM=$seed
    trap finish EXIT
    trap 'exit 130' INT TERM
    # shellcheck source=/dev/null
    . "$1"
    say "seed $seed (PS_SEED repeats it)"
    cd "$work" || exit
    if [ "${own_broker-}" = yes ]; then
        own_broker=$work/kafka
        # shellcheck disable=SC2086  # several options
        start_broker "$own_broker" ${broker_options-}
    elif [ "${no_broker-}" != yes ]; then
        load_broker "$base/${PS_BROKER:-kafka}"
    fi
    scenario
    passed=yes
}
