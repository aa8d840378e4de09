# shellcheck shell=bash disable=SC2034,SC2154
breaks="a worker that was killed takes minutes to come back, reads more state than it said, or goes on with other state"
# A broker of its own: the figures that docs/benchmarks has are taken here, by `scripts/bench --restore`.
own_broker=yes
partitions=8 ewma_warmup=2
most_ms=10000 # with 5 million series, from kill -9 to the first new commit
[ "$full" = 0 ] || broker_options=--speed

# A broker that has just started does not know its groups at once.
committed() { admin committed "$prefix" "$prefix.in" 2>/dev/null || echo 0; }

# wait_rows SECONDS ROWS: until so many are committed.
wait_rows() {
    local deadline=$((SECONDS + $1))
    until [ "$(committed)" -ge "$2" ]; do
        [ $SECONDS -lt "$deadline" ] || fail "the group did not reach row $2 within $1 s: $(last_words "$life")"
        sleep 0.05
    done
}

# sum_of REGEX: of the numbers that the lanes of this life say with it.
sum_of() { sed -nE "s/.* restored .*[ :]([0-9]+) $1.*/\1/p" "$work/$life.err" | awk '{ sum += $1 } END { print sum + 0 }'; }

# begin_life NAME: a worker; end_life kills it.
begin_life() {
    life=$1
    worker "$life" main.yaml
}

# What was restored: every series, out of no more than `explain` printed.
check_restored() {
    local got deadline=$((SECONDS + 60))
    until [ "$(sum_of series)" -ge "$series" ]; do # lanes may come one after the other, and share then
        [ $SECONDS -lt "$deadline" ] || fail "$life restored $(sum_of series) series, not $series"
        sleep 0.05
    done
    got=$(sum_of 'bytes of state')
    [ "$got" -le "$bound" ] || fail "$life read $got bytes of state, explain said $bound at most"
}

measure() { # measure NAME: kill -9 to the first new commit, in ms, and what was read for it
    local before killed_ns
    kill -9 "$worker_pid"
    killed_ns=$(date +%s%N)
    wait "$worker_pid" 2>/dev/null || true
    begin_life "$1"
    before=$(committed)
    wait_rows 120 $((before + 1))
    echo $((($(date +%s%N) - killed_ns) / 1000000)) >>took
    check_restored
    sum_of 'bytes of state' >>bytes
    say "$series series: kill -9 to new output $(tail -n 1 took) ms, $(tail -n 1 bytes) bytes of state read, at most $bound"
}

# more [TIMES]: every series so many times more.
more() {
    produce --topic "$prefix.in" --mode each --series "$series" --bytes 200 --first "$sent" --rows $((series * ${1:-1}))
    sent=$((sent + series * ${1:-1}))
}

# A worker that dies again and again, each time before it has written its table once.
die_young() { # die_young TIMES
    local before time most got
    for time in $(seq "$1"); do
        before=$(committed)
        more
        begin_life "young-$time"
        wait_rows 60 $((before + series / 2))
        check_restored
        kill_hard "$worker_pid"
    done
    # A round of this table: 48 bytes a series, said twice.
    most=$((4 * series * 96))
    # Partitions that moved between the lanes were read twice.
    got=$(($(sum_of 'bytes of state') * series / $(sum_of series)))
    [ "$got" -le "$most" ] ||
        fail "state grows with every death: the last of $1 workers read $got bytes, more than $most"
    say "after $1 early deaths $got bytes of state, $most at most"
}

scenario() {
    local series bound life=first sent=0
    series=$(rows 100000 5000000)
    topics in out
    cat >main.yaml <<END
pipeline: $prefix
source: {kafka: {brokers: "$brokers", topics: [$prefix.in]}}
decode:
  json: {fields: {host: string, cpu: float}}
  series: host
stages:
  - detect: {field: cpu, detectors: [ewma], warmup: $ewma_warmup, threshold: $threshold}
  - filter: {where: "score > 1"}
sink: {kafka: {topic: $prefix.out, commit_interval: 100ms}}
runtime: {series_max: $((series + series / 8)), memory_max: 4GiB}
END
    "$build/penstock" explain main.yaml ${client[@]+"${client[@]}"} --json >explain.json
    bound=$(number_of explain.json restore_bytes_max)
    [ "${bound:-0}" -gt 0 ] || fail "explain --json prints no restore_bytes_max"
    # The table is said three times over before the first kill: old state has been deleted by then.
    more 3
    begin_life first
    wait_rows 400 $((series * 25 / 10))
    if [ "$full" = 1 ]; then
        figures
        return
    fi
    trickle
    measure killed
    kill_hard "$stream_pid"
    kill_hard "$worker_pid"
    die_young 5
    run_to_end last 120 main.yaml
    # shellcheck disable=SC2046
    judge --no-hash $(detector_arguments) --series host --keep-score-above 1
}

# Rows that come while nobody is there.
trickle() {
    stream --topic "$prefix.in" --mode each --series "$series" --bytes 200 --first "$sent" --rows 2000000 --rate 10000
    sleep 1
}

# Three kills of a worker that is up to date and has a trickle to do.
figures() {
    local kill
    for kill in 1 2 3; do
        more
        wait_committed 300
        say "ready to be killed"
        sleep 1
        trickle
        measure "killed-$kill"
        kill_hard "$stream_pid"
    done
    printf '{"series":%s,"partitions":%s,"ms_min":%s,"ms":%s,"ms_max":%s,"bytes_read":%s,"bytes_read_max":%s}\n' \
        "$series" "$partitions" "$(sort -n took | sed -n 1p)" "$(sort -n took | sed -n 2p)" "$(sort -n took | sed -n 3p)" \
        "$(sort -n bytes | sed -n 3p)" "$bound" >figures.json
    [ -z "${PS_FIGURES-}" ] || cp figures.json "$PS_FIGURES"
    local slowest
    slowest=$(number_of figures.json ms_max)
    [ "$slowest" -le $most_ms ] || fail "kill -9 to new output took $slowest ms, more than the $most_ms that a release has"
}
