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

# If this fails, who mistypes waits for brokers, or is told what is wrong in words that do not say where.
mistaken() {
    run 2 verify topic orders --dir seal --brokers localhost:1 --from -3
    err_has "--from: '-3' is no number from 0"
    run 2 verify record orders --dir seal --brokers localhost:1 --partition 0 --offset x
    err_has "--offset: 'x' is no number from 0"
    run 1 show seal
    err_has "seal: is no log, but has 2 below it: say seal/orders/0, for one"
    run 1 prove seal --index 3
    err_has "say seal/orders/0"
    mkdir nolog
    run 1 show nolog
    err_has "nolog: has no log in it, nor below"
    run 1 show v0
    err_has "v0: is neither a checkpoint nor a proof"
    run 2 verify seal/orders/0/checkpoint
    err_has "seal/orders/0/checkpoint: is a file"
    run 2 verify topic
    err_has "verify topic wants TOPIC"
    # If these fail, somebody believes that a signature was checked.
    run 2 serve seal --key v0
    err_has "serve does not look at --key"
    run 2 verify consistency seal/orders/0/checkpoint seal/orders/0/checkpoint --policy v0
    err_has "verify consistency does not look at --policy: leave it out; see penstock seal verify consistency --help"
    # Help of one verb has its options and no other's.
    run 0 verify topic --help
    out_has "usage: penstock seal verify topic TOPIC"
    out_has "--from"
    grep -q -- --listen out && fail "verify topic --help speaks of the options of serve"
    run 0 serve --help
    out_has "--listen"
    run 0 --help
    out_has "seal keygen NAME"
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

# each_bit FILE NAMED ARGUMENT…: one bit of FILE after the other is turned and `penstock seal ARGUMENT…` run; it must end with exit
# code 1 and name NAMED. Every 29th bit, which every bit of a byte comes to be, or all where PS_EVERY_BIT is set.
each_bit() {
    python3 - "$penstock" "${PS_EVERY_BIT:+1}" "$@" <<'END' || fail "bits of $1 pass: penstock seal ${*:3}"
import subprocess, sys
penstock, every, file, named = sys.argv[1:5]
whole = open(file, "rb").read()
def write(content):
    with open(file, "r+b") as f: f.write(content)
bad = 0
for bit in range(0, 8 * len(whole), 1 if every else 29):
    turned = bytearray(whole)
    turned[bit // 8] ^= 1 << bit % 8
    write(turned)
    done = subprocess.run([penstock, "seal"] + sys.argv[5:], stdin=subprocess.DEVNULL, capture_output=True)
    said = done.stdout + done.stderr
    if done.returncode == 1 and named.encode() in said: continue
    bad += 1
    if bad < 4: print(file, "bit", bit, "exit code", done.returncode, said[:300], file=sys.stderr)
write(whole)
sys.exit(bad > 0)
END
}

# If this fails, a bit of a proof or of a checkpoint, its signature lines included, may turn unseen, or it is not said in which file.
bits() {
    cp -r seal/orders/1 bits
    run 0 prove bits --index 3 -o bits.tlog-proof
    sed -n 's/^extra //p' bits.tlog-proof | base64 -d >bits.entry
    leaf=$({ printf '\0' && cat bits.entry; } | sha256sum | cut -d' ' -f1)
    printf 'log %s\nquorum none\n' "$(cat v1)" >bits.policy
    run 0 verify proof bits.tlog-proof --policy bits.policy --leaf "$leaf"
    each_bit bits.tlog-proof bits.tlog-proof verify proof bits.tlog-proof --key v1
    each_bit bits.tlog-proof bits.tlog-proof verify proof bits.tlog-proof --key v0 --key v1
    each_bit bits.tlog-proof bits.tlog-proof verify proof bits.tlog-proof --policy bits.policy
    each_bit bits.tlog-proof bits.tlog-proof verify proof bits.tlog-proof --key v1 --leaf "$leaf"
    each_bit bits.tlog-proof bits.tlog-proof verify proof bits.tlog-proof --key v1 --entry bits.entry
    each_bit bits/checkpoint bits/checkpoint verify bits --key v1
    each_bit bits/checkpoint bits/checkpoint verify bits --key v0 --key v1
    each_bit bits/checkpoint bits/checkpoint verify bits
    each_bit bits/vkey bits/vkey verify bits --key v1
    cp bits/checkpoint bits.kept
    each_bit bits.kept bits.kept verify consistency bits.kept bits --key v1
    each_bit bits/checkpoint bits verify consistency bits.kept bits --key v1
    rm -r bits bits.*
}

# If this fails, who has sealed a topic of a hundred partitions must give a hundred keys, or one key vouches for logs of another.
above() {
    local name
    run 0 keygen example.org/b -o kb
    cp out vb
    for name in b/orders/0 b/orders/1 bb/0; do # as the stage does: one secret, each log's own name
        python3 - kb "example.org/$name" <<'END' >one
import base64, hashlib, subprocess, sys
seed = base64.b64decode(open(sys.argv[1]).read().strip().split("+", 4)[4])
der = bytes.fromhex("302e020100300506032b657004220420") + seed[1:]
public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=der, capture_output=True, check=True).stdout[-32:]
key_id = hashlib.sha256(sys.argv[2].encode() + b"\n\x01" + public).hexdigest()[:8]
print("PRIVATE+KEY+%s+%s+%s" % (sys.argv[2], key_id, base64.b64encode(seed).decode()))
END
        chmod 600 one
        "$write" one "many/${name//\//-}" 5 || fail "write"
        rm one
    done
    run 3 verify many --key vb
    out_has "many/b-orders-0: ok: 5 entries of example.org/b/orders/0"
    out_has "many/b-orders-1: ok: 5 entries"
    out_has "many/bb-0: cannot tell: none of the keys"
    run 0 verify many/b-orders-0 --key vb --json
    json 'd["signed"] and not d["own_key"]'
    run 1 verify many/bb-0 --key vb
    run 0 prove many/b-orders-1 --index 2 -o many.tlog-proof
    run 0 verify proof many.tlog-proof --key v0 --key vb
    run 0 verify consistency many/b-orders-0/checkpoint many/b-orders-0 --key vb
    run 0 show many/b-orders-0 --key vb
    run 0 keygen example.org/b -o kc
    cp out vc
    run 1 verify many/b-orders-0 --key vc
    run 0 verify many/b-orders-0 --key vc --key vb
    run 0 verify many/b-orders-0 --key vb --key vc
    rm -r many many.tlog-proof kb vb kc vc
}

# If this fails, a log from before a key was replaced cannot be told from one that somebody else has signed.
replaced() {
    run 0 keygen example.org/a/orders/1 -o k1b
    cp out v1b
    mkdir after && "$write" k1b after/1 9 || fail "write"
    cp -r seal/orders/1 after/0
    run 1 verify after --key v1b
    out_has "after/1: ok: 9 entries"
    out_has "after/0/vkey: is another key than the one that was given: its id is"
    out_has "where a key was replaced, give both"
    out_has "after/0/checkpoint: not signed by example.org/a/orders/1+"
    run 0 verify after --key v1b --key v1
    out_has "after/0: ok: 5 entries"
    out_has "after/1: ok: 9 entries"
    run 0 verify after/0 --key v1 --key v1b # one that is not needed here is no log that is gone
    # Two keys vouch for no more than one does.
    turn after/0/tile/entries/000.p/5 50
    run 1 verify after/0 --key v1b --key v1
    run 0 keygen example.org/a/orders/1 -o k1c
    "$write" k1c after/2 9 || fail "write"
    run 1 verify after/2 --key v1b --key v1
    # Proofs and checkpoints that others kept.
    run 0 prove seal/orders/1 --index 3 -o former.tlog-proof
    run 1 verify proof former.tlog-proof --key v1b
    run 0 verify proof former.tlog-proof --key v1b --key v1
    printf 'log %s\nlog %s\nquorum none\n' "$(cat v1b)" "$(cat v1)" >former.policy
    run 0 verify proof former.tlog-proof --policy former.policy
    run 0 verify seal/orders/1 --policy former.policy
    # A log that goes on under another key, as tools of others may write it: what was kept is its beginning all the same.
    "$write" k1b after/3 5 || fail "write"
    cp after/3/checkpoint former
    "$write" k1 after/4 9 || fail "write"
    run 1 verify consistency former after/4 --key v1
    err_has "not signed by"
    run 0 verify consistency former after/4 --key v1 --key v1b
    rm -r after former former.* k1b k1c v1b
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
    mkdir hollow
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

# serve DIR: on $port; its pid in $server.
serve() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$penstock" seal serve "$1" --listen "127.0.0.1:$port" 2>served &
    server=$!
    for _ in $(seq 100); do
        grep -q serving served && break
        sleep 0.1
    done
}

served() {
    echo secret >seal/secret.txt
    ln -s /etc/passwd seal/orders/0/tile/0/777
    mkdir -p outside/0/tile/0 && cp seal/orders/0/checkpoint outside/0/ && cp seal/orders/0/tile/0/000 outside/0/tile/0/
    ln -s ../outside seal/linked
    ln -s ../../../outside/0/tile/0 seal/orders/0/tile/7
    serve seal
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
        /orders/0/tile/0/777 /orders/0/.checkpoint.new /linked/0/checkpoint /linked/0/tile/0/000 /orders/0/tile/7/000; do
        status 404 GET "$path"
    done
    kill -TERM $server
    wait $server
    local code=$?
    [ $code -eq 0 ] || fail "serve ends with $code"
    rm -r outside seal/linked seal/secret.txt seal/orders/0/tile/0/777 seal/orders/0/tile/7
    run 1 serve nowhere
}

# json EXPRESSION: of `d`, the one object in `out`.
json() {
    python3 -c 'import json, sys
d = json.load(open("out"))
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" || fail "not so: $1: $(head -c 600 out)"
}

# A server that answers otherwise: redirects, errors, too much, and at first nothing but errors.
odd_server() {
    cat >odd.py <<'END'
import http.server, sys, threading
tries = {}
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for k, v in headers.items(): self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        where, _, file = self.path[1:].partition("/")
        tries[self.path] = tries.get(self.path, 0) + 1
        try: body = open("seal/orders/0/" + file, "rb").read()
        except OSError: return self.answer(404)
        if where == "moved": return self.answer(302, Location="/good/" + file)
        if where == "round": return self.answer(302, Location=self.path)
        if where == "away": return self.answer(302, Location="file:///etc/passwd")
        if where == "busy" and tries[self.path] < 3: return self.answer(503)
        if where == "broken": return self.answer(500)
        if where == "closed": return self.answer(403)
        if where == "large" and file.startswith("tile/0/"): body += bytes(100000000)
        self.answer(200, body)
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
END
    python3 odd.py >odd.port 2>/dev/null &
    server=$!
    for _ in $(seq 100); do
        [ -s odd.port ] && break
        sleep 0.1
    done
    port=$(cat odd.port)
}

# If this fails, a log on the web is trusted more than one in a directory, or what its server says is taken for tampering.
web() {
    cp -r seal web
    turn web/orders/1/tile/entries/000.p/5 50
    serve web
    local url=http://127.0.0.1:$port
    run 0 verify "$url/orders/0" --key v0
    out_has "$url/orders/0: ok: 1,000 entries"
    run 0 verify "$url/orders/0/" --key v0 --json
    json 'd["result"] == "ok" and d["size"] == 1000 and d["entries"] == 1000'
    run 0 show "$url/orders/0"
    out_has "entries   1,000"
    run 0 show "$url/orders/0" --index 999
    out_has "offset    1008"
    run 0 prove "$url/orders/0" --index 700 -o web.tlog-proof
    run 0 verify proof web.tlog-proof --key v0
    run 0 verify consistency old "$url/orders/0" --key v0
    run 0 verify consistency old "$url/orders/0/checkpoint" --key v0
    run 0 verify consistency old seal/orders/0 "$url/orders/0"
    run 1 verify consistency "$url/orders/0" old seal/orders/0
    run 1 verify "$url/orders/1"
    out_has "tile/entries/000.p/5: entry 0 was changed"
    run 1 verify "$url/orders/0" --key v1
    run 3 verify "$url/orders"
    out_has "checkpoint: is missing"
    rm web/orders/0/tile/0/001
    run 1 verify "$url/orders/0" --key v0
    out_has "tile/0/001: is missing"
    kill $server
    wait $server 2>/dev/null
    run 3 verify "$url/orders/0"
    out_has "cannot be had from"
    run 2 show "http://me:secret@127.0.0.1/orders/0"
    for url in "http://me:secret@127.0.0.1/orders/0" "http://127.0.0.1/orders/0?secret"; do
        run 2 verify "$url"
        ! grep -q secret out err || fail "a secret is printed: $(cat out err)"
    done
    grep -q secret err && fail "a password is printed"
    run 2 show "$url/orders/0?page=1"
    odd_server
    url=http://127.0.0.1:$port
    run 0 verify "$url/good" --key v0
    run 0 verify "$url/moved" --key v0
    run 0 verify "$url/busy" --key v0
    for way in round away broken closed; do
        run 3 verify "$url/$way" --key v0
        out_has "$url/$way: cannot tell: checkpoint: "
    done
    out_has "status 403: it must let everybody read a log"
    run 1 verify "$url/large" --key v0
    out_has "tile/0/000: has more than 8192 bytes"
    kill $server
    wait $server 2>/dev/null
    rm -r web
}

# What a machine reads says the same as the exit code, also where it failed.
objects() {
    run 1 verify consistency seal/orders/0/checkpoint old seal/orders/0 --json
    json 'd["result"] == "tampered" and "was cut" in d["why"]'
    run 3 verify consistency nowhere seal/orders/0 --json
    json 'd["result"] == "cannot_tell"'
    run 0 prove seal/orders/0 --index 700 -o p.tlog-proof
    cp p.tlog-proof turned
    turn turned 300
    run 1 verify proof turned --key v0 --json
    json 'd["result"] == "tampered" and d["why"].startswith("turned: ")'
    run 3 verify proof nowhere --key v0 --json
    json 'd["result"] == "cannot_tell"'
    run 0 show p.tlog-proof --json
    json 'd["index"] == 700 and d["hashes"] == 10 and d["size"] == 1000'
    run 0 show p.tlog-proof
    out_has "proof     of entry 700, 10 hashes"
}

# If this fails, a checkpoint that somebody hands you moves your cursor, or writes what is not there.
escaped() {
    python3 - seal/orders/0/checkpoint <<'END'
import sys
lines = open(sys.argv[1], "rb").read().split(b"\n")
lines[0] = "evil\x7f\u009b2Jlog".encode()
open("evil", "wb").write(b"\n".join(lines))
END
    run 0 show evil
    out_has 'evil\u007f\u009b2Jlog'
    run 0 show evil --json
    json 'd["origin"] == "evil\x7f\u009b2Jlog"'
    LC_ALL=C grep -q $'\xc2\x9b' out && fail "a control character goes to the terminal"
    # A size that no log can have is refused by whoever reads it.
    sed '2s/.*/9223372036854775808/' seal/orders/0/checkpoint >large
    run 1 show large
    err_has "its size is beyond what a log can have"
}

# Without a broker only usage can be told.
topics() {
    run 2 verify topic
    run 2 verify topic orders --brokers 127.0.0.1:1
    err_has "--dir"
    run 2 verify topic orders --dir seal
    err_has "--brokers"
    run 2 verify topic orders --dir seal --pipeline nowhere.yaml
    err_has "nowhere.yaml"
    run 2 verify topic orders --dir seal --pipeline nowhere.yaml --brokers 127.0.0.1:1
    printf 'pipeline: plain\nsource: {synthetic: {}}\nsink: {discard: {}}\n' >plain.yaml
    run 2 verify topic orders --dir seal --pipeline plain.yaml
    err_has "its source is not Kafka"
    run 2 verify topic 'or ders' --dir seal --brokers 127.0.0.1:1
    run 2 verify topic orders --dir seal --brokers 127.0.0.1:1 --property nothing
    run 2 verify topic orders --dir seal --brokers 127.0.0.1:1 --property no.such=1
    run 3 verify topic orders --dir nowhere --brokers 127.0.0.1:1 --json
    json 'd["result"] == "cannot_tell"'
    run 2 verify record orders --dir seal --brokers 127.0.0.1:1
    err_has "--partition N and --offset N"
    run 2 verify record orders --dir seal --brokers 127.0.0.1:1 --partition 0 --offset -1
}

keys
mistaken
odd_files
whole
proofs
bits
above
replaced
changed
served
web
objects
escaped
topics
[ $failures -eq 0 ] && echo "test_seal: all well"
[ $failures -eq 0 ]
