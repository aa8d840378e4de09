#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the program refuses before it does harm: state of another policy, a group moved away from the records
# that rebuild its state, and by `check` all that a run refuses without having asked anybody.
# usage: tests/cli/test_refusals.sh path/to/penstock
set -u
penstock=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

# run CODE ARGUMENT…: leaves stderr in `err`.
run() {
    local wanted=$1
    shift
    timeout 60 "$penstock" "$@" >/dev/null 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "penstock $*: exit code $code, wanted $wanted; $(head -n 2 err)"
}
err_has() { grep -qF -- "$1" err || fail "stderr lacks '$1': $(head -n 3 err)"; }

# Heavy state stands at rows before the committed offset: moved without them it would be rebuilt from others.
moves_with_its_state() {
    cat >heavy.yaml <<'YAML'
pipeline: heavy
source: {kafka: {brokers: "127.0.0.1:1", topics: [in]}}
decode: {json: {fields: {cpu: float}}}
stages:
  - detect: {field: cpu, detectors: [ewma]}
sink: {kafka: {topic: out}}
runtime: {state: replay}
YAML
    for to in earliest latest 0=5; do
        run 2 reset heavy.yaml --to $to
        err_has "policy replay"
        err_has "add --state"
    done
    # Where nothing forbids it, the broker is asked, and it takes a while to find that there is none.
    for allowed in "--to latest --state" "--state" "--to latest --set runtime.state=delta"; do
        # shellcheck disable=SC2086
        timeout 1 "$penstock" reset heavy.yaml $allowed >/dev/null 2>err </dev/null
        [ $? -eq 124 ] || fail "reset $allowed does not ask the broker: $(head -n 2 err)"
    done
}

# A folder whose state is of the other policy is told so, with what goes on and what begins anew, and stays as it is.
keeps_its_policy() {
    local first other
    printf '{"host":"h%d","cpu":1}\n' 1 2 3 4 >in.ndjson
    cat >files.yaml <<'YAML'
pipeline: files
source: {file: {paths: [in.ndjson]}}
decode: {json: {fields: {host: string, cpu: float}}, series: host}
stages:
  - detect: {field: cpu, detectors: [ewma]}
sink: {file: {path: kept}}
runtime: {lanes: 1}
YAML
    for first in delta replay; do
        other=replay
        [ $first = delta ] || other=delta
        rm -rf kept
        run 0 run files.yaml --set runtime.state=$first
        find kept -type f ! -name .lock -exec sha256sum {} + | sort >before
        run 2 run files.yaml --set runtime.state=$other
        err_has "the state in kept is kept by policy $first"
        err_has "go on with it by \`runtime: {state: $first}\`, delete the folder to start again, or name another sink.file.path"
        find kept -type f ! -name .lock -exec sha256sum {} + | sort >after
        cmp -s before after || fail "a refused run changed the folder: $(diff before after)"
        printf '{"host":"h%d","cpu":2}\n' 1 2 >>in.ndjson
        run 0 run files.yaml --set runtime.state=$first
        err_has " 2 rows in"
    done
}

# A file that check calls fine must not fail at every start.
is_checked() {
    printf '%s\n' 'pipeline: bare' 'source: {file: {paths: [in.ndjson]}}' 'decode: {json: {}}' \
        'sink: {file: {path: lines, form: json}}' >bare.yaml
    for command in check run; do
        run 2 $command bare.yaml
        err_has "bare.yaml:4:34: form json needs JSON objects"
    done
    sed -i 's/, form: json//' bare.yaml # it is so by itself
    run 2 check bare.yaml
    err_has "form json needs JSON objects"
    [ ! -e lines ] || fail "a refused run made a folder"
    run 0 check bare.yaml --set sink.file.form=value
    run 0 check bare.yaml --set decode.json.fields.cpu=float
    cat >shares.yaml <<'YAML'
pipeline: shares
source: {synthetic: {rows: 500, series: 100, partitions: 64}}
decode: {json: {fields: {host: string, cpu: float}}, series: host}
stages:
  - detect: {field: cpu, detectors: [ewma]}
sink: {discard: {}}
runtime: {series_max: 63}
YAML
    for command in check run; do
        run 2 $command shares.yaml
        err_has "shares.yaml:7:23: the source has 64 partitions, and runtime.series_max is 63"
    done
    for command in check run; do
        run 0 $command shares.yaml --set runtime.series_max=64
        run 0 $command shares.yaml --set source.synthetic.series=63 # as many partitions at most
    done
    # Without series nobody needs a share.
    sed '/^stages:/,/detect/d' shares.yaml >free.yaml
    run 0 check free.yaml
    run 0 run free.yaml
}

"$penstock" help kafka >/dev/null 2>&1 && moves_with_its_state
keeps_its_policy
is_checked
[ $failures -eq 0 ] || exit 1
echo "all refusals as documented"
