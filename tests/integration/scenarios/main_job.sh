# shellcheck shell=bash disable=SC2034,SC2154
breaks="the main job loses, repeats, reorders or wrongly enriches events although nothing went wrong"

scenario() {
    local n
    n=$(rows 200000 2000000)
    topics in out
    "$build/penstock" gen --rows "$n" --series 1000 --seed 7 --to "$brokers/$prefix.in" >gen.out 2>gen.err ||
        fail "penstock gen: $(tail -n 1 gen.err)"
    # A rate beyond what can be had costs no sleep per row: that kept gen below 30,000 rows a second.
    topics paced
    python3 - "$build/penstock" gen --rows 200000 --to "$brokers/$prefix.paced" <<'PY' || fail "gen --rate sleeps on rows that are late"
import subprocess, sys, time
def seconds(*more):
    begin = time.monotonic()
    subprocess.run([*sys.argv[1:], *more], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin
free, paced = seconds(), seconds("--rate", "100000000")
print(f"200,000 rows in {free:.2f} s, {paced:.2f} s where a rate asks for more")
sys.exit(paced > 3 * free + 2)
PY
    [ "$(admin end "$prefix.in")" -eq "$n" ] || fail "penstock gen wrote another number of records"
    write_main main.yaml
    run_to_end worker 120 main.yaml
    [ "${PS_CLIENT:-auto}" = auto ] || says worker "Kafka client $PS_CLIENT:"
    # shellcheck disable=SC2046
    judge $(detector_arguments) --series host
    accounts worker
    [ "$(summary worker rows_in)" -eq "$n" ] || fail "the summary counts other rows than there are"
    [ "$(summary worker anomalies)" -eq "$(number_of verdict.json anomalies)" ] ||
        fail "the summary counts other anomalies than the checker"
    say "$(summary worker rows_per_second) rows/s"
    # A second run has nothing to do and must know it.
    run_to_end again 20 main.yaml
    [ "$(summary again rows_in)" -eq 0 ] || broken "a second run read what was done"
}
