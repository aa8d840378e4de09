#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What scripts/test does not forgive when the same test passes a second time. If this fails, CI passes with a record lost
# in every second run, or fails because a broker was slow once.
# usage: tests/cli/test_promises.sh
# shellcheck disable=SC2016,SC2031
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# as_scenario COMMAND…: what a scenario that does this prints, into the log.
as_scenario() {
    local code=0
    (
        set -euo pipefail
        export here=$root/tests/integration build=$work base=$work name=test brokers=none
        # shellcheck source=tests/integration/lib.sh
        . "$here/lib.sh"
        work=$PWD prefix=p
        "$@"
    ) >log 2>&1 || code=$?
    [ "$code" -ne 0 ] || echo "FAIL: $* passed" >>verdicts
}
promise_broken() { bash -o pipefail -c '. "$1/scripts/lib.sh"; broken_promises "$2"' x "$root" "$work/log" >found; }
found() {
    as_scenario "$@"
    promise_broken || echo "FAIL: '$*' would be forgiven: $(cat log)" >>verdicts
}
forgiven() {
    as_scenario "$@"
    ! promise_broken || echo "FAIL: '$*' is not forgiven: $(cat found)" >>verdicts
}

# checker STATUS: a tool that ends so; the scenario's own code turns that into words.
checker() { printf '#!/bin/sh\nexit %s\n' "$1" >accept_checker && chmod +x accept_checker; }
ends_by() {
    bash -c "kill -$1 \$\$" &
    expect worker $! 0 5
}
ends_with() {
    bash -c "exit $1" &
    expect worker $! 0 5
}
stays() { # stays HOW: one that is waited for in this way does not end
    sleep 5 &
    pid=$!
    trap 'kill $pid' EXIT
    "$1" worker "$pid" 0 0
}

: >verdicts
checker 1
found judge
checker 2
forgiven judge
found ends_by SEGV
found ends_by KILL
found ends_by ABRT
forgiven ends_with 1
found stays leaves
forgiven stays expect
found broken "more than the ceiling"
forgiven fail "the test broker did not start"

# As a run of chaos says it, and as the scenario shows it: behind four blanks.
chaos() { # chaos FAILURE: the end of a report with this expression of Python in it
    PYTHONPATH=$root/tests/chaos python3 -c '
import sys, report, world
result = {"seed": 1, "minutes": 1, "client": "auto", "planned": {}, "faults": {}, "clean": False}
report.judge_verdict(result, {"lost": 1, "clean": False} if sys.argv[1] == "verdict" else {})
if sys.argv[1] != "verdict":
    report.note(result, getattr(world, sys.argv[1])("a sentence"))
print(report.text(result))' "$1" >told.txt
    cat >penstock <<'END'
#!/bin/sh
cat "$(dirname "$0")/told.txt"
exit 1
END
    chmod +x penstock
    seed=5
    # shellcheck source=/dev/null
    . "$root/tests/integration/scenarios/chaos.sh"
    scenario
}
found chaos verdict
found chaos Broken
forgiven chaos Failure
grep -q 'a sentence' log || echo "FAIL: the report is not shown: $(cat log)" >>verdicts

# As ctest tells of a program of tests that crashed, and of one that failed or took too long.
ctest_says() { printf ' 1/2 Test  #78: checker ..........................***%s   0.01 sec\n' "$1" >log; }
crashed() { bash -o pipefail -c '. "$1/scripts/lib.sh"; crashed_tests "$2"' x "$root" "$work/log" >found; }
ctest_says 'Exception: SegFault'
crashed || echo "FAIL: a test that crashed would be forgiven" >>verdicts
for word in Failed Timeout; do
    ctest_says $word
    ! crashed || echo "FAIL: a test is taken for one that crashed: $(cat found)" >>verdicts
done

# What the end of a run repeats: every test that failed, if only at first, and what it said, or if nothing, its last lines.
why() { bash -o pipefail -c '. "$1/scripts/lib.sh"; failed_why "$2"' x "$root" "$work/log" >told.txt; }
why_has() { grep -qF -- "$1" told.txt || echo "FAIL: the end of a run lacks '$1': $(cat told.txt)" >>verdicts; }
why_lacks() { ! grep -qF -- "$1" told.txt || echo "FAIL: the end of a run has '$1': $(cat told.txt)" >>verdicts; }
cat >log <<'END'
      Start 111: one
 1/4 Test #111: one .....***Failed   43.56 sec
one: seed 13049 (PS_SEED repeats it)
one: BROKEN PROMISE: it still runs
one: what this means to a user: rows

      Start 111: one
 2/4 Test #119: two ...................   Passed   47.97 sec
      Test #111: one .....   Passed   31.50 sec
 3/4 Test  #7: three ...........***Failed    0.01 sec
[ RUN      ] kept
[  ERROR   ] --- 0x1 != 0x2
[   LINE   ] --- tests/test_three.c:12: error: Failure!
      Start 112: four
 4/4 Test #112: four ............***Timeout  60.01 sec
the first
the second
the third
the last
      Start 113: five

100% tests passed, 0 tests failed out of 4
END
why
for each in '#111: one' 'BROKEN PROMISE: it still runs' '#7: three' '0x1 != 0x2' 'test_three.c:12' '#112: four' 'the last'; do
    why_has "$each"
done
for each in seed two 'RUN ' 'the first' five passed; do why_lacks "$each"; done

# The rule is asked, and a second try meets the same world.
grep -q 'crashed_tests "\$log"' "$root/scripts/test" || echo "FAIL: scripts/test does not ask who crashed" >>verdicts
grep -q 'broken_promises "\$log"' "$root/scripts/test" || echo "FAIL: scripts/test does not ask" >>verdicts
[ "$(grep -c 'remember_why "\$preset"' "$root/scripts/test")" -eq 2 ] || echo "FAIL: scripts/test does not say why" >>verdicts
grep -q '^export PS_SEED=' "$root/scripts/test" || echo "FAIL: scripts/test repeats with another seed" >>verdicts
failures=$(wc -l <verdicts)
cat verdicts >&2
[ "$failures" -eq 0 ] || exit 1
echo "promises: ok"
