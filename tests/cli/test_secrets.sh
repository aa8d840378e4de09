#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A secret stays secret: not in messages, explain or the summary, not on the command line that everybody can read, not
# in a core file. If this fails, who reads logs or lists processes has the cluster's password.
# usage: tests/cli/test_secrets.sh path/to/penstock
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
secret=hunter2-is-secret

"$penstock" help source 2>/dev/null | grep -q kafka || { echo "no Kafka in this build: no secrets" && exit 0; }

printf '%s\n' $secret >password
cat >job.yaml <<'YAML'
pipeline: job
source: {kafka: {brokers: "localhost:1", topics: [in], properties: {security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.username: me, sasl.password: "file:password"}}}
sink: {kafka: {topic: out, properties: {security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.username: me, sasl.password: "${PASSWORD}"}}}
YAML
export PASSWORD=$secret

# told CODE ARGUMENT…: whatever it says, the secret is not part of it.
told() {
    local wanted=$1 code=0
    shift
    timeout 60 "$penstock" "$@" >out 2>err </dev/null || code=$?
    [ $code -eq "$wanted" ] || fail "penstock $*: exit code $code, wanted $wanted: $(head -n 2 err)"
    ! grep -q "$secret" out err || fail "penstock $*: prints the secret: $(grep -h "$secret" out err | head -n 2)"
}
key=source.kafka.properties.sasl.password
told 0 check job.yaml
told 0 explain job.yaml
told 0 explain job.yaml --json
told 0 explain job.yaml --set "$key=$secret"
told 2 check job.yaml --set "$key=[$secret]"
told 2 check job.yaml --set "$key={a: $secret}"
told 2 check job.yaml --set "$key=\"$secret"
told 2 check job.yaml --set "source.kafka={properties: {sasl.password: $secret}, topics: 5, group: [x]}"
told 2 check job.yaml --set "source.kafka.no.such.sasl.password=$secret"
# A forgotten --set.
told 2 check job.yaml "$key=$secret"
told 2 run job.yaml "$key=$secret"
told 2 dead ls job.yaml "$key=$secret"
told 2 check job.yaml "--$key=$secret"
# What the library is asked to take and refuses.
sed "s/sasl.mechanism: PLAIN/ssl.key.pem: \"${secret}\"/" job.yaml >key.yaml
told 2 run key.yaml --until-end --summary json

# A worker that waits for its broker, the secret on its command line, as a user other than root.
chmod 755 . && chmod 644 password && cp "$penstock" ./penstock
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
mkdir -m 777 run
XDG_RUNTIME_DIR=$work/run "${as_user[@]}" ./penstock run job.yaml --set "$key=$secret" >out 2>err </dev/null &
worker=$!
seen() { tr '\0' ' ' <"/proc/$worker/cmdline"; }
# The kernel writes no core file of a process that is not dumpable, and gives its files in /proc to root.
protected() { [ "$(stat -c %u "/proc/$worker/maps")" = 0 ]; }
for _ in $(seq 200); do
    if seen | grep -q "$key=xxx" && protected; then break; fi
    sleep 0.1
done
seen | grep -q "$key=xxx" || fail "the command line is not what it should be: $(seen)"
! seen | grep -q "$secret" || fail "the command line has the secret: $(seen)"
# LeakSanitizer needs to read its own process.
readelf -sW "$penstock" | grep -q __asan_init || protected || fail "a core file of a worker would hold the secret"
kill "$worker"
wait "$worker" 2>/dev/null
! grep -q "$secret" out err || fail "a worker printed the secret"
# Records are for those whom the owner lets read them, whatever the umask: parts for everybody, the rest for the owner.
cat >files.yaml <<'YAML'
pipeline: files
source: {file: {paths: [in.json]}}
decode: {json: {fields: {host: string, cpu: float}}, series: host, on_error: reject}
stages: [{detect: {field: cpu, detectors: [ewma]}}]
sink: {file: {path: made}}
dead_letter: {file: dead.json}
YAML
printf '{"host":"a","cpu":1}\n{}\n' >in.json
mkdir slots
(umask 0 && XDG_RUNTIME_DIR=$work/slots "$penstock" run files.yaml --set runtime.lanes=1 >out 2>err) ||
    fail "a job of files does not run: $(cat err)"
for file in made/* made/.[a-z]* dead.json slots/penstock/*; do
    wanted=600
    [[ $file != made/part-* ]] || wanted=644
    [ "$(stat -c %a "$file")" = $wanted ] || fail "$file is $(stat -c %a "$file"), not $wanted"
done
[ "$(find made -name '.[ms]*' | wc -l)" -ge 2 ] || fail "neither manifest nor state was written: $(ls -A made)"

[ $failures -eq 0 ] && echo "no secret was seen"
exit $((failures > 0))
