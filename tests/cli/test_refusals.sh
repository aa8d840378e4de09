#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the program refuses before it does harm: state of another policy, a group moved away from the records
# that rebuild its state, and by `check` all that a run refuses without having asked anybody.
# usage: tests/cli/test_refusals.sh path/to/penstock
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# run CODE ARGUMENT…: leaves stderr in `err`.
run() {
    local wanted=$1
    shift
    timeout 60 "$penstock" "$@" >/dev/null 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "penstock $*: exit code $code, wanted $wanted; $(head -n 2 err)"
}

# Who waits for a broker says so long before it gives up.
dead_waits_aloud() {
    cat >dead.yaml <<'YAML'
pipeline: dead
source: {kafka: {brokers: "127.0.0.1:1", topics: [in]}}
sink: {kafka: {topic: out}}
dead_letter: {topic: dead}
YAML
    for words in "ls dead.yaml" "replay dead.yaml --dry-run"; do
        # shellcheck disable=SC2086
        timeout 3 "$penstock" dead $words >/dev/null 2>err </dev/null
        [ $? -eq 124 ] || fail "dead $words does not wait for the broker: $(head -n 2 err)"
        err_has "no broker answers at 127.0.0.1:1, still trying"
    done
}

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

# Every fault at once: who mends one must not meet the next by running check again. Nor is anything blamed for what is
# missing because of another fault.
tells_all_at_once() {
    cat >many.yaml <<'YAML'
pipeline: many
source: {synthetic: {rows: 500}}
decode: {json: {fields: {host: string, cpu: float, ts: timestamp, bad: flot}}, series: hots}
stages:
  - hash: {algorithm: sha256, of: hst}
  - detect: {field: cpuu, detectors: [ewma], time: tss}
  - filter: {where: "score >> 3"}
  - filter: {where: "scor > 3 and hosst = 'a' and sha256 = 'a' and bad > 1"}
  - hash: {algorithm: sha257, of: cpi}
  - filter: {where: "nosuch = 1 and blake3 = 'x'"}
  - filter: {where: "cpu >", wher: 2}
sink: {file: {path: x, form: json}}
runtime: {batch_rows: 99999999999, lanes: x}
YAML
    run 2 check many.yaml
    for wanted in "3:72: field 'bad': 'flot' is not one of" "3:88: decode.series: field 'hots'" "5:35: hash: there is no field 'hst'" \
        "6:21: detect: there is no field 'cpuu'" "6:52: detect: there is no field 'tss'" "7:21: filter: where:8: a name" \
        "8:21: filter: where:1: there is no field 'scor'" "8:21: filter: where:14: there is no field 'hosst'" \
        "9:23: algorithm: 'sha257'" "9:35: hash: there is no field 'cpi'" "11:21: filter: where:6: the expression ends" \
        "11:30: unknown key 'wher'" "13:23: batch_rows: '99999999999'" "13:43: lanes: 'x'"; do
        err_has "many.yaml:$wanted"
    done
    [ "$(grep -c '^many.yaml:' err)" -eq 14 ] || fail "faults that are none: $(cat err)"
    # What was not understood may have made every name that follows.
    cat >lost.yaml <<'YAML'
pipeline: lost
source: {synthetic: {rows: 500}}
decode: {jsn: {fields: {host: string, cpu: float}}, series: host}
stages:
  - detct: {field: cpu}
  - statistics: {field: cpu}
  - filter: {where: "cpu_mean > 3 and score > 2 and"}
sink: {file: {path: x, form: json}}
YAML
    run 2 check lost.yaml
    err_has "lost.yaml:5:5: unknown stage 'detct'"
    err_has "lost.yaml:7:21: filter: where:31: the expression ends"
    [ "$(grep -c '^lost.yaml:[^3]' err)" -eq 2 ] || fail "blamed for another's fault: $(cat err)"
    # Outputs that would have another name.
    sed -i 's/jsn/json/; /detct/d; s/field: cpu}/field: cpuu}/; s/ and score.*"/"/' lost.yaml
    run 2 check lost.yaml
    err_has "lost.yaml:5:25: statistics: there is no field 'cpuu'"
    [ "$(grep -c '^lost.yaml:' err)" -eq 1 ] || fail "blamed for another's fault: $(cat err)"
}

# Certificates that are not there are told with their place, before anything starts.
misses_certificates() {
    cat >tls.yaml <<'YAML'
pipeline: tls
source: {kafka: {brokers: "localhost:1", topics: [in], properties: {security.protocol: ssl, ssl.ca.location: /nonexistent}}}
sink: {discard: {}}
YAML
    for command in check run; do
        run 2 $command tls.yaml
        err_has "tls.yaml:2:110: ssl.ca.location: cannot read '/nonexistent': No such file or directory"
    done
    run 0 check tls.yaml --set source.kafka.properties.ssl.ca.location=probe
}

# What a pipeline file can say of a secured cluster, gen can be told too; the client judges it.
feeds_secured_clusters() {
    run 2 gen --to localhost:1/in --property security.protocol=sassl
    err_has "security.protocol"
    run 2 gen --to localhost:1/in --property security.protocol=ssl --property ssl.ca.location=/nonexistent
    err_has "ssl.ca.location"
    run 2 gen --to localhost:1/in --property security.protocol
    err_has "--property: wants NAME=VALUE"
    run 2 gen --to localhost:1/in --property sasl.password=file:/nonexistent
    err_has "sasl.password: cannot read the file '/nonexistent'"
    run 2 gen --rows 1 --property security.protocol=ssl
    err_has "--property is for the Kafka client"
    # Accepted, it goes on to ask for a broker.
    timeout 1 "$penstock" gen --to localhost:1/in --property security.protocol=ssl --property client.id=me >/dev/null 2>err </dev/null
    [ $? -eq 124 ] || fail "gen --property is refused: $(cat err)"
}

"$penstock" help kafka >/dev/null 2>&1 && moves_with_its_state
"$penstock" help kafka >/dev/null 2>&1 && dead_waits_aloud
"$penstock" help kafka >/dev/null 2>&1 && misses_certificates && feeds_secured_clusters
keeps_its_policy
is_checked
tells_all_at_once
[ $failures -eq 0 ] || exit 1
echo "all refusals as documented"
