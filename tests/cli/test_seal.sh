#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `penstock seal` as an auditor meets it: keys, proofs, what verify says of logs that are whole, changed, cut, or not to be told,
# and the server of their files.
# usage: tests/cli/test_seal.sh path/to/penstock path/to/test_seal_write
# shellcheck source=tests/cli/lib.sh
write=$(realpath "$2")
. "$(dirname "$0")/lib.sh"
unset PS_ISA

# run CODE ARGUMENT…: leaves stdout and stderr in `out` and `err`.
run() {
    local wanted=$1
    shift
    "$penstock" seal "$@" >out 2>err </dev/null
    local code=$?
    [ $code -eq "$wanted" ] || fail "penstock seal $*: exit code $code, wanted $wanted; $(head -n 2 err) $(head -n 2 out)"
}
out_has() { grep -qF -- "$1" out || fail "stdout lacks '$1': $(head -n 3 out)"; }
# turn FILE BYTE: one bit of it.
turn() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); a = int(sys.argv[2]); f.seek(a); b = f.read(1)[0]; f.seek(a); f.write(bytes([b ^ 4]))' "$1" "$2"; }

keys() {
    run 0 keygen example.org/a/orders/0 -o k0
    cp out v0
    grep -qE '^example\.org/a/orders/0\+[0-9a-f]{8}\+AQ?[A-Za-z0-9+/]+=*$' out || fail "keygen prints $(cat out)"
    [ "$(stat -c %a k0)" = 600 ] || fail "the secret key is for others, too"
    grep -q '^PRIVATE+KEY+example.org/a/orders/0+' k0 || fail "the key's form"
    cp k0 kept
    run 2 keygen example.org/a/orders/0 -o k0
    err_has "a key is not overwritten"
    cmp -s k0 kept || fail "a key was overwritten"
    run 2 keygen "two words" -o k9
    [ -e k9 ] && fail "a file without a key"
    run 2 keygen name
    err_has "-o FILE"
    run 0 keygen example.org/a/orders/1 -o k1
    cp out v1
    "$write" k0 seal/orders/0 300 || fail "write"
    cp seal/orders/0/checkpoint old
    "$write" k0 seal/orders/0 1000 || fail "write"
    "$write" k1 seal/orders/1 5 || fail "write"
}

# If this fails, what is beyond the room of a reader passes, one file that cannot be read hides what is wrong with another, or a log
# behind a link is passed over.
odd_files() {
    cp -r seal odd
    "$write" k0 odd/orders/0 1010 || fail "write"
    ls odd/orders/0/tile/0/003.p >/dev/null || fail "no partial tiles"
    truncate -s 20M "odd/orders/0/tile/0/003.p/$(ls odd/orders/0/tile/0/003.p | sort -n | head -n 1)"
    run 1 verify odd/orders/0 --key v0
    out_has "is larger than such a file can be"
    rm -rf odd && cp -r seal odd
    ln -s ../../1 odd/orders/0/tile/link
    run 3 verify odd/orders/0 --key v0
    turn odd/orders/0/tile/entries/000 40
    run 1 verify odd/orders/0 --key v0
    out_has "entry 0 was changed"
    rm -rf odd && cp -r seal odd
    truncate -s 2M odd/orders/1/checkpoint
    run 1 verify odd/orders/1 --key v1
    out_has "checkpoint: is larger than a note can be"
    rm -rf odd && mkdir odd && cp -r seal/orders/1 odd/one && ln -s ../seal/orders/0 odd/two
    run 3 verify odd
    rm -rf odd
}

whole() {
    run 0 verify seal
    out_has "seal/orders/0: ok: 1,000 entries of example.org/a/orders/0"
    out_has "seal/orders/1: ok: 5 entries"
    err_has "give the key you know with --key"
    run 0 verify seal --key v0 --key "$(cat v1)"
    grep -q "in its own" err && fail "a warning about keys that were given"
    run 0 verify seal/orders/0 --key v0 --json
    python3 -c 'import json; d = json.load(open("out")); assert d["result"] == "ok" and d["size"] == 1000 and d["signed"] and not d["own_key"], d' ||
        fail "verify --json: $(cat out)"
    run 3 verify seal --key v0
    out_has "seal/orders/1: cannot tell: none of the keys"
    run 1 verify seal/orders/1 --key v0
    out_has "vkey: is another key than the one that was given"
    run 0 show seal/orders/0
    out_has "entries   1,000"
    out_has ": good"
    run 0 show seal/orders/0 --index 999
    out_has "offset    1008"
    run 0 show seal/orders/0 --index 3 --json
    python3 -c 'import json; d = json.load(open("out")); assert d["key"] is None and d["partition"] == 3 and d["offset"] == 3, d' ||
        fail "show --json: $(cat out)"
    run 2 show seal/orders/0 --index 1000
    run 2 show seal/orders/0 --index many
}

proofs() {
    run 0 prove seal/orders/0 --index 700 -o p.tlog-proof
    run 0 verify proof p.tlog-proof --key v0
    out_has "entry 700 of the log of 1,000 entries that example.org/a/orders/0 has signed"
    leaf=$(awk '$1 == "leaf" { print $2 }' out)
    run 0 verify proof p.tlog-proof --key v0 --leaf "$leaf" --json
    python3 -c 'import json; d = json.load(open("out")); assert d["result"] == "ok" and d["index"] == 700, d' || fail "$(cat out)"
    run 1 verify proof p.tlog-proof --key v0 --leaf "${leaf%?}$((1 - 0x${leaf: -1} % 2))"
    err_has "do not lead to the signed root"
    run 2 verify proof p.tlog-proof --key v0 --leaf 12
    run 1 verify proof p.tlog-proof --key v1
    run 2 verify proof p.tlog-proof
    grep -v '^extra' p.tlog-proof >bare
    run 3 verify proof bare --key v0
    err_has "does not carry its entry"
    sed -n 's/^extra //p' p.tlog-proof | base64 -d >entry
    run 0 verify proof bare --key v0 --entry entry
    turn entry 60
    run 1 verify proof bare --key v0 --entry entry
    run 0 verify proof p.tlog-proof --key v0
    for byte in 5 40 200 300 500 700; do # title, entry, index, hashes, checkpoint
        cp p.tlog-proof turned
        turn turned $byte
        run 1 verify proof turned --key v0
    done
    run 3 verify proof nowhere --key v0
    run 0 verify consistency old seal/orders/0
    out_has "the first 300 entries are the beginning of all 1,000"
    run 0 verify consistency old seal/orders/0/checkpoint
    run 0 verify consistency old seal/orders/0/checkpoint seal/orders/0 --key v0 --json
    run 1 verify consistency seal/orders/0/checkpoint old seal/orders/0
    err_has "the log was cut"
    run 1 verify consistency seal/orders/1/checkpoint seal/orders/0
    err_has "not signed by"
}

changed() {
    cp -r seal bad
    turn bad/orders/0/tile/entries/002 $((120 * 9 + 50))
    run 1 verify bad
    out_has "bad/orders/0/tile/entries/002: entry 521 was changed"
    out_has "bad/orders/1: ok"
    run 1 verify bad --json
    python3 -c 'import json
d = {e["log"]: e for e in map(json.loads, open("out"))}
assert d["bad/orders/1"]["result"] == "ok"
assert d["bad/orders/0"]["result"] == "tampered" and d["bad/orders/0"]["faults"][0]["file"] == "tile/entries/002", d' || fail "verify --json: $(cat out)"
    run 1 prove bad/orders/0 --index 521
    [ -s out ] && fail "a proof of a changed entry"
    rm -r bad
    cp -r seal bad
    rm bad/orders/0/tile/0/001
    run 1 verify bad
    out_has "bad/orders/0/tile/0/001: is missing"
    cp old bad/orders/0/checkpoint # an older one is no fault: the rest is beyond it, and whole
    cp seal/orders/0/tile/0/001 bad/orders/0/tile/0/001
    run 0 verify bad/orders/0
    out_has "300 entries"
    rm bad/orders/0/vkey
    run 3 verify bad/orders/0
    out_has "cannot tell"
    run 0 verify bad/orders/0 --key v0
    run 3 verify nowhere
    mkdir empty
    run 3 verify empty
    run 2 verify
    run 2 verfy seal
    err_has "did you mean 'verify'?"
}

# ask METHOD PATH: the answer in `out`, as it comes.
ask() {
    exec 8<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" "$2" >&8
    cat <&8 >out
    exec 8>&-
}
status() {
    ask "$2" "$3"
    head -n 1 out | grep -q "^HTTP/1.1 $1 " || fail "$2 $3: $(head -n 1 out), wanted $1"
}

served() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    echo secret >seal/secret.txt
    ln -s /etc/passwd seal/orders/0/tile/0/777
    "$penstock" seal serve seal --listen "127.0.0.1:$port" 2>err &
    local server=$!
    for _ in $(seq 100); do
        grep -q serving err && break
        sleep 0.1
    done
    status 200 GET /orders/0/checkpoint
    grep -q 'Cache-Control: no-cache' out || fail "a checkpoint may be kept: $(head -n 8 out)"
    tail -c "$(stat -c %s seal/orders/0/checkpoint)" out | cmp -s - seal/orders/0/checkpoint || fail "another checkpoint is served"
    status 200 GET /orders/0/tile/0/003.p/232
    tail -c 7424 out | cmp -s - seal/orders/0/tile/0/003.p/232 || fail "another tile is served"
    status 200 HEAD /orders/0/tile/entries/000
    grep -qi 'content-length: 30720' out || fail "HEAD: $(head -n 8 out)"
    [ "$(stat -c %s out)" -lt 1000 ] || fail "HEAD has a body"
    status 200 GET /orders/1/vkey
    status 405 POST /orders/0/checkpoint
    grep -q 'Allow: GET, HEAD' out || fail "405 without Allow"
    for path in / /secret.txt /orders /orders/0 /orders/0/ /orders/0/tile/0/999 /../k0 /orders/../../k0 /orders/0/../../../k0 \
        /%2e%2e/k0 /orders/0/tile/../../../../k0 //orders/0/checkpoint /orders//0/checkpoint /orders/./0/checkpoint /../seal/orders/0/checkpoint \
        /orders/0/tile/0/777 /orders/0/.checkpoint.new; do
        status 404 GET "$path"
    done
    kill -TERM $server
    wait $server
    local code=$?
    [ $code -eq 0 ] || fail "serve ends with $code"
    rm seal/secret.txt seal/orders/0/tile/0/777
    run 1 serve nowhere
}

keys
odd_files
whole
proofs
changed
served
[ $failures -eq 0 ] && echo "test_seal: all well"
[ $failures -eq 0 ]
